"""Makes the Office files of tests/documents/corpus with real programs, and for each its words, in order.

    pip install -e '.[test]' msoffcrypto-tool
    apt install libreoffice-writer-nogui libreoffice-calc-nogui libreoffice-impress-nogui
    python scripts/documents/office_corpus.py

python-docx, python-pptx and openpyxl write the English files. LibreOffice writes the Chinese ones, those of before
2007, and what a document in its own format becomes. The tests need only what lies in the folder.
"""

import datetime
import io
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.command_line import command_line
from scripts.documents.pdf_corpus import CHINESE, CORPUS, COSTS, ENGLISH, TITLE

PASSWORD = "garden"
CM = 360_000
POINTS = {
    "Where we are": ("The survey is finished", "The soil was examined twice", "Two offers have come in"),
    "What comes next": ("The council decides in May", "Work begins in October", "The gates open at midsummer"),
}
POINTS_ZH = {
    "目前的情况": ("调查已经完成", "土壤检测了两次", "收到两份报价"),
    "下一步": ("区里五月作出决定", "十月开工", "仲夏开放大门"),
}
NOTE, NOTE_ZH = "Thank the volunteers by name.", "请逐一感谢志愿者。"
COSTS_ZH = (("项目", "第一年", "第二年", "承担方"), ("土壤", "190,000", "50,000", "基金"))
COSTS_ZH += (
    ("围栏", "42,000", "0", "区里"),
    ("照明", "18,500", "21,000", "区里"),
    ("园丁", "60,000", "62,000", "植物学会"),
)
VISITORS = (("January", 120), ("February", 95), ("March", 310), ("April", 505))
# A document in LibreOffice's own format, with what only a word processor has.
FLAT = """<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0"
 xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"
 xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0" office:version="1.3"
 office:mimetype="application/vnd.oasis.opendocument.text">
<office:automatic-styles><text:list-style style:name="L">
<text:list-level-style-number text:level="1" style:num-format="1" style:num-suffix="."/>
<text:list-level-style-number text:level="2" style:num-format="a" style:num-suffix=")"/></text:list-style>
<style:page-layout style:name="pl"><style:header-style/><style:footer-style/></style:page-layout>
</office:automatic-styles>
<office:master-styles><style:master-page style:name="Standard" style:page-layout-name="pl"><style:header>
<text:p>{head}</text:p></style:header><style:footer><text:p>{page} <text:page-number/></text:p></style:footer>
</style:master-page></office:master-styles>
<office:body><office:text><text:tracked-changes><text:changed-region text:id="c1"><text:deletion><office:change-info>
<dc:creator>Ann</dc:creator><dc:date>2025-03-01T10:00:00</dc:date></office:change-info><text:p>{deleted}</text:p>
</text:deletion></text:changed-region></text:tracked-changes>{body}</office:text></office:body></office:document>
"""


def flat(sections: tuple[tuple[str, ...], ...], costs: tuple[tuple[str, ...], ...], words: dict[str, str]) -> str:
    """Return a document of LibreOffice with these sections, a list, a table, a note, a text box and a change."""
    (heading, first, second), *rest = sections
    note = (
        '<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation><text:note-body>'
        f"<text:p>{words['note']}</text:p></text:note-body></text:note>"
    )
    box = (
        '<draw:frame text:anchor-type="paragraph" svg:width="5cm" svg:height="2cm"><draw:text-box>'
        f"<text:p>{words['box']}</text:p></draw:text-box></draw:frame>"
    )
    parts = [f'<text:h text:outline-level="1">{heading}</text:h>', f"<text:p>{first}{note}</text:p>"]
    parts += [
        f'<text:p>{second}<text:change text:change-id="c1"/></text:p>',
        f"<text:p>{box}{words['beside']}</text:p>",
    ]
    items = [
        f"<text:list-item><text:p>{item}</text:p>"
        f"<text:list><text:list-item><text:p>{below}</text:p></text:list-item></text:list></text:list-item>"
        for item, below in zip(words["items"].split("|"), words["below"].split("|"), strict=True)
    ]
    parts.append(f'<text:list text:style-name="L">{"".join(items)}</text:list>')
    rows = "".join(
        f"<table:table-row>{''.join(f'<table:table-cell><text:p>{cell}</text:p></table:table-cell>' for cell in row)}"
        "</table:table-row>"
        for row in costs
    )
    wide = f'<table:table-cell table:number-columns-spanned="4"><text:p>{words["wide"]}</text:p></table:table-cell>'
    covered = "<table:covered-table-cell/>" * 3
    parts.append(
        f'<table:table><table:table-column table:number-columns-repeated="4"/>{rows}'
        f"<table:table-row>{wide}{covered}</table:table-row></table:table>"
    )
    for name, *texts in rest:
        parts += [f'<text:h text:outline-level="2">{name}</text:h>', *(f"<text:p>{text}</text:p>" for text in texts)]
    return FLAT.format(body="".join(parts), **{key: words[key] for key in ("head", "page", "deleted")})


def flat_words(sections: tuple[tuple[str, ...], ...], costs: tuple[tuple[str, ...], ...], words: dict[str, str]) -> str:
    """Return what a person reads in it."""
    (heading, first, second), *rest = sections
    lines = [words["head"], heading, first, words["note"], second, words["beside"], words["box"]]
    for number, (item, below) in enumerate(zip(words["items"].split("|"), words["below"].split("|"), strict=True), 1):
        lines += [f"{number} {item}", f"a {below}"]
    lines += [*(" ".join(row) for row in costs), words["wide"]]
    return "\n".join([*lines, *(text for section in rest for text in section)]) + "\n"


EXTRA = {
    "head": "Garden committee, report of the year",
    "page": "Page",
    "deleted": "This sentence was taken out before the vote.",
    "note": "The survey was repeated in autumn, with the same result.",
    "box": "Orchids are protected: nobody may pick them.",
    "beside": "Visitors are asked to stay on the walkways.",
    "items": "Remove the soil|Plant the northern half",
    "below": "at night, because of the dust|by hand",
    "wide": "All sums are estimates",
}
EXTRA_ZH = {
    "head": "花园委员会年度报告",
    "page": "页码",
    "deleted": "这句话在表决前被删去了。",
    "note": "秋天又做了一次调查，结果相同。",
    "box": "兰花受到保护，任何人不得采摘。",
    "beside": "请游客不要离开木栈道。",
    "items": "清除受污染的土壤|种植北半部分",
    "below": "夜间进行，以免扬尘|全部用手工",
    "wide": "所有金额均为估算",
}


def document(path: Path) -> str:
    """Write a Word document with python-docx, and return its words."""
    import docx

    made = docx.Document()
    made.add_heading(TITLE, 0)
    lines = [TITLE]
    for heading, *texts in ENGLISH[:2]:
        made.add_heading(heading, 1)
        lines += [heading, *texts]
        for text in texts:
            made.add_paragraph(text)
    for style, texts in (("List Bullet", POINTS["Where we are"]), ("List Number", POINTS["What comes next"])):
        for number, text in enumerate(texts, 1):
            made.add_paragraph(text, style=style)
            lines.append(f"{number} {text}" if style == "List Number" else text)
    table = made.add_table(len(COSTS), 4)
    for row, texts in zip(table.rows, COSTS, strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    lines += [" ".join(row) for row in COSTS]
    for heading, *texts in ENGLISH[2:]:
        made.add_heading(heading, 2)
        lines += [heading, *texts]
        for text in texts:
            made.add_paragraph(text)
    made.save(str(path))
    return "\n".join([*lines, ""])


def presentation(path: Path, points: dict[str, tuple[str, ...]], costs: tuple[tuple[str, ...], ...], note: str) -> str:
    """Write a presentation with python-pptx, and return its words."""
    from pptx import Presentation
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE

    untyped: Any = CategoryChartData
    made: Any = Presentation()
    lines: list[str] = []
    for title, texts in points.items():
        slide = made.slides.add_slide(made.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text_frame.text = "\n".join(texts)
        lines += [title, *texts]
    slide.notes_slide.notes_text_frame.text = note
    lines += ["notes", note]
    slide = made.slides.add_slide(made.slide_layouts[3])
    slide.shapes.title.text = costs[0][0]
    left, right = (" ".join(row) for row in costs[1:3])
    slide.placeholders[2].text_frame.text = right
    slide.placeholders[1].text_frame.text = left
    lines += [costs[0][0], left, right]
    slide = made.slides.add_slide(made.slide_layouts[6])
    table = slide.shapes.add_table(len(costs), 4, CM, CM, 20 * CM, 6 * CM).table
    for row, texts in enumerate(costs):
        for column, text in enumerate(texts):
            table.cell(row, column).text = text
    slide = made.slides.add_slide(made.slide_layouts[6])
    data = untyped()
    data.categories = [month for month, _count in VISITORS]
    data.add_series("Visitors", [count for _month, count in VISITORS])
    slide.shapes.add_chart(XL_CHART_TYPE.LINE, CM, CM, 20 * CM, 12 * CM, data)
    lines += [*(" ".join(row) for row in costs), "Visitors", *(f"{month} {count}" for month, count in VISITORS)]
    made.save(str(path))
    return "\n".join([*lines, ""])


def workbook(path: Path, costs: tuple[tuple[str, ...], ...], names: tuple[str, str], total: str) -> str:
    """Write a workbook with openpyxl, and return its words; `=SUM` stands for what only another program computes."""
    import openpyxl

    made: Any = openpyxl.Workbook()
    sheet = made.active
    sheet.title = names[0]
    sheet["A1"] = names[0]
    sheet.merge_cells("A1:D1")
    lines = [names[0], " ".join(costs[0])]
    for column, text in enumerate(costs[0], 1):
        sheet.cell(3, column, text)
    for row, (item, first, second, who) in enumerate(costs[1:], 4):
        values = [int(text.replace(",", "")) for text in (first, second)]
        for column, value in enumerate((item, *values, who), 1):
            sheet.cell(row, column, value).number_format = "#,##0"
        lines.append(f"{item} {first} {second} {who}")
    last = len(costs) + 3
    sheet.cell(last, 1, total)
    for column, letter in enumerate("BC", 2):
        sheet.cell(last, column, f"=SUM({letter}4:{letter}{last - 1})").number_format = "#,##0"
    lines.append(f"{total} =SUM(B4:B{last - 1}) =SUM(C4:C{last - 1})")
    dates = made.create_sheet(names[1])
    for row, (month, count) in enumerate(VISITORS, 1):
        dates.cell(row, 1, datetime.date(2025, row, 9)).number_format = (
            'yyyy"年"m"月"d"日"' if total != "Total" else "d mmm yyyy"
        )
        dates.cell(row, 2, count)
        dates.cell(row, 3, count / 1000).number_format = "0.0%"
        dates.cell(row, 4, month)
        day = f"2025年{row}月9日" if total != "Total" else f"9 {month[:3]} 2025"
        lines.append(f"{day} {count} {count / 10:.1f}% {month}")
    hidden = made.create_sheet("Notes")
    hidden["B2"] = EXTRA["note"]
    hidden.sheet_state = "hidden"
    made.save(str(path))
    return "\n".join([*lines, EXTRA["note"], ""])


def converted(source: Path, ending: str, into: Path) -> None:
    """Let LibreOffice open a file and save it in another format."""
    with tempfile.TemporaryDirectory() as folder:
        profile = f"-env:UserInstallation=file://{folder}/profile"
        command = ["soffice", profile, "--headless", "--convert-to", ending, "--outdir", folder, str(source)]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        into.write_bytes((Path(folder) / f"{source.stem}.{ending.partition(':')[0]}").read_bytes())


def locked(data: bytes) -> bytes:
    """Return a document of Office that a password protects."""
    from msoffcrypto.format.ooxml import OOXMLFile  # type: ignore[import-not-found]

    stream = io.BytesIO()
    OOXMLFile(io.BytesIO(data)).encrypt(PASSWORD, stream)
    return stream.getvalue()


def main() -> None:
    """Make all files."""
    command_line(__doc__).parse_args()
    made: list[tuple[str, Callable[[Path], str]]] = [
        ("plan-en.docx", document),
        ("talk-en.pptx", lambda path: presentation(path, POINTS, COSTS, NOTE)),
        ("budget-en.xlsx", lambda path: workbook(path, COSTS, ("Costs", "Visits"), "Total")),
    ]
    for name, make in made:
        words = make(CORPUS / name)
        (CORPUS / name).with_suffix(".txt").write_text(words, encoding="utf-8")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, sections, costs, words_of in (
            ("minutes-en", ENGLISH[:3], COSTS, EXTRA),
            ("minutes-zh", CHINESE, COSTS_ZH, EXTRA_ZH),
        ):
            source = folder / f"{name}.fodt"
            source.write_text(flat(sections, costs, words_of), encoding="utf-8")
            converted(source, "docx:MS Word 2007 XML", CORPUS / f"{name}.docx")
            (CORPUS / f"{name}.txt").write_text(flat_words(sections, costs, words_of), encoding="utf-8")
        # LibreOffice computes the formulas, which openpyxl cannot.
        words = workbook(folder / "budget-zh.xlsx", COSTS_ZH, ("费用", "访客"), "合计")
        converted(folder / "budget-zh.xlsx", "ods", folder / "budget-zh.ods")
        converted(folder / "budget-zh.ods", "xlsx:Calc MS Excel 2007 XML", CORPUS / "budget-zh.xlsx")
        words = words.replace("=SUM(B4:B7)", "310,500").replace("=SUM(C4:C7)", "133,000")
        (CORPUS / "budget-zh.txt").write_text(words, encoding="utf-8")
        words = presentation(folder / "talk-zh.pptx", POINTS_ZH, COSTS_ZH, NOTE_ZH)
        converted(folder / "talk-zh.pptx", "odp", folder / "talk-zh.odp")
        converted(folder / "talk-zh.odp", "pptx:Impress MS PowerPoint 2007 XML", CORPUS / "talk-zh.pptx")
        (CORPUS / "talk-zh.txt").write_text(words, encoding="utf-8")
        # A .ppt of LibreOffice takes 450 kB, however little it says.
        for name, ending in (("minutes-zh.docx", "doc"), ("budget-zh.xlsx", "xls")):
            converted(CORPUS / name, ending, CORPUS / f"old.{ending}")
    (CORPUS / "locked.docx").write_bytes(locked((CORPUS / "plan-en.docx").read_bytes()))


if __name__ == "__main__":
    main()
