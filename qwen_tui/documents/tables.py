"""Writes rows of cells as a Markdown table, in the form that costs the fewest tokens.

`|a|b|` costs 3 to 5 percent more tokens than the same rows as CSV; `| a | b |` costs 12 to 28 percent more.
"""

import re
from collections.abc import Sequence

from qwen_tui import cancellation

# Unescaped, a pipe ends a cell. Code and words with a backslash before it stay readable.
_PIPE = re.compile(r"\|")
_BREAK = re.compile(r"[ \t]*(?:\r\n|[\n\r\v\f\x85\u2028\u2029])[ \t]*")


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
