"""What is read of a file, whatever its format: how much, and how it stands in a question."""

import io

import pytest

from qwen_tui.documents.document import MOST_TEXT, Document, Section, as_text
from qwen_tui.documents.reading import read_bytes
from qwen_tui.errors import InputError


def test_a_file_that_is_too_large_is_refused_without_being_read() -> None:
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            Endless.given += size
            return b"x" * size

    with pytest.raises(InputError, match="larger than 8 MB"):
        read_bytes(Endless(), "it")  # type: ignore[arg-type]
    assert Endless.given == MOST_TEXT + 1


def test_each_place_of_a_document_has_its_mark() -> None:
    pages = Document("report.pdf", (Section("First.", "1"), Section("Third.", "3")), "page")
    assert as_text(pages) == "[p. 1]\nFirst.\n\n[p. 3]\nThird."
    assert as_text(Document("budget.xlsx", (Section("| a |", "Costs"),), "sheet")) == "[sheet Costs]\n| a |"
    assert as_text(Document("notes.txt", (Section("As it is.\n"),))) == "As it is.\n"
