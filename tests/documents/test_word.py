"""Word: what is read of a document and in which order, what is left out, and what is said of files that are damaged."""

import io
import signal

import pytest

from qwen_tui import cancellation
from qwen_tui.documents.archive import MOST_HELD
from qwen_tui.documents.document import Document, Options
from qwen_tui.documents.office.numbering import counted
from qwen_tui.documents.reading import read
from qwen_tui.errors import CancelledError, InputError
from tests.documents.office_files import NAMESPACES, changed, docx, paragraph, part
from tests.documents.zip_files import zipped

WINGDING = '<w:r><w:sym w:font="Wingdings" w:char="F0FE"/></w:r>'


def read_docx(data: bytes) -> Document:
    return read(io.BytesIO(data), "it.docx", Options())


def text_of(body: str, **parts: str) -> str:
    (section,) = read_docx(docx(body, **parts)).sections
    assert section.place == ""
    return section.text


def levels(*written: str) -> str:
    return "".join(f'<w:lvl w:ilvl="{place}">{level}</w:lvl>' for place, level in enumerate(written))


def numbering(*written: str, extra: str = "") -> str:
    """Return a part with a list, number 1, whose levels look so; `extra` goes behind."""
    return part(
        "w:numbering",
        f'<w:abstractNum w:abstractNumId="5">{levels(*written)}</w:abstractNum>'
        f'<w:num w:numId="1"><w:abstractNumId w:val="5"/></w:num>{extra}',
    )


def level(kind: str, text: str, start: int = 1) -> str:
    return f'<w:start w:val="{start}"/><w:numFmt w:val="{kind}"/><w:lvlText w:val="{text}"/>'


def item(text: str, depth: int = 0, number: int = 1, extra: str = "") -> str:
    properties = f'{extra}<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{number}"/></w:numPr>'
    return paragraph(text, properties=properties)


def table(*rows: str) -> str:
    return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in rows)}</w:tbl>"


def cell(content: str, properties: str = "") -> str:
    inner = content if content.startswith("<") else paragraph(content)
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{inner}</w:tc>"


def test_headings_have_the_level_of_their_style_or_their_outline() -> None:
    styles = part(
        "w:styles",
        '<w:style w:type="paragraph" w:styleId="1"><w:name w:val="heading 1"/></w:style>'
        '<w:style w:type="paragraph" w:styleId="own"><w:name w:val="My own"/><w:basedOn w:val="1"/></w:style>'
        '<w:style w:type="paragraph" w:styleId="deep"><w:name w:val="x"/>'
        '<w:pPr><w:outlineLvl w:val="2"/></w:pPr></w:style>'
        '<w:style w:type="paragraph" w:styleId="round"><w:name w:val="y"/><w:basedOn w:val="round"/></w:style>',
    )
    named = "".join(
        paragraph(name, properties=f'<w:pStyle w:val="{name}"/>') for name in ("1", "own", "deep", "round", "missing")
    )
    body = named + paragraph("direct", properties='<w:outlineLvl w:val="1"/>')
    assert text_of(body, styles=styles) == "# 1\n\n# own\n\n### deep\n\nround\n\nmissing\n\n## direct"


def test_lists_have_the_labels_that_a_reader_sees() -> None:
    numbers = numbering(level("decimal", "%1."), level("lowerLetter", "%2)"), level("bullet", "·"))
    body = item("one") + item("a", 1) + item("deep", 2) + item("b", 1) + item("two") + item("a again", 1)
    assert text_of(body, numbering=numbers).split("\n") == [
        "1. one",
        "   a) a",
        "      - deep",
        "   b) b",
        "2. two",
        "   a) a again",
    ]


def test_chinese_contracts_have_their_numbers() -> None:
    numbers = numbering(level("chineseCountingThousand", "第%1条"), level("decimal", "%1.%2"))
    numbers = numbers.replace('<w:lvlText w:val="%1.%2"/>', '<w:isLgl/><w:lvlText w:val="%1.%2"/>')
    heading = '<w:outlineLvl w:val="0"/>'
    body = item("总则", extra=heading) + item("范围", 1) + item("付款", extra=heading) + item("期限", 1)
    assert text_of(body, numbering=numbers) == "# 第一条 总则\n\n   1.1 范围\n\n# 第二条 付款\n\n   2.1 期限"


def test_a_list_may_begin_anew() -> None:
    again = (
        '<w:num w:numId="2"><w:abstractNumId w:val="5"/>'
        '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride></w:num>'
        '<w:num w:numId="3"><w:abstractNumId w:val="5"/></w:num>'
    )
    body = item("a") + item("b") + item("c", number=2) + item("d", number=3)
    told = text_of(body, numbering=numbering(level("decimal", "%1."), extra=again))
    assert told == "1. a\n2. b\n1. c\n2. d"


@pytest.mark.parametrize(
    ("number", "kind", "label"),
    [
        (27, "lowerLetter", "aa"),
        (1994, "upperRoman", "MCMXCIV"),
        (12, "chineseCounting", "十二"),
        (21, "chineseCountingThousand", "二十一"),
        (105, "chineseCountingThousand", "一百零五"),
        (3010, "japaneseCounting", "三千零一十"),
        (10, "ideographDigital", "一〇"),
        (12, "chineseLegalSimplified", "壹拾贰"),
        (3, "ideographTraditional", "丙"),
        (4, "decimalEnclosedCircle", "④"),
        (7, "decimalZero", "07"),
        (5, "unheard-of", "5"),
    ],
)
def test_numbers_are_counted_as_the_list_says(number: int, kind: str, label: str) -> None:
    assert counted(number, kind) == label


def test_tables_are_markdown_with_merged_cells_and_line_breaks() -> None:
    body = table(
        cell("Region", '<w:vMerge w:val="restart"/>') + cell("Sales", '<w:gridSpan w:val="2"/>'),
        cell("", "<w:vMerge/>") + cell("first|half") + cell(paragraph("second") + paragraph("half")),
        cell("North") + cell("1,200") + cell("1,300"),
    )
    assert text_of(paragraph("before") + body + paragraph("after")) == (
        "before\n\n|Region|Sales||\n|---|---|---|\n||first\\|half|second<br>half|\n|North|1,200|1,300|\n\nafter"
    )


def test_a_table_in_a_table_stands_in_its_cell() -> None:
    inner = table(cell("a") + cell("b"), cell("c") + cell("d"))
    told = text_of(table(cell("left") + cell(f"{inner}{paragraph('under')}"), cell("x") + cell("y")))
    assert told == "|left|a; b<br>c; d<br>under|\n|---|---|\n|x|y|"
    # A single cell is a frame around a text.
    assert text_of(table(cell(f"{paragraph('framed')}{inner}"))) == "framed\n\n|a|b|\n|---|---|\n|c|d|"


def test_what_was_inserted_is_in_and_what_was_deleted_is_out() -> None:
    deleted = "<w:del><w:r><w:delText>old</w:delText></w:r></w:del>"
    body = (
        paragraph("The ", deleted, "<w:ins><w:r><w:t>new</w:t></w:r></w:ins>", " rule")
        # The end of this paragraph was deleted: it goes on in the next.
        + paragraph("joined ", properties="<w:rPr><w:del/></w:rPr>")
        + paragraph("together")
        + paragraph("<w:moveFrom><w:r><w:t>moved</w:t></w:r></w:moveFrom>")
        + table(cell("kept") + cell("1"), "<w:trPr><w:del/></w:trPr>" + cell("gone") + cell("2"), cell("c") + cell("3"))
        + paragraph("<w:moveTo><w:r><w:t>moved</w:t></w:r></w:moveTo>")
        + paragraph("last", properties="<w:rPr><w:del/></w:rPr>")
    )
    document = read_docx(docx(body))
    assert document.sections[0].text == (
        "The new rule\n\njoined together\n\n|kept|1|\n|---|---|\n|c|3|\n\nmoved\n\nlast"
    )
    assert document.notes == ("it.docx has tracked changes; it was read as if all of them were accepted.",)


def test_footnotes_stand_behind_the_paragraph_that_has_them() -> None:
    notes = part("w:footnotes", f'<w:footnote w:id="7">{paragraph("See page 3.")}{paragraph("And 4.")}</w:footnote>')
    ends = part("w:endnotes", f'<w:endnote w:id="2">{paragraph("At the end.")}</w:endnote>')
    reference = '<w:r><w:footnoteReference w:id="7"/></w:r>'
    body = paragraph("A claim", reference, ".") + paragraph("Next", '<w:r><w:endnoteReference w:id="2"/></w:r>')
    assert text_of(body, footnotes=notes, endnotes=ends) == (
        "A claim[^1].\n\n[^1]: See page 3. And 4.\n\nNext[^i]\n\n[^i]: At the end."
    )
    # A note cannot stand within a table: it comes after it.
    inside = text_of(table(cell(paragraph("x", reference)) + cell("y"), cell("1") + cell("2")), footnotes=notes)
    assert inside == "|x[^1]|y|\n|---|---|\n|1|2|\n\n[^1]: See page 3. And 4."


def test_fields_give_their_result_and_links_their_text() -> None:
    def field(kind: str) -> str:
        return f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>'

    instruction = "<w:r><w:instrText>HYPERLINK x</w:instrText></w:r>"
    link = '<w:hyperlink r:id="x"><w:r><w:t>a link</w:t></w:r></w:hyperlink>'
    inner = f"{field('begin')}{instruction}{field('separate')}<w:r><w:t>hidden</w:t></w:r>{field('end')}"
    result = f"{field('separate')}<w:r><w:t>shown</w:t></w:r>{field('end')}"
    assert text_of(paragraph(link, f"{field('begin')}{inner}{result}")) == "a linkshown"
    # A field without an end hides nothing of what follows.
    assert text_of(paragraph(field("begin"), "a") + paragraph(f"{inner}")) == "a\n\nhidden"


def test_text_boxes_come_once_and_after_their_paragraph() -> None:
    content = f"<w:txbxContent>{paragraph('In the box')}</w:txbxContent>"
    both = (
        f"<w:r><mc:AlternateContent><mc:Choice><w:drawing><wps:txbx>{content}</wps:txbx></w:drawing></mc:Choice>"
        f"<mc:Fallback><w:pict><v:textbox>{content}</v:textbox></w:pict></mc:Fallback></mc:AlternateContent></w:r>"
    )
    assert text_of(paragraph("Beside it", both)) == "Beside it\n\nIn the box"
    old = f"<w:r><w:pict><v:textbox>{content}</v:textbox></w:pict></w:r>"
    assert text_of(paragraph(old)) == "In the box"


def test_pictures_are_counted_and_their_description_is_read() -> None:
    def picture(told: str = "") -> str:
        return f'<w:r><w:drawing><wp:docPr descr="{told}"/><a:blip/></w:drawing></w:r>'

    document = read_docx(docx(paragraph("A", picture("The yard in May")) + paragraph(picture())))
    assert document.sections[0].text == "A[picture: The yard in May]"
    assert document.notes == ("it.docx: 2 pictures are not read.",)


def test_equations_are_latex() -> None:
    def run(text: str) -> str:
        return f"<m:r><m:t>{text}</m:t></m:r>"

    root = (
        f'<m:rad><m:radPr><m:degHide m:val="1"/></m:radPr><m:deg/><m:e><m:sSup><m:e>{run("b")}</m:e>'
        f"<m:sup>{run('2')}</m:sup></m:sSup>{run('-4ac')}</m:e></m:rad>"
    )
    fraction = f"<m:f><m:num>{run('-b±')}{root}</m:num><m:den>{run('2a')}</m:den></m:f>"
    assert text_of(paragraph(f"<m:oMathPara><m:oMath>{run('x=')}{fraction}</m:oMath></m:oMathPara>")) == (
        r"$x=\frac{-b±\sqrt{{b}^{2}-4ac}}{2a}$"
    )
    total = (
        f'<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub>{run("i=1")}</m:sub><m:sup>{run("n")}</m:sup>'
        f"<m:e><m:d><m:e>{run('i')}</m:e></m:d></m:e></m:nary>"
    )
    assert text_of(paragraph("Sum ", f"<m:oMath>{total}</m:oMath>")) == r"Sum $\sum_{i=1}^{n} \left( i \right)$"
    old = '<w:r><w:object><v:imagedata/><o:OLEObject ProgID="Equation.3"/></w:object></w:r>'
    assert read_docx(docx(paragraph("x", old))).notes == ("it.docx: 1 equation is not read.",)


def test_charts_are_tables_of_their_values() -> None:
    def points(*texts: str) -> str:
        return "".join(f'<c:pt idx="{place}"><c:v>{text}</c:v></c:pt>' for place, text in enumerate(texts))

    series = (
        f"<c:ser><c:tx><c:strRef><c:strCache>{points('Sales')}</c:strCache></c:strRef></c:tx>"
        f"<c:cat><c:strRef><c:strCache>{points('Q1', 'Q2')}</c:strCache></c:strRef></c:cat>"
        f"<c:val><c:numRef><c:numCache>{points('0.10000000000000001', '12')}</c:numCache></c:numRef></c:val></c:ser>"
    )
    title = "<c:title><c:tx><c:rich><a:p><a:r><a:t>By quarter</a:t></a:r></a:p></c:rich></c:tx></c:title>"
    chart = part(
        "c:chartSpace", f"<c:chart>{title}<c:plotArea><c:barChart>{series}</c:barChart></c:plotArea></c:chart>"
    )
    body = paragraph("See:", '<w:r><w:drawing><c:chart r:id="chart1"/></w:drawing></w:r>')
    assert text_of(body, chart1=chart) == "See:\n\nBy quarter\n\n||Sales|\n|---|---|\n|Q1|0.1|\n|Q2|12|"


def test_hidden_text_is_left_out_and_said() -> None:
    styles = part(
        "w:styles",
        '<w:style w:type="character" w:styleId="h"><w:name w:val="h"/><w:rPr><w:vanish/></w:rPr></w:style>',
    )
    hidden = "<w:r><w:rPr><w:vanish/></w:rPr><w:t>direct</w:t></w:r>"
    by_style = '<w:r><w:rPr><w:rStyle w:val="h"/></w:rPr><w:t>by style</w:t></w:r>'
    shown = '<w:r><w:rPr><w:rStyle w:val="h"/><w:vanish w:val="0"/></w:rPr><w:t>shown</w:t></w:r>'
    document = read_docx(docx(paragraph("a", hidden, by_style, shown), styles=styles))
    assert document.sections[0].text == "ashown"
    assert document.notes == ("it.docx: hidden text is left out.",)


def test_the_head_of_the_pages_comes_once_and_page_numbers_do_not() -> None:
    section = '<w:sectPr><w:headerReference w:type="{}" r:id="header1"/><w:footerReference r:id="footer1"/></w:sectPr>'
    body = paragraph("Text", properties=section.format("default")) + paragraph("More") + section.format("default")
    head, foot = part("w:hdr", paragraph("City council")), part("w:ftr", paragraph("Page 3 of 10"))
    assert text_of(body, header1=head, footer1=foot) == "City council\n\nText\n\nMore"
    # Only a document that says so shows another head on its first page.
    assert text_of(paragraph("Text") + section.format("first"), header1=head, footer1=foot) == "Text"


def test_small_things_in_a_line() -> None:
    reading, base = (f"<w:r><w:t>{text}</w:t></w:r>" for text in ("かんじ", "漢字"))
    ruby = f"<w:r><w:ruby><w:rt>{reading}</w:rt><w:rubyBase>{base}</w:rubyBase></w:ruby></w:r>"
    control = "<w:sdt><w:sdtPr><w:text/></w:sdtPr><w:sdtContent><w:r><w:t>field</w:t></w:r></w:sdtContent></w:sdt>"
    broken = "<w:r><w:t>a</w:t><w:br/><w:t>b</w:t><w:noBreakHyphen/><w:t>c</w:t><w:tab/><w:t>d</w:t></w:r>"
    assert (
        text_of(paragraph(broken) + paragraph(WINGDING, " done ", ruby, control))
        == "a\nb-c\td\n\n☑ done 漢字(かんじ)field"
    )


@pytest.mark.parametrize(
    "main_type",
    [
        "application/vnd.ms-word.document.macroEnabled.main+xml",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml",
        "application/vnd.ms-word.template.macroEnabledTemplate.main+xml",
    ],
    ids=["docm", "dotx", "dotm"],
)
def test_templates_and_documents_with_macros_are_read_whatever_their_name(main_type: str) -> None:
    data = docx(paragraph("text"), main_type)
    assert read(io.BytesIO(data), "backup.old", Options()).sections[0].text == "text"


def test_the_strict_dialect_is_read() -> None:
    plain = docx(paragraph("text"))
    members = {"word/document.xml": f"<w:document {NAMESPACES}><w:body>{paragraph('text')}</w:body></w:document>"}
    strict = {
        name: xml.replace(
            "http://schemas.openxmlformats.org/wordprocessingml/2006/", "http://purl.oclc.org/ooxml/wordprocessingml/"
        )
        for name, xml in members.items()
    }
    relation = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="a" '
        'Type="http://purl.oclc.org/ooxml/officeDocument/relationships/officeDocument" Target="/word/document.xml"/>'
        "</Relationships>"
    )
    assert read_docx(changed(plain, {**strict, "_rels/.rels": relation})).sections[0].text == "text"


def test_a_relation_to_a_missing_part_does_not_matter() -> None:
    data = docx(paragraph("text"), image1="")
    assert read_docx(changed(data, {"word/image1.xml": None})).sections[0].text == "text"


DAMAGED = {
    "no main part": changed(docx(paragraph("x")), {"word/document.xml": None}),
    "no relations": changed(docx(paragraph("x")), {"_rels/.rels": None}),
    "broken XML": changed(docx(paragraph("x")), {"word/document.xml": f"<w:document {NAMESPACES}><w:body>"}),
    "broken styles": docx(paragraph("x"), styles="no XML"),
    "another root": changed(docx(paragraph("x")), {"word/document.xml": "<html/>"}),
    "very deep": docx("<w:sdt>" * 2000 + "</w:sdt>" * 2000),
    "no types": zipped({"[Content_Types].xml": "<Types>"}),
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_document_says_so(data: bytes) -> None:
    with pytest.raises(InputError, match="is damaged") as refused:
        read_docx(data)
    assert refused.value.remedy


def test_an_empty_document_says_so() -> None:
    with pytest.raises(InputError, match="has no text"):
        read_docx(docx(paragraph()))


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = docx(paragraph("0" * (MOST_HELD + 1)))
    assert len(bomb) < 10**6
    with pytest.raises(InputError, match="unpacks to more than can be read"):
        read_docx(bomb)
    # Pictures are never unpacked.
    assert read_docx(changed(docx(paragraph("x")), {"word/media/a.png": b"0" * (MOST_HELD + 1)})).sections


def test_entities_are_refused() -> None:
    bomb = (
        '<!DOCTYPE x [<!ENTITY a "ha">]>' + f"<w:document {NAMESPACES}><w:body>{paragraph('&a;')}</w:body></w:document>"
    )
    with pytest.raises(InputError, match="defines names of its own"):
        read_docx(changed(docx(""), {"word/document.xml": bomb}))


def test_a_large_document_can_be_cancelled() -> None:
    data = docx(paragraph("text") * 1000)
    with cancellation.operation() as running, pytest.raises(CancelledError):
        running.cancel(signal.SIGINT)
        read_docx(data)
