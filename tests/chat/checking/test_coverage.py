"""What is said of how much of a material was read."""

import pytest

from qwen_tui import i18n
from qwen_tui.chat.checking.coverage import coverage
from qwen_tui.messages import FitWay, Given, Material, Question

PAGES = Material("a.pdf", "\n\n".join(f"[p. {n}]\nPage {n}." for n in range(1, 22)))
SLIDES = Material("b.pptx", "[slide 4]\nOne.\n\n[…]\n\n[slide 9]\nTwo.")
SHEETS = Material("c.xlsx", "[sheet Costs]\n| a |")
NOTES = Material("notes.md", "# Notes")


def said(way: FitWay, given: tuple[Material, ...], read: int, total: int, *materials: Material) -> str:
    return coverage(Question("?", materials, given=Given(way, given, read, total)))


def test_passages_are_told_with_their_places() -> None:
    passages = Material("a.pdf", "[…]\n\n[p. 2]\nx\n\n[…]\n\n[p. 7]\nx\n\n[…]\n\n[p. 7]\nx\n\n[p. 8]\nx")
    assert said("select", (passages,), 9, 60, PAGES) == "read: 9 of 60 passages (pages 2, 7–8)"
    assert said("select", (NOTES,), 1, 1_200, NOTES) == "read: 1 of 1,200 passages"
    assert said("select", (passages, SLIDES, SHEETS, NOTES), 9, 60) == (
        "read: 9 of 60 passages (a.pdf: pages 2, 7–8; b.pptx: slides 4, 9; c.xlsx: sheet Costs)"
    )
    assert said("select", (PAGES,), 40, 40, PAGES) == "read: all 40 passages"


def test_parts_are_told_with_their_pages() -> None:
    assert said("map", (NOTES,), 4, 4, PAGES) == "read: all 21 pages in 4 parts"
    assert said("map", (NOTES,), 3, 4, PAGES) == "read: 3 of 4 parts"
    assert said("each", (), 4, 4, NOTES, PAGES) == "read: all of it, in 4 parts"


def test_of_a_material_that_was_given_whole_nothing_is_said() -> None:
    assert coverage(Question("?", (PAGES,))) == ""


@pytest.mark.parametrize(
    ("way", "sentence"), [("select", "已读：60 段中的 9 段（第 4、9 张幻灯片）"), ("map", "已读：60 部分中的 9 部分")]
)
def test_in_chinese(way: FitWay, sentence: str) -> None:
    i18n.use_language("zh")
    try:
        assert said(way, (SLIDES,), 9, 60, SLIDES) == sentence
    finally:
        i18n.use_language("en")
