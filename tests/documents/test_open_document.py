"""OpenDocument: texts, sheets and slides as Markdown, packed and flat, and what is said of what is left out."""

import io

import pytest

from qwen_tui.documents.document import Document, Options, as_text
from qwen_tui.documents.reading import read
from qwen_tui.errors import InputError
from scripts.documents.corpus import CORPUS, read_document
from tests.documents.zip_files import zipped

NAMES = ("office", "style", "text", "table", "drawing", "presentation", "svg-compatible")
PREFIXES = {"drawing": "draw", "svg-compatible": "svg"}
SPACES = " ".join(
    f'xmlns:{PREFIXES.get(name, name)}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in NAMES
)
KINDS = {"text": "text", "spreadsheet": "spreadsheet", "presentation": "presentation", "graphics": "drawing"}
MIME_TYPE = "application/vnd.oasis.opendocument."


def flat(body: str, kind: str = "text", styles: str = "") -> bytes:
    """Return a flat document with this body, of a text unless another kind is named."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<office:document {SPACES} office:mimetype="{MIME_TYPE}{kind}">'
        f"<office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:{KINDS[kind]}>{body}</office:{KINDS[kind]}></office:body></office:document>"
    ).encode()


def read_data(data: bytes, name: str = "it.fodt") -> Document:
    return read(io.BytesIO(data), name, Options())


def text_of(body: str, kind: str = "text", styles: str = "") -> str:
    return as_text(read_data(flat(body, kind, styles)))


def cells(*texts: str) -> str:
    return "".join(f"<table:table-cell><text:p>{text}</text:p></table:table-cell>" for text in texts)


def test_a_real_text_has_its_headings_lists_tables_and_notes() -> None:
    document = read_document(CORPUS / "report-en.odt")
    text = as_text(document)
    assert text.startswith("# The garden plan\n\nThe council wants")
    assert "\n\n1. Fences and gates\n2. Drainage\n3. Lighting along the paths\n\nNoted.[^1] It was decided" in text
    assert "\n\n[^1]: The survey was repeated in autumn, with the same result.\n\n|Item|Year one|" in text
    assert text.endswith("|---|---|---|---|\n|Soil|190,000|50,000|Fund|\n|Fence|42,000|0|Council|\n"
        "|Lighting|18,500|21,000|Council|\n|Gardeners|60,000|62,000|Society|")  # fmt: skip
    assert "proposed" not in text
    assert "Really?" not in text
    assert document.notes == (
        "report-en.odt: 1 comment is left out.",
        "report-en.odt has tracked changes; it was read as if all of them were accepted.",
    )


def test_real_sheets_have_their_names_and_computed_values() -> None:
    document = read_document(CORPUS / "costs.ods")
    assert document.unit == "sheet"
    assert as_text(document).startswith("[sheet Costs]\n|Item|Year one|Year two|Who pays|\n|---|")
    # A table of one column is still one.
    assert as_text(document).endswith("[sheet 合计]\n|12.5|\n|---|\n|30|\n|42.5|")


def test_real_slides_have_their_titles_and_notes() -> None:
    document = read_document(CORPUS / "talk.odp")
    assert document.unit == "slide"
    assert document.sections[0].text == (
        "# The garden\n\n- What the council wants\n  - and why\n- What it costs\n\n[notes]\nBegin with the photographs."
    )
    assert document.sections[1].text.startswith("# Costs\n\n|Item|")
    assert document.notes == ()


def test_spaces_breaks_and_raised_digits_stay() -> None:
    raised = '<style:style style:name="T1"><style:text-properties style:text-position="super 58%"/></style:style>'
    body = '<text:p>a<text:s text:c="3"/>b<text:tab/>c<text:line-break/>10<text:span text:style-name="T1">6</text:span>'
    assert text_of(f"{body}</text:p>", styles=raised) == "a b c\n10⁶"


def test_code_keeps_its_lines() -> None:
    style = '<style:style style:name="P1" style:parent-style-name="Preformatted_20_Text"/>'
    lines = ("if x:", '<text:s text:c="4"/>y()')
    body = "".join(f'<text:p text:style-name="P1">{line}</text:p>' for line in lines)
    assert text_of(f"{body}<text:p>So.</text:p>", styles=style) == "```\nif x:\n    y()\n```\n\nSo."


def test_numbered_lists_go_on_after_an_interruption() -> None:
    style = (
        '<text:list-style style:name="L1"><text:list-level-style-number text:level="1" style:num-format="1"/>'
        '<text:list-level-style-bullet text:level="2" text:bullet-char="-"/></text:list-style>'
    )
    item = "<text:list-item><text:p>{}</text:p>{}</text:list-item>"
    inner = f"<text:list>{item.format('b', '')}</text:list>"
    first = f'<text:list text:style-name="L1">{item.format("a", inner)}{item.format("c", "")}</text:list>'
    after = f'<text:list text:style-name="L1" text:continue-numbering="true">{item.format("d", "")}</text:list>'
    assert text_of(f"{first}<text:p>x</text:p>{after}", styles=style) == "1. a\n   - b\n2. c\n\nx\n\n3. d"


def test_deletions_are_left_out_wherever_the_file_holds_them() -> None:
    region = '<text:changed-region text:id="c1"><text:deletion>{}</text:deletion></text:changed-region>'
    apart = region.format("<text:p>gone</text:p>")
    assert text_of(f"<text:tracked-changes>{apart}</text:tracked-changes><text:p>a<text:change/>b</text:p>") == "ab"
    marked = '<text:p>a<text:change-start text:change-id="c1"/>gone<text:change-end text:change-id="c1"/>b</text:p>'
    assert text_of(f"<text:tracked-changes>{region.format('')}</text:tracked-changes>{marked}") == "ab"


def test_pictures_say_what_they_show_and_are_counted() -> None:
    body = "<text:p><draw:frame><draw:image/><svg:desc>A map</svg:desc></draw:frame></text:p><text:p>x</text:p>"
    document = read_data(flat(f"{body}<text:p><draw:frame><draw:object/><draw:image/></draw:frame></text:p>"))
    assert as_text(document) == "[picture: A map]\n\nx"
    assert document.notes[0] == "it.fodt: 1 picture is not read."
    assert "inserted" in document.notes[1]


def test_merged_cells_stand_in_each_row() -> None:
    wide = '<table:table-cell table:number-rows-spanned="2"><text:p>a | b</text:p></table:table-cell>'
    covered = "<table:covered-table-cell/>"
    body = f"<table:table><table:table-row>{wide}{cells('1')}</table:table-row>"
    body += f"<table:table-row>{covered}{cells('2')}</table:table-row></table:table>"
    assert text_of(body) == "|a \\| b|1|\n|---|---|\n|a \\| b|2|"


def test_what_stands_at_the_head_of_pages_is_read_once() -> None:
    header = "<style:master-page><style:header><text:p>Draft</text:p></style:header></style:master-page>"
    footer = "<style:master-page><style:footer><text:p>1</text:p></style:footer></style:master-page>"
    assert text_of("<text:p>Words</text:p>", styles=header * 2 + footer) == "Draft\n\nWords"


def test_a_sheet_of_a_million_rows_takes_the_room_of_its_text() -> None:
    empty = '<table:table-row table:number-rows-repeated="1048576">'
    empty += '<table:table-cell table:number-columns-repeated="16384"/>'
    gap = '<table:table-cell table:number-columns-repeated="16000"/>'
    rows = f"<table:table-row>{cells('a')}{gap}{cells('b')}</table:table-row>{empty}</table:table-row>"
    rows += f"<table:table-row>{cells('c')}</table:table-row>"
    data = flat(f'<table:table table:name="One">{rows}</table:table>', "spreadsheet")
    assert as_text(read_data(data)) == "[sheet One]\n|a|b|\n|---|---|\n|c||"
    full = empty.replace("/>", "><text:p>x</text:p></table:table-cell>") + "</table:table-row>"
    with pytest.raises(InputError, match="more than 8 MB of text"):
        read_data(flat(f"<table:table>{full}</table:table>", "spreadsheet"))
    diagonal = "".join(
        f'<table:table-row><table:table-cell table:number-columns-repeated="{place}"/>{cells("x")}</table:table-row>'
        for place in range(1, 4000)
    )
    with pytest.raises(InputError, match="more than 8 MB of text"):
        read_data(flat(f"<table:table>{diagonal}</table:table>", "spreadsheet"))


def test_cells_show_what_they_show_and_hide_copies_and_comments() -> None:
    value = '<table:table-cell office:value-type="float" office:value="7"/>'
    comment = "<office:annotation><text:p>why</text:p></office:annotation>"
    lines = f"<table:table-cell>{comment}<text:p>1</text:p><text:p>2</text:p></table:table-cell>"
    copy = (
        f"<table:table table:name=\"'file:///x.ods'#A\"><table:table-row>{cells('no')}</table:table-row></table:table>"
    )
    row = f"<table:table-row>{value}{lines}</table:table-row>"
    document = read_data(flat(f'<table:table table:name="A b">{row}</table:table>{copy}', "spreadsheet"))
    assert as_text(document) == "[sheet A b]\n|7|1<br>2|\n|---|---|"
    assert document.notes == ("it.fodt: 1 comment is left out.",)


def test_a_drawing_is_read_page_by_page() -> None:
    page = "<draw:page><draw:custom-shape><text:p>{}</text:p></draw:custom-shape></draw:page>"
    document = read_data(flat(page.format("one") + page.format("") + page.format("three"), "graphics"))
    assert as_text(document) == "[p. 1]\none\n\n[p. 3]\nthree"


def packed(content: str | bytes, manifest: str = "<manifest/>") -> bytes:
    members = {"mimetype": f"{MIME_TYPE}text", "content.xml": content, "META-INF/manifest.xml": manifest}
    return zipped({name: text for name, text in members.items() if text})


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (packed("<x/>", "<manifest:file-entry><manifest:encryption-data /></manifest:file-entry>"), "by a password"),
        (packed(flat("<text:p/>")), "has no text"),
        (packed(flat("<text:p>x</text:p>")[:-40]), "is damaged"),
        (packed(""), "is damaged"),
        (packed(b'<!DOCTYPE x [<!ENTITY a "aaaa">]>' + flat("<text:p>&a;</text:p>")[38:]), "is damaged"),
        (flat("<text:p>x</text:p>")[:-9], "is damaged and cannot be read as OpenDocument"),
        ((CORPUS / "report-en.odt").read_bytes()[:20_000], "is damaged"),
    ],
    ids=["locked", "empty", "cut XML", "no content", "entities", "cut flat", "cut"],
)
def test_what_cannot_be_read_says_why(data: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_data(data)


def test_ten_thousand_nested_elements_are_read() -> None:
    for tag in ("text:section", "text:list", "text:p", "text:span", "table:table"):
        assert "deep" in text_of(f"<{tag}>" * 10_000 + "<text:p>deep</text:p>" + f"</{tag}>" * 10_000)
