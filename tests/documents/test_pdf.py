"""PDF: what is read of it in which order, what is left out, and what is said of files that cannot be read."""

import io
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from qwen_tui.documents.document import Document, Options, as_text
from qwen_tui.documents.reading import read
from qwen_tui.errors import InputError
from scripts.documents.corpus import CORPUS, read_document, with_words, words_in_order
from tests.documents.cancelling import progress_until
from tests.documents.pdf_files import lines, pdf


def read_pdf(data: bytes, options: Options | None = None) -> Document:
    return read(io.BytesIO(data), "it.pdf", options or Options())


def text_of(*pages: str) -> str:
    return "\n--\n".join(section.text for section in read_pdf(pdf(pages)).sections)


@pytest.mark.parametrize("path", with_words("*.pdf"), ids=lambda path: path.stem)
def test_the_words_of_real_files_come_in_order(path: Path) -> None:
    assert words_in_order(path) >= 0.99
    assert read_document(path).unit == "page"


def test_a_page_without_text_is_named_and_has_no_mark() -> None:
    document = read_document(CORPUS / "partly-scanned-en.pdf")
    assert as_text(document).startswith("[p. 1]\n")
    assert "[p. 2]" not in as_text(document)
    assert document.notes == ("partly-scanned-en.pdf: pages 2–3 have no text; perhaps they are scanned.",)
    with pytest.raises(InputError, match="no text on its 2 pages"):
        read_document(CORPUS / "scanned.pdf")


def test_a_row_of_a_table_is_a_line() -> None:
    (page,) = read_document(CORPUS / "table-en.pdf").sections
    assert "\nSoil | 190,000 | 50,000 | Fund\n" in page.text


def test_a_hyphen_at_the_end_of_a_line_goes_where_it_parts_a_word() -> None:
    told = text_of(
        lines(
            "This line is long enough to be a full one, with hyphen-",
            "ation at its end, and it has a well-known hyphen, too, well-",
            "known to readers of its first part, beside the non-",
            "verbal one that keeps it. Here is a trade-off, and trade-",
            "off again, and in the years from 1990-",
            "1999 nothing.",
        )
    )
    assert "hyphenation" in told
    assert "too, well-known" in told
    assert "non-verbal" in told
    assert "and trade-off again" in told
    assert "1990-1999" in told


def test_heads_and_page_numbers_that_repeat_are_left_out() -> None:
    def page(number: int, *texts: str) -> str:
        head, foot = lines("Report of the year", top=770), lines(f"- {number} -", left=290, top=30)
        return f"{head} {lines(*texts)} {foot}"

    def sheet(number: int) -> str:
        return f"{lines(f'Exercise {number}', top=770)} {lines('12 34', left=290, top=30)}"

    # A heading with a number, and the last row of a table, may stand at the same height on each page.
    exercises = text_of(sheet(1), sheet(2), sheet(3))
    assert exercises.count("Exercise") == 3
    assert "12 34" in exercises
    told = text_of(page(7, "First.", "In 2024"), page(8, "Second."), page(9, "Third.", "42"))
    # A head stays where it comes first: it may say what nothing else says.
    assert told.count("Report of the year") == 1
    assert "- 7 -" not in told
    assert "- 9 -" not in told
    assert "In 2024" in told
    assert "42" in told


def test_what_stands_sideways_is_read_along_its_lines() -> None:
    turned = "BT /F 12 Tf 0 1 -1 0 300 100 Tm (Sideways all of it) Tj 0 1 -1 0 314 100 Tm (goes on) Tj ET"
    assert text_of(turned).split() == ["Sideways", "all", "of", "it", "goes", "on"]
    (section,) = read_pdf(pdf([lines("Upright again")], rotate=90)).sections
    assert section.text == "Upright again"


def test_no_control_character_comes_through() -> None:
    told = text_of("BT /F 12 Tf 72 600 Td (a\\000b\\007c\\033[31m[m it) Tj ET")
    assert all(character.isprintable() or character == "\n" for character in told)
    assert told.endswith("it")


def test_a_password_is_asked_for_until_it_is_right() -> None:
    asked: list[tuple[str, int]] = []

    def password(name: str, wrong: int) -> str | None:
        asked.append((name, wrong))
        return ("wrong", "wröng", "garden")[wrong]

    document = read_pdf((CORPUS / "locked-en.pdf").read_bytes(), Options(password=password))
    assert "The garden plan" in document.sections[0].text
    assert asked == [("it.pdf", 0), ("it.pdf", 1), ("it.pdf", 2)]


def test_without_the_password_the_file_is_refused() -> None:
    locked = (CORPUS / "locked-en.pdf").read_bytes()
    with pytest.raises(InputError, match="protected by a password") as refused:
        read_pdf(locked, Options(say_password="--password-file FILE"))
    assert refused.value.remedy.endswith("--password-file FILE")
    with pytest.raises(InputError, match=r"does not open it\.pdf"):
        read_pdf(locked, Options(password=lambda _name, wrong: None if wrong else "wrong"))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"%PDF-1.7\nnothing more", "is damaged"),
        (pdf([]), "has no pages|is damaged"),
        (pdf(["", ""]), "nothing is on its pages"),
        (pdf([lines("x")] * 1001), "has 1,001 pages; 1,000 are read at most"),
        # Each node of the page tree is its own child.
        (pdf([], kids="2 0 R 2 0 R", count=3), "is damaged|has no pages"),
        ((CORPUS / "damaged.pdf").read_bytes(), "is damaged"),
    ],
    ids=["cut", "no pages", "empty", "too many pages", "cyclic", "damaged"],
)
def test_what_cannot_be_read_says_why(data: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says) as refused:
        read_pdf(data)
    assert refused.value.remedy or "nothing is on" in refused.value.message


def test_pages_that_crash_or_hang_the_library_are_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from qwen_tui.documents import pdf as reader
    from qwen_tui.documents.pdfium import Page

    class Dying(reader._Reader):
        """Ends at the second page, as a process does that crashes."""

        def receive(self) -> object:  # type: ignore[override]
            reply = super().receive()
            return None if isinstance(reply, Page) and reply.index == 1 else reply

    monkeypatch.setattr(reader, "_Reader", Dying)
    document = read_pdf(pdf([lines("First."), lines("Second."), lines("Third.")]))
    assert as_text(document) == "[p. 1]\nFirst.\n\n[p. 3]\nThird."
    assert document.notes == ("it.pdf: page 2 could not be read and is left out.",)


@pytest.mark.parametrize(("waits", "is_read"), [("time.sleep(1.5)", True), ("while True: pass", False)])
def test_a_process_without_a_processor_is_waited_for_and_one_that_hangs_is_not(
    monkeypatch: pytest.MonkeyPatch, waits: str, is_read: bool
) -> None:
    code = f"import time\n{waits}\nfrom qwen_tui.documents.pdfium import main\nmain()"
    monkeypatch.setattr("qwen_tui.child.command", lambda _module: (sys.executable, "-c", code))
    monkeypatch.setattr("qwen_tui.documents.pdf._PATIENCE", 1.0)
    with nullcontext() if is_read else pytest.raises(InputError, match="is damaged"):
        assert as_text(read_pdf(pdf([lines("First.")]))) == "[p. 1]\nFirst."


def test_a_damaged_page_is_left_out_and_named() -> None:
    # 99 is no object, and 3 is a font.
    document = read_pdf(pdf([lines("First.")], kids="99 0 R 4 0 R 3 0 R", count=3))
    assert as_text(document) == "[p. 2]\nFirst."
    assert document.notes == ("it.pdf: pages 1, 3 could not be read and are left out.",)


def test_progress_comes_page_by_page_and_reading_can_be_cancelled() -> None:
    data = pdf([lines("x")] * 400)
    told = progress_until(5, lambda options: read_pdf(data, options))
    assert told == [(done, 400, "page") for done in range(6)]
