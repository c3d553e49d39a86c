"""Finds the tables on a sheet: a sheet is one grid, and people put several things on it."""

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from qwen_tui import cancellation
from qwen_tui.documents.tables import table

# A number as a person sees it, or the formula of one.
_NUMBER = re.compile(r"=|[^\w]{0,3}\d[\d.,:/%E+ -]*[^\w]{0,3}$")


class Line(NamedTuple):
    """A row of a sheet, by its number: the texts of its cells by their columns, from the left."""

    number: int
    cells: dict[int, str]


def blocks(lines: Sequence[Line]) -> Iterator[str]:
    """Give the tables of a sheet and the lines between them as Markdown, from top to bottom."""
    for group in _by_empty_rows(lines):
        for part in _by_empty_columns(group):
            cancellation.check()
            yield from _block(part)


def _by_empty_rows(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Part the lines where rows are empty; a single empty row may also stand within a table."""
    group: list[Line] = []
    columns: set[int] = set()
    for line in lines:
        if group and line.number > group[-1].number + 1:
            is_within = line.number == group[-1].number + 2
            same = columns and min(columns) <= min(line.cells) and max(line.cells) <= max(columns)
            if not (is_within and same and any(_NUMBER.match(text) for text in line.cells.values())):
                yield group
                group, columns = [], set()
        group.append(line)
        columns.update(line.cells)
    if group:
        yield group


def _by_empty_columns(lines: list[Line]) -> Iterator[list[Line]]:
    """Part tables that stand side by side: an empty column is between them, and each begins with words."""
    columns = sorted({column for line in lines for column in line.cells})
    begins = [after for before, after in itertools.pairwise(columns) if after > before + 1]
    edges = [columns[0], *(begin for begin in begins if _begins_with_words(lines, begin, columns)), columns[-1] + 1]
    for left, right in itertools.pairwise(edges):
        part = [
            Line(line.number, cells)
            for line in lines
            if (cells := {column: text for column, text in line.cells.items() if left <= column < right})
        ]
        if part:
            yield part


def _begins_with_words(lines: list[Line], begin: int, columns: Sequence[int]) -> bool:
    """Whether a column is the first of a table of its own: words head its rows, and another column follows at once."""
    texts = [line.cells[begin] for line in lines if begin in line.cells]
    words = [text for text in texts[1:] if not _NUMBER.match(text)]
    return begin + 1 in columns and len(texts) > 1 and len(words) * 2 > len(texts) - 1


def _block(lines: list[Line]) -> Iterator[str]:
    """Give a table; lines of one cell above and below it, such as its title, are no rows of it."""
    alone = [len(line.cells) == 1 for line in lines]
    first = next((place for place, is_alone in enumerate(alone) if not is_alone), len(lines))
    last = next((place for place in range(len(lines), first, -1) if not alone[place - 1]), first)
    # Under a table, a value that is no text belongs to it.
    while last < len(lines) and _NUMBER.match(next(iter(lines[last].cells.values()))) and last > first:
        last += 1
    if above := _lines(lines[:first]):
        yield above
    if last > first:
        columns = sorted({column for line in lines[first:last] for column in line.cells})
        yield table([[line.cells.get(column, "") for column in columns] for line in lines[first:last]])
    if below := _lines(lines[last:]):
        yield below


def _lines(lines: Sequence[Line]) -> str:
    return "\n".join(text for line in lines for text in line.cells.values())
