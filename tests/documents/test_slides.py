"""Presentations: what is read of a slide and in which order, what is said of what is not read."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from qwen_tui.documents.document import Document, Options, as_text
from qwen_tui.documents.reading import read
from qwen_tui.errors import InputError
from tests.documents.cancelling import progress_until
from tests.documents.office_files import changed

CM = 360_000


def read_pptx(data: bytes, options: Options | None = None) -> Document:
    return read(io.BytesIO(data), "it.pptx", options or Options())


def pptx(*draw: Callable[[Any], None], layout: int = 6) -> bytes:
    """Return a presentation with a slide for each function; layout 6 is empty."""
    from pptx import Presentation

    presentation = Presentation()
    for one in draw:
        one(presentation.slides.add_slide(presentation.slide_layouts[layout]))
    stream = io.BytesIO()
    presentation.save(stream)
    return stream.getvalue()


def text_of(draw: Callable[[Any], None], layout: int = 6) -> str:
    (section,) = read_pptx(pptx(draw, layout=layout)).sections
    return section.text


def box(slide: Any, text: str, left: float, top: float, width: float = 8, height: float = 2) -> Any:
    """Draw a text box; lengths are centimetres."""
    shape = slide.shapes.add_textbox(*(round(length * CM) for length in (left, top, width, height)))
    shape.text_frame.text = text
    return shape


def test_each_slide_has_its_number_its_title_and_its_list() -> None:
    def first(slide: Any) -> None:
        slide.shapes.title.text = "Where we\vare"
        frame = slide.placeholders[1].text_frame
        frame.text = "Sales grew"
        deeper = frame.add_paragraph()
        deeper.text, deeper.level = "in the north", 1

    def second(slide: Any) -> None:
        slide.shapes.title.text = "下一步"
        slide.placeholders[1].text_frame.text = "招聘"

    document = read_pptx(pptx(first, second, layout=1))
    assert as_text(document) == (
        "[slide 1]\n# Where we are\n\n- Sales grew\n   - in the north\n\n[slide 2]\n# 下一步\n\n- 招聘"
    )
    assert document.notes == ()


def test_shapes_come_from_top_to_bottom_however_they_were_drawn() -> None:
    def draw(slide: Any) -> None:
        box(slide, "third", 2, 12)
        box(slide, "second", 12, 1)
        box(slide, "first", 2, 1)

    assert text_of(draw) == "first\n\nsecond\n\nthird"


def test_columns_are_read_one_after_the_other() -> None:
    def draw(slide: Any) -> None:
        box(slide, "For", 1, 4, 10, 1)
        box(slide, "Against", 13, 4, 10, 1)
        box(slide, "cheap", 1, 5, 10, 8)
        box(slide, "slow", 13, 5, 10, 8)
        box(slide, "A line over both", 1, 1, 22, 2)

    assert text_of(draw).split("\n\n") == ["A line over both", "For", "cheap", "Against", "slow"]


def test_a_comparison_by_its_layout_is_read_side_by_side() -> None:
    def draw(slide: Any) -> None:
        for place, text in ((4, "slow"), (3, "Against"), (2, "cheap"), (1, "For"), (0, "Two ways")):
            slide.placeholders[place].text_frame.text = text

    assert text_of(draw, layout=4).split("\n\n") == ["# Two ways", "- For", "- cheap", "- Against", "- slow"]


def test_groups_are_read_as_one() -> None:
    def draw(slide: Any) -> None:
        box(slide, "under the group", 1, 10)
        group = slide.shapes.add_group_shape()
        for text, top in (("b", 4), ("a", 2)):
            shape = group.shapes.add_textbox(2 * CM, top * CM, 5 * CM, CM)
            shape.text_frame.text = text
        inner = group.shapes.add_group_shape().shapes.add_textbox(2 * CM, 6 * CM, 5 * CM, CM)
        inner.text_frame.text = "c"

    assert text_of(draw) == "a\n\nb\n\nc\n\nunder the group"


def test_tables_are_markdown_with_merged_cells() -> None:
    def draw(slide: Any) -> None:
        table = slide.shapes.add_table(3, 3, 0, 0, 9 * CM, 3 * CM).table
        rows = (("Team", "Budget", ""), ("", "2024", "2025"), ("A|B", "1\n2", "3"))
        for row, texts in enumerate(rows):
            for column, text in enumerate(texts):
                table.cell(row, column).text = text
        table.cell(0, 1).merge(table.cell(0, 2))
        table.cell(0, 0).merge(table.cell(1, 0))

    assert text_of(draw) == "|Team|Budget||\n|---|---|---|\n||2024|2025|\n|A\\|B|1<br>2|3|"


def test_charts_are_tables_of_their_values() -> None:
    def draw(slide: Any) -> None:
        from pptx.chart.data import CategoryChartData
        from pptx.enum.chart import XL_CHART_TYPE

        untyped: Any = CategoryChartData
        data = untyped()
        data.categories = ["East", "West"]
        data.add_series("2024", (1.1, 20))
        data.add_series("2025", (2, None))
        chart = slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, 9 * CM, 9 * CM, data).chart
        chart.has_title = True
        chart.chart_title.text_frame.text = "Sales"

    assert text_of(draw) == "Sales\n\n||2024|2025|\n|---|---|---|\n|East|1.1|2|\n|West|20||"


def test_the_notes_of_the_speaker_are_marked() -> None:
    def draw(slide: Any) -> None:
        box(slide, "Shown", 1, 1)
        slide.notes_slide.notes_text_frame.text = "Say thanks."

    assert text_of(draw) == "Shown\n\n[notes]\nSay thanks."


def test_numbered_paragraphs_have_their_numbers() -> None:
    def draw(slide: Any) -> None:
        frame = box(slide, "", 1, 1).text_frame
        for place, (text, kind) in enumerate(
            (("one", "arabicPeriod"), ("two", "arabicPeriod"), ("甲", "ea1ChsPeriod"))
        ):
            paragraph = frame.paragraphs[0] if place == 0 else frame.add_paragraph()
            paragraph.text = text
            mark = paragraph._p.get_or_add_pPr().makeelement(
                "{http://schemas.openxmlformats.org/drawingml/2006/main}buAutoNum", {"type": kind}
            )
            paragraph._p.get_or_add_pPr().append(mark)

    assert text_of(draw) == "1. one\n2. two\n三. 甲"


def test_hidden_slides_are_read_and_named_and_hidden_shapes_are_not() -> None:
    def first(slide: Any) -> None:
        box(slide, "shown", 1, 1)
        box(slide, "secret", 1, 5)._element.nvSpPr.cNvPr.set("hidden", "1")

    def second(slide: Any) -> None:
        box(slide, "backup", 1, 1)
        slide._element.set("show", "0")

    document = read_pptx(pptx(first, second))
    assert as_text(document) == "[slide 1]\nshown\n\n[slide 2]\nbackup"
    assert document.notes == ("it.pptx: hidden text is left out.", "it.pptx: slide 2 is hidden; it is read as well.")


def test_pictures_are_counted_and_slides_of_pictures_named() -> None:
    from PIL import Image

    picture = io.BytesIO()
    Image.new("RGB", (9, 9)).save(picture, "PNG")

    def only_a_picture(slide: Any) -> None:
        slide.shapes.add_picture(picture, 0, 0)

    def described(slide: Any) -> None:
        slide.shapes.add_picture(picture, 0, 0)._element.nvPicPr.cNvPr.set("descr", "A map of the yard")

    document = read_pptx(pptx(only_a_picture, described, only_a_picture))
    assert as_text(document) == "[slide 2]\n[picture: A map of the yard]"
    assert document.notes == (
        "it.pptx: 3 pictures are not read.",
        "it.pptx: slides 1, 3 have no text, only pictures.",
    )
    with pytest.raises(InputError, match="has no text"):
        read_pptx(pptx(only_a_picture))


def test_slide_numbers_are_left_out_and_a_foot_comes_once() -> None:
    def draw(slide: Any) -> None:
        for text, kind in (("12", "sldNum"), ("1.1.2025", "dt"), ("For members only", "ftr")):
            shape = box(slide, text, 1, 15)
            place = shape._element.nvSpPr.nvPr
            place.append(
                place.makeelement(
                    "{http://schemas.openxmlformats.org/presentationml/2006/main}ph", {"type": kind, "idx": "99"}
                )
            )
        box(slide, "Text", 1, 1)

    assert as_text(read_pptx(pptx(draw, draw))) == "[slide 1]\nText\n\nFor members only\n\n[slide 2]\nText"


@pytest.mark.parametrize(
    "main_type",
    [
        "application/vnd.openxmlformats-officedocument.presentationml.slideshow.main+xml",
        "application/vnd.openxmlformats-officedocument.presentationml.template.main+xml",
        "application/vnd.ms-powerpoint.presentation.macroEnabled.main+xml",
    ],
    ids=["ppsx", "potx", "pptm"],
)
def test_shows_templates_and_macros_are_read_whatever_their_name(main_type: str) -> None:
    import zipfile

    data = pptx(lambda slide: box(slide, "text", 1, 1) and None)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        types = archive.read("[Content_Types].xml").decode()
    plain = "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"
    other = changed(data, {"[Content_Types].xml": types.replace(plain, main_type)})
    assert as_text(read(io.BytesIO(other), "backup.old", Options())) == "[slide 1]\ntext"


@pytest.mark.parametrize("missing", ["ppt/presentation.xml", "ppt/slides/slide1.xml"])
def test_a_damaged_presentation_says_so(missing: str) -> None:
    data = pptx(lambda slide: box(slide, "text", 1, 1) and None)
    for content in (None, "<broken"):
        with pytest.raises(InputError, match="is damaged"):
            read_pptx(changed(data, {missing: content}))


def test_relations_that_the_library_refuses_are_damage() -> None:
    relations = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
    without_type = relations.format('<Relationship Id="rId1" Target="ppt/presentation.xml"/>')
    with pytest.raises(InputError, match="is damaged"):
        read_pptx(changed(pptx(lambda slide: box(slide, "text", 1, 1) and None), {"_rels/.rels": without_type}))


def test_a_missing_slide_is_left_out_and_named() -> None:
    data = pptx(*[lambda slide: box(slide, "text", 1, 1) and None] * 2)
    document = read_pptx(changed(data, {"ppt/slides/slide1.xml": None}))
    assert as_text(document) == "[slide 2]\ntext"
    assert document.notes == ("it.pptx: slide 1 could not be read and is left out.",)


def test_progress_comes_slide_by_slide_and_reading_can_be_cancelled() -> None:
    data = pptx(*[lambda slide: box(slide, "text", 1, 1) and None] * 9)
    told = progress_until(4, lambda options: read_pptx(data, options))
    assert told == [(done, 9, "slide") for done in range(5)]
