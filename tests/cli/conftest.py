"""What tests of several commands share: a report of five pages, longer than a small context."""

from pathlib import Path

import pytest

PAGES = "\n\n".join(f"[p. {n}]\n" + "the harbour and its lighthouse " * 20 for n in range(1, 6))


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.txt"
    path.write_text(PAGES)
    return path
