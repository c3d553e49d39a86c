"""Workbooks: what is read of a sheet, how numbers and dates are written, what is said of what is not read."""

import datetime
import io
from collections.abc import Callable
from typing import Any

import pytest

from qwen_tui.documents import archive
from qwen_tui.documents.document import Document, Options, as_text
from qwen_tui.documents.office.number_formats import shown
from qwen_tui.documents.reading import read
from qwen_tui.errors import InputError
from tests.documents.cancelling import progress_until
from tests.documents.office_files import changed

SHEET = "xl/worksheets/sheet1.xml"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def read_xlsx(data: bytes, options: Options | None = None) -> Document:
    return read(io.BytesIO(data), "it.xlsx", options or Options())


def xlsx(fill: Callable[[Any], object]) -> bytes:
    """Return a workbook that `fill` has filled, which gets its first sheet."""
    import openpyxl

    workbook: Any = openpyxl.Workbook()
    workbook.active.title = "One"
    fill(workbook.active)
    stream = io.BytesIO()
    workbook.save(stream)
    return stream.getvalue()


def rows(*written: tuple[object, ...]) -> Callable[[Any], None]:
    def fill(sheet: Any) -> None:
        for row in written:
            sheet.append(row)

    return fill


def text_of(fill: Callable[[Any], object]) -> str:
    (section,) = read_xlsx(xlsx(fill)).sections
    return section.text


def with_shared_texts() -> bytes:
    """Return a workbook whose texts stand in a table of their own, as Excel writes them."""
    import xlsxwriter

    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as workbook:
        sheet = workbook.add_worksheet("One")
        sheet.write_row(0, 0, ["a", "b", "a"])
        bold = workbook.add_format({"bold": True})
        sheet.write_rich_string(1, 0, "in ", bold, "parts")
    return stream.getvalue()


def sheet_xml(inner: str, around: str = "") -> bytes:
    """Return a workbook whose sheet has this XML as its rows, as other programs write them."""
    xml = f'<worksheet xmlns="{MAIN}">{around}<sheetData>{inner}</sheetData></worksheet>'
    return changed(xlsx(rows(("x",))), {SHEET: xml})


def test_each_sheet_has_its_name_and_empty_ones_are_left_out() -> None:
    def fill(sheet: Any) -> None:
        rows(("Item", "Price"), ("Soil|sand", 12), ("Fence\nlong", 3.5))(sheet)
        sheet.parent.create_sheet("Empty")
        sheet.parent.create_sheet("费用")["C7"] = "只有一格"

    document = read_xlsx(xlsx(fill))
    assert as_text(document) == (
        "[sheet One]\n|Item|Price|\n|---|---|\n|Soil\\|sand|12|\n|Fence<br>long|3.5|\n\n[sheet 费用]\n只有一格"
    )
    assert document.notes == ()


@pytest.mark.parametrize(
    ("value", "code", "seen"),
    [
        (1234.5, "#,##0.00", "1,234.50"),
        (1.005, "0.00", "1.01"),
        (0.125, "0.0%", "12.5%"),
        (1234567, "#,##0,", "1,235"),
        (2_500_000, '0.0,,"M"', "2.5M"),
        (-5, '"¥"#,##0.00', "-¥5.00"),
        (-5, "#,##0;(#,##0)", "(5)"),
        (-3, "[Red]0.0;[Blue]0", "3"),
        (-0.001, "0.0", "0.0"),
        (1.5, '_-* #,##0.00\\ "€"_-;-* #,##0.00\\ "€"_-;_-* "-"??\\ "€"_-;_-@_-', "1.50 €"),
        (0, '0;-0;"none"', "none"),
        (7, "000", "007"),
        (2125550123, "000-000-0000", "212-555-0123"),
        (12345, "0.00E+00", "1.23E+04"),
        (0.5, "# ?/?", "0.5"),
        (5, "[>100]0;0.0", "5"),
        (3, "General", "3"),
        (0.1 + 0.2, "General", "0.3"),
        (0.00001, "General", "0.00001"),
        (123456789012, "General", "123456789012"),
        (1e300, "#,##0.00", "1E+300"),
        (45717, "yyyy-mm-dd", "2025-03-01"),
        (45717.5, "yyyy/m/d h:mm", "2025/3/1 12:00"),
        (45717, 'yyyy"年"m"月"d"日"', "2025年3月1日"),
        (45717, "[$-409]d-mmm-yy;@", "1-Mar-25"),
        (45717, "[$-804]aaaa", "星期六"),
        (45717, "dddd, mmmm d", "Saturday, March 1"),
        (0.75, "h:mm AM/PM", "6:00 PM"),
        (0.000694444, "mm:ss", "01:00"),
        (1.5, "[h]:mm", "36:00"),
        (45717.123456, "hh:mm:ss.000", "02:57:46.598"),
        (45717.999999, "yyyy-mm-dd hh:mm", "2025-03-02 00:00"),
        (1, "yyyy-mm-dd", "1900-01-01"),
        (61, "yyyy-mm-dd", "1900-03-01"),
        (-1, "yyyy-mm-dd", "-1"),
        (10**9, "yyyy-mm-dd", "1000000000"),
    ],
)
def test_numbers_are_written_as_a_person_sees_them(value: float, code: str, seen: str) -> None:
    assert shown(value, code) == seen


def test_formats_of_the_file_are_found() -> None:
    def fill(sheet: Any) -> None:
        rows(("When", "Share", "Sure"), (datetime.date(2025, 3, 1), 0.5, True))(sheet)
        sheet["A2"].number_format = "mm-dd-yy"
        sheet["B2"].number_format = "0%"

    # The first is a format that follows the language of the system: the date is written so that nobody can mistake it.
    assert text_of(fill).endswith("|2025-03-01|50%|TRUE|")


def test_dates_may_count_from_1904() -> None:
    def fill(sheet: Any) -> None:
        from openpyxl.utils.datetime import CALENDAR_MAC_1904

        sheet.parent.epoch = CALENDAR_MAC_1904
        rows(("a", datetime.date(2025, 3, 1)))(sheet)

    assert "2025-03-01" in text_of(fill)


def test_a_formula_gives_its_stored_result_and_else_itself() -> None:
    stored = (
        '<row r="1"><c r="A1"><v>1</v></c><c r="B1"><f>A1+1</f><v>2</v></c><c r="C1" t="str"><f>"a"</f><v>a</v></c>'
        '<c r="D1" t="e"><f>1/0</f><v>#DIV/0!</v></c><c r="E1" t="b"><v>0</v></c></row>'
    )
    document = read_xlsx(sheet_xml(stored))
    assert document.sections[0].text.startswith("|1|2|a|#DIV/0!|FALSE|")
    assert document.notes == ()
    fresh = read_xlsx(xlsx(rows((1, 2), ("=A1+B1", "=SUM(A1:B1)"))))
    assert fresh.sections[0].text.endswith("|=A1+B1|=SUM(A1:B1)|")
    assert fresh.notes == (
        "it.xlsx: the results of 2 formulas are not in the file; open and save it in Excel or LibreOffice.",
    )


def test_a_title_and_a_source_are_no_rows_of_the_table() -> None:
    def fill(sheet: Any) -> None:
        rows(("Sales",), ("Q", "North"), ("1", "a"), ("2", "b"), ("Source: our own",))(sheet)
        sheet.merge_cells("A1:B1")

    assert text_of(fill) == "Sales\n\n|Q|North|\n|---|---|\n|1|a|\n|2|b|\n\nSource: our own"


def test_several_tables_on_a_sheet_are_kept_apart() -> None:
    def fill(sheet: Any) -> None:
        rows(("Item", "Price"), ("Soil", 1), ("Fence", 2))(sheet)
        for row, (name, role) in enumerate((("Who", "Role"), ("Ann", "boss"), ("Bob", "cook")), 1):
            sheet.cell(row, 5, name)
            sheet.cell(row, 6, role)
        for column, text in enumerate(("Year", "Sum"), 1):
            sheet.cell(6, column, text)
            sheet.cell(7, column, 2024 + column)

    assert text_of(fill).split("\n\n") == [
        "|Item|Price|\n|---|---|\n|Soil|1|\n|Fence|2|",
        "|Who|Role|\n|---|---|\n|Ann|boss|\n|Bob|cook|",
        "|Year|Sum|\n|---|---|\n|2025|2026|",
    ]


def test_a_gap_within_a_table_does_not_part_it() -> None:
    # An empty column between figures, and an empty row before the total.
    table = (("", None, "2024", None, "2025"), ("Soil", None, 1, None, 2), (), ("Total", None, 1, None, 2))
    assert text_of(rows(*table)) == "||2024|2025|\n|---|---|---|\n|Soil|1|2|\n|Total|1|2|"


def test_hidden_sheets_rows_and_columns_are_read_and_named() -> None:
    def fill(sheet: Any) -> None:
        rows(("a", "b"), ("c", "d"))(sheet)
        sheet.row_dimensions[2].hidden = True
        other = sheet.parent.create_sheet("Two")
        other.append(("e", "f"))
        other.column_dimensions["B"].hidden = True
        secret = sheet.parent.create_sheet("Three")
        secret["A1"], secret.sheet_state = "g", "veryHidden"

    document = read_xlsx(xlsx(fill))
    assert [section.place for section in document.sections] == ["One", "Two", "Three"]
    assert document.notes == (
        "it.xlsx: hidden sheets are read as well: Three",
        "it.xlsx: hidden rows or columns are read as well, on: One, Two",
    )


def test_charts_and_comments_are_named() -> None:
    def fill(sheet: Any) -> None:
        from openpyxl.chart import BarChart
        from openpyxl.comments import Comment

        def draw(on: Any) -> None:
            add: Any = BarChart
            on.add_chart(add())

        sheet["A1"] = "text"
        make: Any = Comment
        sheet["A1"].comment = make("Check this", "Ann")
        draw(sheet)
        draw(sheet.parent.create_sheet("Chart"))
        draw(sheet.parent.create_chartsheet("Whole"))

    document = read_xlsx(xlsx(fill))
    assert as_text(document) == "[sheet One]\ntext"
    assert document.notes == (
        "it.xlsx: charts and pictures are not read, on: One",
        "it.xlsx: sheets with nothing but charts or pictures are not read: Whole, Chart",
        "it.xlsx: 1 comment is left out.",
    )


def test_texts_may_stand_in_a_table_of_their_own() -> None:
    assert read_xlsx(with_shared_texts()).sections[0].text == "|a|b|a|\n|---|---|---|\n\nin parts"


def test_what_other_programs_write() -> None:
    # Cells without a place, texts in place, a reading aid, a date as text, rows out of a shared table, a prefix.
    cells = (
        '<row><c t="inlineStr"><is><r><t>in </t></r><r><t>place</t></r><rPh sb="0" eb="1"><t>aid</t></rPh></is></c>'
        '<c t="d"><v>2025-03-01T00:00:00</v></c><c t="s"><v>99</v></c><c><v>not a number</v></c></row>'
    )
    assert read_xlsx(sheet_xml(cells)).sections[0].text.startswith("|in place|2025-03-01|not a number|")
    prefixed = f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData><x:row r="3"><x:c r="B3"/><x:c r="C3"><x:v>7</x:v></x:c>'
    data = changed(xlsx(rows(("x",))), {SHEET: f"{prefixed}</x:row></x:sheetData></x:worksheet>"})
    assert read_xlsx(data).sections[0].text == "7"


def test_a_million_rows_with_a_look_and_nothing_in_them_do_not_matter() -> None:
    look = "".join(
        f'<row r="{row}" s="1"><c r="A{row}" s="1"/><c r="B{row}" s="1"></c></row>' for row in range(2, 50_000)
    )
    data = sheet_xml(
        f'<row r="1"><c r="A1"><v>1</v></c></row>{look}<row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
    )
    assert read_xlsx(data).sections[0].text == "1\n\n2"


@pytest.mark.parametrize(
    "main_type",
    [
        "application/vnd.ms-excel.sheet.macroEnabled.main+xml",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.template.main+xml",
    ],
    ids=["xlsm", "xltx"],
)
def test_templates_and_macros_are_read_whatever_their_name(main_type: str) -> None:
    import zipfile

    data = xlsx(rows(("text",)))
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        types = opened.read("[Content_Types].xml").decode()
    plain = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    other = changed(data, {"[Content_Types].xml": types.replace(plain, main_type)})
    assert as_text(read(io.BytesIO(other), "backup.old", Options())) == "[sheet One]\ntext"
    binary = "application/vnd.ms-excel.sheet.binary.macroEnabled.main"
    with pytest.raises(InputError, match="of a kind that is not read") as refused:
        read_xlsx(changed(data, {"[Content_Types].xml": types.replace(plain, binary)}))
    assert "save it as PDF" in refused.value.remedy


@pytest.mark.parametrize("missing", ["xl/workbook.xml", SHEET, "xl/_rels/workbook.xml.rels", "xl/sharedStrings.xml"])
def test_a_damaged_workbook_says_so(missing: str) -> None:
    with pytest.raises(InputError, match="is damaged"):
        read_xlsx(changed(with_shared_texts(), {missing: "<broken"}))
    if missing == SHEET:
        with pytest.raises(InputError, match="is damaged"):
            read_xlsx(changed(xlsx(rows(("x",))), {missing: None}))


def test_an_empty_workbook_says_so() -> None:
    with pytest.raises(InputError, match="has no text"):
        read_xlsx(xlsx(lambda _sheet: None))


def test_more_text_than_may_be_read_is_refused_while_it_is_read() -> None:
    texts = "".join(f'<row><c t="inlineStr"><is><t>{"x" * 90_000}</t></is></c></row>' for _row in range(100))
    with pytest.raises(InputError, match="more than 8 MB of text"):
        read_xlsx(sheet_xml(texts))


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_UNPACKED", 10**6)
    with pytest.raises(InputError, match="unpacks to more"):
        read_xlsx(sheet_xml("<row/>" * 200_000))


def test_entities_are_refused() -> None:
    bomb = f'<!DOCTYPE x [<!ENTITY a "ha">]><worksheet xmlns="{MAIN}"><sheetData/></worksheet>'
    for member in (SHEET, "xl/sharedStrings.xml", "xl/workbook.xml"):
        with pytest.raises(InputError, match="defines names of its own"):
            read_xlsx(changed(with_shared_texts(), {member: bomb}))


def test_progress_comes_sheet_by_sheet_and_reading_can_be_cancelled() -> None:
    def fill(sheet: Any) -> None:
        for number in range(4):
            sheet.parent.create_sheet(f"s{number}")["A1"] = number
        sheet["A1"] = "x"

    data = xlsx(fill)
    told = progress_until(2, lambda options: read_xlsx(data, options))
    assert told == [(done, 5, "sheet") for done in range(3)]
