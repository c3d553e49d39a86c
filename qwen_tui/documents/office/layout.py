"""Puts the shapes of a slide into the order in which a person reads them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")
# Shapes stand in columns where the gap between these is so many times wider than that between rows.
_WIDER = 1.5


class Box(NamedTuple):
    """Where a shape stands: its edges, in any unit."""

    left: int
    top: int
    right: int
    bottom: int


def in_reading_order(shapes: Sequence[T], box: Callable[[T], Box]) -> list[T]:
    """Return the shapes from top to bottom, and from left to right where they stand side by side.

    The shapes are cut apart at the widest gap, again and again (XY-cut: Nagy and Seth, 1984).
    """
    if len(shapes) < 2:
        return list(shapes)
    column_gap, columns = _cut(shapes, lambda one: (box(one).left, box(one).right))
    row_gap, rows = _cut(shapes, lambda one: (box(one).top, box(one).bottom))
    parts = columns if column_gap > max(0, row_gap) * _WIDER or len(rows) < 2 else rows
    if len(parts) < 2:
        return sorted(shapes, key=lambda one: (box(one).top, box(one).left))
    return [shape for part in parts for shape in in_reading_order(part, box)]


def _cut(shapes: Sequence[T], side: Callable[[T], tuple[int, int]]) -> tuple[int, list[list[T]]]:
    """Return the widest gap along one side, and the shapes cut there; without a gap, all of them, and -1."""
    ordered = sorted(shapes, key=side)
    widest, place, end = -1, 0, side(ordered[0])[1]
    for index, shape in enumerate(ordered[1:], 1):
        begin, its_end = side(shape)
        if begin - end > widest:
            widest, place = begin - end, index
        end = max(end, its_end)
    return (widest, [ordered[:place], ordered[place:]]) if widest >= 0 else (-1, [list(ordered)])
