"""Puts the characters of a page into reading order: characters to lines, lines to columns.

Coordinates are in points, with y growing downwards.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

import msgspec

# All of these are in units of the height of the characters.
# A gap from this on is a blank, even if the page holds no character for it.
_BLANK = 0.2
# A gap from this on parts two pieces of text, such as the cells of a table; with a blank in it, from the second on.
_APART, _APART_WITH_BLANK = 1.0, 2.0
# A gap from this on parts the cells of a row visibly, by this sign.
_CELL = 3.0
CELLS = " | "
# A column has at least so many lines, and its usual line at least so many columns of a terminal: the cells of most
# tables are shorter.
_LINES, _COLUMNS = 3, 14
# In a column, most lines reach this share of its width.
_REACH = 0.7
# Columns within columns end here.
_DEEPEST = 4


class Glyph(NamedTuple):
    """A character of a page, or a ligature, with the box in which it stands."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


class Line(msgspec.Struct, frozen=True):
    """A line of text with its box; lines of one column that follow each other have the same `column`."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    column: int = 0

    @property
    def height(self) -> float:
        return self.bottom - self.top


def is_wide(character: str) -> bool:
    """Whether `character` is of a script that is written without blanks between words; that of Korea has blanks."""
    return unicodedata.east_asian_width(character) in "WF" and not "\uac00" <= character <= "\ud7a3"


def in_reading_order(glyphs: Iterable[Glyph]) -> list[Line]:
    """Return the lines of a page as a person reads them; the glyphs come in the order in which they are drawn."""
    lines: list[Line] = []
    for number, column in enumerate(_columns(_merged(_pieces(glyphs)), 0)):
        lines += [msgspec.structs.replace(line, column=number) for line in _rows(column)]
    return lines


def _pieces(glyphs: Iterable[Glyph]) -> list[Line]:
    """Return what was drawn in one go along one line."""
    pieces: list[Line] = []
    text: list[str] = []
    box = (0.0, 0.0, 0.0, 0.0)
    last: Glyph | None = None
    has_blank = False

    def end() -> None:
        if text:
            pieces.append(Line("".join(text), *box))
            text.clear()

    for glyph in glyphs:
        if glyph.text.isspace():
            has_blank = True
            continue
        gap = _gap(last, glyph, box) if last is not None else None
        height = max(glyph.bottom - glyph.top, box[3] - box[1])
        if gap is None or gap > (_APART_WITH_BLANK if has_blank else _APART) * height:
            end()
            box = glyph[1:]
        else:
            assert last is not None
            between_wide = is_wide(last.text[-1]) and is_wide(glyph.text[0])
            if has_blank or (gap > _BLANK * height and not between_wide):
                text.append(" ")
            box = _around(box, glyph[1:])
        text.append(glyph.text)
        last, has_blank = glyph, False
    end()
    return pieces


def _gap(last: Glyph, glyph: Glyph, box: tuple[float, float, float, float]) -> float | None:
    """Return the gap between two characters of a line; None if the second is on another line."""
    if glyph[1:] == last[1:]:
        # The letters of a ligature have one box.
        return 0.0
    middle, height = (glyph.top + glyph.bottom) / 2, max(box[3] - box[1], glyph.bottom - glyph.top)
    if not box[1] < middle < box[3] and not glyph.top < (box[1] + box[3]) / 2 < glyph.bottom:
        return None
    from_right_to_left = unicodedata.bidirectional(glyph.text[0]) in ("R", "AL")
    gap = last.left - glyph.right if from_right_to_left else glyph.left - last.right
    return gap if gap > -height / 2 else None


def _around(one: tuple[float, float, float, float], other: tuple[float, ...]) -> tuple[float, float, float, float]:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _merged(pieces: list[Line]) -> list[Line]:
    """Join the pieces of a line that were not drawn one after the other, such as words in bold type."""
    merged: list[Line] = []
    for piece in sorted(pieces, key=lambda one: one.left):
        for place in range(len(merged) - 1, -1, -1):
            before = merged[place]
            gap, height = piece.left - before.right, min(before.height, piece.height)
            if same_row(before, piece) and -height / 2 < gap < _APART * height:
                blank = " " if gap > _BLANK * height else ""
                merged[place] = _joined(before, piece, blank)
                break
        else:
            merged.append(piece)
    return merged


def same_row(one: Line, other: Line) -> bool:
    """Whether two lines stand beside each other."""
    shared = min(one.bottom, other.bottom) - max(one.top, other.top)
    return shared > min(one.height, other.height) / 2


def _joined(one: Line, other: Line, between: str) -> Line:
    box = _around((one.left, one.top, one.right, one.bottom), (other.left, other.top, other.right, other.bottom))
    return Line(one.text + between + other.text, *box)


def _columns(lines: list[Line], depth: int) -> list[list[Line]]:
    """Return the columns in reading order. Lines across two columns part what is above them from what is below."""
    gutter = _gutter(lines) if depth < _DEEPEST else None
    if gutter is None:
        return [lines] if lines else []
    columns: list[list[Line]] = []
    across: list[Line] = []
    left: list[Line] = []
    right: list[Line] = []

    def end_columns() -> None:
        for side in (left, right):
            columns.extend(_columns(side.copy(), depth + 1))
            side.clear()

    for line in sorted(lines, key=lambda one: one.top):
        if line.left < gutter < line.right:
            end_columns()
            across.append(line)
            continue
        if across:
            columns.append(across.copy())
            across.clear()
        (left if line.right <= gutter else right).append(line)
    end_columns()
    return [*columns, across] if across else columns


def _gutter(lines: Sequence[Line]) -> float | None:
    """Return the x between two columns of text, None if there is but one column."""
    found: tuple[int, float] | None = None
    for edge in sorted({round(line.right) + 1.0 for line in lines}):
        left = [line for line in lines if line.right <= edge]
        right = [line for line in lines if line.left >= edge]
        if len(left) < _LINES or len(right) < _LINES:
            continue
        crossing = sum(len(line.text) for line in lines if line.left < edge < line.right)
        if (found is None or crossing < found[0]) and _part_columns(left, right):
            found = crossing, edge
    return found[1] if found else None


def _part_columns(left: Sequence[Line], right: Sequence[Line]) -> bool:
    """Whether both sides are columns of running text that stand beside each other."""
    start = min(line.left for line in right)
    # If there are three columns, the right side has two of them; only the nearer one is looked at.
    nearer = [line for line in right if line.left - start < 2 * line.height]
    beside = sum(any(same_row(one, other) for other in nearer) for one in left)
    if beside < _LINES and not (len(nearer) >= _LINES and _overlap(left, nearer)):
        return False
    return _is_column(left) and _is_column(nearer)


def _overlap(one: Sequence[Line], other: Sequence[Line]) -> bool:
    top = max(min(line.top for line in one), min(line.top for line in other))
    bottom = min(max(line.bottom for line in one), max(line.bottom for line in other))
    return bottom - top > _LINES * median(line.height for line in one)


def _is_column(lines: Sequence[Line]) -> bool:
    if len(lines) < _LINES or median(_width(line.text) for line in lines) < _COLUMNS:
        return False
    start, end = min(line.left for line in lines), max(line.right for line in lines)
    reaching = sum(line.right - start >= _REACH * (end - start) for line in lines)
    return reaching * 2 >= len(lines)


def _width(text: str) -> int:
    return sum(2 if is_wide(character) else 1 for character in text)


def _rows(lines: Iterable[Line]) -> list[Line]:
    """Return the rows of a column from top to bottom; the cells of a table's row are one row."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda one: (one.top + one.bottom) / 2):
        if rows and same_row(rows[-1][0], line) and not any(_over_each_other(line, cell) for cell in rows[-1]):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [_row(sorted(row, key=lambda cell: cell.left)) for row in rows]


def _over_each_other(one: Line, other: Line) -> bool:
    shared = min(one.right, other.right) - max(one.left, other.left)
    return shared > min(one.height, other.height) / 2


def _row(cells: Sequence[Line]) -> Line:
    row = cells[0]
    for cell in cells[1:]:
        is_cell = cell.left - row.right >= _CELL * cell.height and len(row.text) > 3
        row = _joined(row, cell, CELLS if is_cell else " ")
    return row
