"""Writes rows of cells as a Markdown table, in the form that costs the fewest tokens.

`|a|b|` costs 3 to 5 percent more tokens than the same rows as CSV; `| a | b |` costs 12 to 28 percent more.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from qwen_tui import cancellation

# Unescaped, a pipe ends a cell. Code and words with a backslash before it stay readable.
_PIPE = re.compile(r"\|")
_BREAK = re.compile(r"[ \t]*(?:\r\n|[\n\r\v\f\x85\u2028\u2029])[ \t]*")
# A cell that is wider is as wide as this: browsers read up to 1,000 columns, and no table has them.
_WIDEST = 256
# A longer text of a cell that is several rows high stands in the first of them only.
_REPEATED = 200


class Cell(NamedTuple):
    """A cell with a text; it may be several columns wide and several rows high."""

    text: str
    columns: int = 1
    rows: int = 1
    is_head: bool = False


def cell(text: str) -> str:
    """Return the text of a cell on one line."""
    return _BREAK.sub("<br>", _PIPE.sub(r"\\|", text.strip()))


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a table with the first as its head, without rows and columns that are empty.

    A row may have fewer cells than others.
    """
    written = [_written(row) for row in rows]
    used = sorted({place for row in written for place, text in enumerate(row) if text})
    kept = [[row[place] if place < len(row) else "" for place in used] for row in written if any(row)]
    if not kept:
        return ""
    lines = ["|" + "|".join(row) + "|" for row in kept]
    return "\n".join([lines[0], "|" + "---|" * len(used), *lines[1:]])


def _written(row: Sequence[str]) -> list[str]:
    cancellation.check()
    return [cell(text) for text in row]


def spread(rows: Iterable[Sequence[Cell]], take: Callable[[int], None]) -> Iterator[list[str]]:
    """Give each row all its cells: one over several rows stands in each, so that each row says all.

    A head over several columns stands above each of them. `take` is told how many characters that adds; it may raise.
    """
    reaching: dict[int, tuple[int, str]] = {}
    for row in rows:
        written: list[str] = []
        end = max(reaching, default=-1) + 1
        cells = iter(row)
        next_cell = next(cells, None)
        while next_cell is not None or len(written) < end:
            place = len(written)
            if place in reaching:
                left, text = reaching.pop(place)
                if left > 1:
                    reaching[place] = left - 1, text
                take(len(text) + 1)
                written.append(text)
            elif next_cell is None:
                written.append("")
            else:
                for column in range(max(1, min(next_cell.columns, _WIDEST))):
                    text = next_cell.text if not column or (next_cell.is_head and len(row) > 1) else ""
                    if next_cell.rows > 1:
                        repeated = text if len(text) <= _REPEATED else ""
                        reaching[len(written)] = next_cell.rows - 1, repeated
                    take(len(text) + 1 if column else 1)
                    written.append(text)
                next_cell = next(cells, None)
        yield written
