"""Real files of real programs: the words come in their order. PDF has its own test."""

from pathlib import Path

import pytest

from scripts.documents.corpus import with_words, words_in_order


@pytest.mark.parametrize(
    "path",
    [path for path in with_words("*") if path.suffix != ".pdf"],
    ids=lambda path: path.name,
)
def test_the_words_of_real_files_come_in_order(path: Path) -> None:
    assert words_in_order(path) >= 0.99
