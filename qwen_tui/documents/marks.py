"""Finds the marks that `document.as_text` has put before the places of a document, such as `[p. 7]`."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from qwen_tui.documents.document import MARKS, Unit, mark

# The places of these units are numbers, and rise.
_NUMBERED: tuple[Unit, ...] = ("page", "slide")


class Mark(NamedTuple):
    """A mark in a text: it stands from `start` to `end`, brackets included, and names a place of that unit."""

    start: int
    end: int
    unit: Unit
    place: str

    def __str__(self) -> str:
        return f"[{mark(self.unit, self.place)}]"


def _form(unit: Unit) -> str:
    before, _place, behind = (re.escape(part) for part in MARKS[unit].partition("{}"))
    place = r"[0-9]{1,9}" if unit in _NUMBERED else r"[^\n]+"
    return rf"{before}(?P<{unit}>{place}){behind}"


# Each stands on a line of its own, at the beginning of the text or behind an empty line.
_MARK = re.compile(rf"(?:\A|(?<=\n\n))\[(?:{'|'.join(map(_form, MARKS))})\](?=\n|\Z)")


def find(text: str) -> list[Mark]:
    """Return the marks in `text`, in order.

    A text may also quote a mark, in a paragraph of its own. All marks of a document are of one unit, and the numbers of
    pages and slides rise: what does not agree with that is a quotation.
    """
    found = []
    for match in _MARK.finditer(text):
        unit = next(unit for unit in MARKS if match[unit])
        found.append(Mark(*match.span(), unit, match[unit]))
    found = [one for one in found if one.unit == found[0].unit]
    return _rising(found) if found and found[0].unit in _NUMBERED else found


def first(text: str) -> Mark | None:
    """Return the first mark in `text`, None if there is none; it is found soon in a long text without any."""
    at = 0 if text.startswith("[") else _next(text, 0)
    while at >= 0:
        if match := _MARK.match(text, at):
            unit = next(unit for unit in MARKS if match[unit])
            return Mark(*match.span(), unit, match[unit])
        at = _next(text, at)
    return None


def _next(text: str, at: int) -> int:
    """Return where the next line behind an empty one begins with a bracket, -1 if none does."""
    found = text.find("\n\n[", at)
    return found + 2 if found >= 0 else -1


def without(text: str) -> str:
    """Return `text` without what looks like a mark."""
    return _MARK.sub("", text)


def _rising(marks: Sequence[Mark]) -> list[Mark]:
    """Return the longest row of `marks` with rising numbers: a single wrong one does not hide those behind it."""
    # For each length of a row, the lowest number that ends one, and its index; for each mark, the index of the one
    # before it in its row.
    numbers: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for index, one in enumerate(marks):
        length = bisect_left(numbers, int(one.place))
        before.append(ends[length - 1] if length else -1)
        numbers[length : length + 1], ends[length : length + 1] = [int(one.place)], [index]
    row = []
    index = ends[-1]
    while index >= 0:
        row.append(marks[index])
        index = before[index]
    return row[::-1]
