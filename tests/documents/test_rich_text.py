"""RTF: text in the encodings of its fonts, headings, lists, tables and notes, and what is left out."""

import io

import pytest

from qwen_tui.documents.document import Document, Options, as_text
from qwen_tui.documents.reading import read
from qwen_tui.errors import InputError
from scripts.documents.corpus import CORPUS, read_document

FONTS = r"{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset134 SimSun;}{\f2\fcharset204 Arial CYR;}}"


def read_rtf(body: str) -> Document:
    return read(
        io.BytesIO(rb"{\rtf1\ansi\ansicpg1252\deff0" + (FONTS + body + "}").encode("latin-1")), "it.rtf", Options()
    )


def text_of(body: str) -> str:
    return as_text(read_rtf(body))


def hexadecimal(text: str, codec: str) -> str:
    return "".join(f"\\'{byte:02x}" for byte in text.encode(codec))


def test_a_real_letter_has_its_headings_lists_tables_and_notes() -> None:
    document = read_document(CORPUS / "letter-en.rtf")
    text = as_text(document)
    assert text.startswith("# The garden plan\n\nThe council wants")
    assert "\n\n1. Fences and gates\n2. Drainage\n3. Lighting along the paths\n\nNoted.[^1] It was decided" in text
    assert "\n\n[^1]: The survey was repeated in autumn, with the same result.\n\n|Item|Year one|" in text
    assert "proposed" not in text
    assert "Really?" not in text


def test_each_font_has_its_encoding() -> None:
    chinese, russian = hexadecimal("公园的计划", "gb18030"), hexadecimal("сад", "cp1251")
    body = rf"caf{hexadecimal('é', 'cp1252')} {{\f1 {chinese}}} {{\f2 {russian}}}"
    assert text_of(body) == "café 公园的计划 сад"


def test_the_code_page_of_the_file_counts_without_one_of_the_font() -> None:
    data = rb"{\rtf1\ansi\ansicpg936 \'b9\'ab\'d4\'b0}"
    assert as_text(read(io.BytesIO(data), "it.rtf", Options())) == "公园"


def test_unicode_characters_replace_what_stands_behind_them() -> None:
    assert text_of(r"\u20844?\u22253\'3f \u-10179?\u-8704?{\uc2\u233 xx}{\uc0\u233}!") == "公园 😀éé!"


def test_signs_and_paragraphs() -> None:
    assert text_of(r"a\~b\_c\emdash d\line e\par\par \{f\}\\\tab g\'") == "a b-c—d\ne\n\n{f}\\ g"


def test_outlines_and_old_lists_are_kept() -> None:
    items = r"{\pntext\'b7\tab}one\par{\pntext\'b7\tab}two\par{\listtext a)\tab}\ilvl1 b\par"
    body = rf"\pard\outlinelevel1 Part\par\pard{items}"
    assert text_of(body) == "## Part\n\n- one\n- two\n  a) b"


def test_tables_keep_their_cells() -> None:
    row = r"\trowd\cellx1\cellx2\pard\intbl {}\cell {}\cell\row "
    body = "Before\\par " + row.format("a | b", "c") + row.format(r"d\par e", "") + r"\pard After\par"
    assert text_of(body) == "Before\n\n|a \\| b|c|\n|---|---|\n|d<br>e||\n\nAfter"


def test_what_is_no_text_is_left_out_and_counted() -> None:
    field = r"{\field{\*\fldinst HYPERLINK x}{\fldrslt c}}"
    body = rf"{{\info{{\title T}}}}{{\header H}}a{{\*\unknown b}}{field}{{\v d}}{{\pict 8950}}10{{\super 6}}"
    document = read_rtf(body)
    assert as_text(document) == "ac10⁶"
    assert document.notes == ("it.rtf: 1 picture is not read.", "it.rtf: hidden text is left out.")


def test_binary_data_is_stepped_over() -> None:
    assert text_of(r"a{\pict\bin4 {{{{}b") == "ab"


def test_a_file_that_is_cut_says_so() -> None:
    document = read(io.BytesIO(rb"{\rtf1 Words and {\b more"), "it.rtf", Options())
    assert as_text(document) == "Words and more"
    assert document.notes == ("it.rtf ends in the middle; what is there was read.",)
    with pytest.raises(InputError, match="has no text"):
        read_rtf(r"{\pict 89}")


def test_groups_that_never_end_are_read() -> None:
    assert text_of("{" * 100_000 + "deep") == "deep"
    assert text_of("}" * 10 + "deep") == "deep"
