"""The marks of places in the text of a document, and what only looks like one."""

from hypothesis import given
from hypothesis import strategies as st

from qwen_tui.documents import marks
from qwen_tui.documents.document import Document, Section, Unit, as_text

UNITS: list[Unit] = ["page", "slide", "sheet", "chapter"]


def places(text: str) -> list[str]:
    return [one.place for one in marks.find(text)]


def test_each_unit_is_found_where_it_stands() -> None:
    for unit, place in (("page", "7"), ("slide", "12"), ("sheet", "Budget [2026]"), ("chapter", "一、花园的由来")):
        text = as_text(Document("x", (Section("Foreword."), Section("Text.", place)), unit))  # type: ignore[arg-type]
        (mark,) = marks.find(text)
        assert (mark.unit, mark.place, str(mark)) == (unit, place, text[mark.start : mark.end])
        assert text[mark.end :] == "\nText."


def test_what_only_looks_like_a_mark_is_none() -> None:
    for text in (
        "See [p. 7] for it.",
        "[p. 7] begins a line",
        "a list\n[p. 7]\nwithout a gap",
        "[p. seven]\n",
        "[1]\n",
        "[TOC]\n",
    ):
        assert marks.find(text) == []


def test_a_quoted_mark_is_not_a_place() -> None:
    pages = [
        Section("One."),
        Section("Two says:\n\n[p. 300]\n\nas it quotes [p. 1]."),
        Section("Three:\n\n[p. 1]\n\nagain."),
    ]
    text = as_text(Document("x", tuple(Section(one.text, str(n)) for n, one in enumerate(pages, 1)), "page"))
    assert places(text) == ["1", "2", "3"]
    assert places("[p. 1]\nA sheet is named so:\n\n[sheet Budget]\n\n[p. 2]\nThe end.") == ["1", "2"]


@given(st.lists(st.text(alphabet="ab \n", max_size=20), min_size=1, max_size=8), st.sampled_from(UNITS))
def test_all_places_of_a_document_are_found(texts: list[str], unit: Unit) -> None:
    sections = tuple(Section(text, str(number)) for number, text in enumerate(texts, 1))
    text = as_text(Document("x", sections, unit))
    found = marks.find(text)
    assert [one.place for one in found] == [section.place for section in sections]
    ends = [one.start for one in found[1:]] + [len(text) + 2]
    assert [text[one.end + 1 : end - 2] for one, end in zip(found, ends, strict=True)] == texts
