"""What README and the other documents name is there."""

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
CATALOGUE = ROOT / "qwen_tui/assets/locale/zh/LC_MESSAGES/qwen_tui.po"
PAGE = re.compile(r"\bdocs/[\w.-]+\.md|\b(?:README|CONTRIBUTING)\b(?!\.txt)(?:\.[a-z]+)*")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_pictures_lead_to_files_of_the_project(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    targets = re.findall(r'\]\(([^)#\s]+)|(?:src|srcset)="([^"]+)"', text)
    for target in (link or picture for link, picture in targets):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_the_pages_and_sections_that_the_program_names_are_there() -> None:
    with CATALOGUE.open("rb") as file:
        texts = [text for each in read_po(file) for text in (each.id, each.string) if isinstance(text, str) and each.id]
    texts.append((ROOT / "qwen_tui/assets/pack_readme.txt").read_text(encoding="utf-8"))
    named = [(text, page) for text in texts for page in PAGE.findall(text)]
    assert named
    for text, page in named:
        assert (ROOT / page).exists(), text
        headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
        sections = re.findall(f"{re.escape(page)}[^“”\n]*“([^”]+)”", text)
        assert set(sections) <= set(headings), text
