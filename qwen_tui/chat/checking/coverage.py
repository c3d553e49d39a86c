"""Says how much of a material the model got, when that was not all."""

from collections.abc import Sequence

import msgspec

from qwen_tui.documents import marks
from qwen_tui.documents.document import ranges
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import labelled, listed, ngettext, noted
from qwen_tui.messages import FitWay, Given, Material, Question


class Coverage(msgspec.Struct, frozen=True):
    """How much of a material was read. The names are those of the JSON; `said` is the sentence on it."""

    way: FitWay
    read: int
    total: int
    said: str

    @property
    def is_all(self) -> bool:
        """Whether all of the material was read."""
        return self.read == self.total


def covered(question: Question) -> Coverage | None:
    """Return how much was read of the material of a question; None if the model got it whole."""
    given = question.given
    return Coverage(given.way, given.read, given.total, coverage(question)) if given is not None else None


def coverage(question: Question) -> str:
    """Return the sentence on what was read of the material of a question; "" if the model got it whole.

    For example "read: 9 of 60 passages (pages 2, 7, 11–12)", or "read: all 21 pages in 4 parts".
    """
    given = question.given
    if given is None:
        return ""
    if given.way != "select":
        found = [marks.find(one.text) for one in question.materials]
        paged = all(one and one[0].unit == "page" for one in found)
        return _parts(given, sum(map(len, found)) if paged else 0)
    if given.read == given.total:
        return ngettext("read: the only passage", "read: all {n} passages", given.total).format(n=f"{given.total:,}")
    sentence = ngettext("read: {read} of {n} passage", "read: {read} of {n} passages", given.total)
    where = _places(given.materials)
    sentence = sentence.format(read=f"{given.read:,}", n=f"{given.total:,}")
    return noted(sentence, where) if where else sentence


def _parts(given: Given, pages: int) -> str:
    """Say how many parts of materials that have so many pages were read; 0 pages if not all of these have any."""
    if given.read < given.total:
        sentence = ngettext("read: {read} of {n} part", "read: {read} of {n} parts", given.total)
    elif pages:
        sentence = ngettext("read: all {pages} pages in {n} part", "read: all {pages} pages in {n} parts", given.total)
    else:
        sentence = ngettext("read: all of it, in {n} part", "read: all of it, in {n} parts", given.total)
    return sentence.format(read=f"{given.read:,}", n=f"{given.total:,}", pages=f"{pages:,}")


def _places(materials: Sequence[Material]) -> str:
    """Return the places that `materials` are from, of several with their names."""
    if len(materials) == 1:
        return _places_in(materials[0].text)
    return _("; ").join(
        labelled(" ".join(one.name.split()), places) for one in materials if (places := _places_in(one.text))
    )


def _places_in(text: str) -> str:
    found = marks.find(text)
    if not found:
        return ""
    names = list(dict.fromkeys(one.place for one in found))
    match found[0].unit:
        case "page":
            sentence = ngettext("page {places}", "pages {places}", len(names))
        case "slide":
            sentence = ngettext("slide {places}", "slides {places}", len(names))
        case "sheet":
            return ngettext("sheet {places}", "sheets {places}", len(names)).format(places=listed(names))
        case _chapter:
            return ngettext("chapter {places}", "chapters {places}", len(names)).format(places=listed(names))
    return sentence.format(places=ranges([int(name) - 1 for name in names]))
