"""Holds answers against their material: finds citations of places not given, and quotations not there.

Compiling the patterns of this room takes a while, and most commands need none of them. So this is imported only where
there is material to hold an answer against.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from qwen_tui.chat.checking.citations import Citation, cited
from qwen_tui.chat.checking.doubts import Doubts
from qwen_tui.chat.checking.prose import prose
from qwen_tui.chat.checking.quotations import language_of, normal, quotations, unfound
from qwen_tui.chat.question import said
from qwen_tui.documents import marks
from qwen_tui.documents.document import Unit
from qwen_tui.messages import Material, Question

# The places of these units are numbers.
_NUMBERED: tuple[Unit, ...] = ("page", "slide")

# The places that the model got, by the name of their document.
_Given = dict[str, set[tuple[Unit, str]]]


class Checking:
    """Holds answers against material; what it has made of a text serves the next answer again."""

    def __init__(self) -> None:
        self._normal: dict[str, str] = {}

    def doubts(self, questions: Sequence[Question], answer: str) -> Doubts | None:
        """Return what is doubtful in the answer to the last of `questions`, which are those of its conversation so far.

        None if there is nothing to hold it against. The result of work on each part has what its source has, in other
        words or another language, so it is not judged either.
        """
        materials = [one for question in questions for one in question.materials]
        if not materials or (questions[-1].given is not None and questions[-1].given.way == "each"):
            return None
        text = prose(answer)
        # The strings of JSON are in quotation marks, and are none.
        quoted = [] if text.lstrip().startswith(("{", "[{", '["')) else quotations(text)
        return Doubts(tuple(self._citations(questions, materials, text)), tuple(self._quotations(questions, quoted)))

    def _citations(self, questions: Sequence[Question], materials: Sequence[Material], text: str) -> Iterator[str]:
        given = _given(questions)
        if not given:
            return
        shown: dict[str, None] = {}
        # A document may cite places itself, and an answer may repeat that.
        repeated = [marks.without(one.text) for one in materials]
        for citation in dict.fromkeys(cited(text, [one.name for one in materials])):
            if not _is_given(citation, given) and not any(citation.text in one for one in repeated):
                shown[citation.text] = None
        yield from shown

    def _quotations(self, questions: Sequence[Question], quoted: Sequence[str]) -> Iterator[str]:
        if not quoted:
            return
        texts = [one.text for question in questions for one in (*question.materials, *_notes(question))]
        # What the person wrote may be quoted as well.
        words = [part for question in questions for part in (said(question), question.template.system)]
        sources = [self._normal_of(text) for text in (*texts, *words)]
        yield from unfound(quoted, sources, {language_of(text) for text in texts if text.strip()})

    def _normal_of(self, text: str) -> str:
        if text not in self._normal:
            self._normal[text] = normal(text)
        return self._normal[text]


def _notes(question: Question) -> tuple[Material, ...]:
    """Return what the model got in place of the materials of a question."""
    return question.given.materials if question.given is not None else ()


def _given(questions: Sequence[Question]) -> _Given:
    """Return the places that the model got with `questions`; empty if no material of these has any.

    Of notes, these are the places that the notes name.
    """
    given: _Given = defaultdict(set)
    for question in questions:
        whole = _places(question.materials)
        if question.given is None:
            named = whole
        elif question.given.way == "select":
            named = _places(question.given.materials)
        else:
            notes = [one for note in question.given.materials for one in cited(note.text, list(whole))]
            told = {(one.unit, place) for one in notes for place in one.places}
            named = {name: places & told for name, places in whole.items()}
        for name in (*whole, *named):
            given[name] |= named.get(name, set())
    return dict(given)


def _places(materials: Sequence[Material]) -> _Given:
    found: _Given = {}
    for one in materials:
        places = {(mark.unit, mark.place) for mark in marks.find(one.text)}
        if places:
            found[one.name] = found.get(one.name, set()) | places
    return found


def _is_given(citation: Citation, given: _Given) -> bool:
    """Whether the model got all places that a citation names, in one document or in several."""
    documents = [given[citation.document]] if citation.document in given else list(given.values())
    places = {place for one in documents for place in one}
    units = {unit for unit, _place in places}
    if citation.unit in _NUMBERED:
        # A slide may be called a page where there are no pages.
        same = [citation.unit] if citation.unit in units else _NUMBERED
        return all(any((unit, place) in places for unit in same) for place in citation.places)
    if citation.unit not in units:
        # "[chapter 3]" of a text with pages is no place that the program knows.
        return True
    known = {" ".join(place.split()).casefold() for unit, place in places if unit == citation.unit}
    (name,) = citation.places
    return " ".join(name.split()).casefold() in known or all(
        one.strip().casefold() in known for one in name.replace("，", ",").replace("、", ",").split(",")
    )
