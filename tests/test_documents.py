"""What README and the other documents name is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_pictures_lead_to_files_of_the_project(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    targets = re.findall(r'\]\(([^)#\s]+)|(?:src|srcset)="([^"]+)"', text)
    for target in (link or picture for link, picture in targets):
        if "://" not in target:
            assert (document.parent / target).exists(), target
