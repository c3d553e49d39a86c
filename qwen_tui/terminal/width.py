"""Measures how many columns text takes on a terminal, and breaks lines.

Chinese has no spaces to break at. A line may end behind any character, but not before a closing mark such as ， and not
behind an opening one such as （.
"""

import re
import sys
import unicodedata
from functools import lru_cache

from rich.cells import cell_len
from rich.text import Text

from qwen_tui.columns import ATOM

_TAB = 8
_ATOM = re.compile(ATOM)


class Ruler:
    """Measures text. `ambiguous` is the width, 1 or 2, of characters such as “ and …, which differs among terminals.

    `prose` is how many columns sentences take at most, however wide the terminal is: longer lines are hard to read.
    """

    def __init__(self, ambiguous: int = 1, prose: int = sys.maxsize) -> None:
        self.ambiguous = ambiguous
        self.prose = prose
        # The last broken line, its columns and its breaks. The next line is probably the same one, a little longer.
        self._broken: tuple[str, int, list[int]] = ("", 0, [])

    def cells(self, text: str) -> int:
        """Return how many columns `text` takes; it must be within one line and have no tabs."""
        if self.ambiguous == 1 or text.isascii():
            return cell_len(text)
        return cell_len(text) + sum(map(_is_ambiguous, text))

    def height(self, line: str, columns: int) -> int:
        """Return how many rows `line` takes on a terminal of `columns` that wraps it, at least 1."""
        if "\t" not in line and self.cells(line) <= columns:
            return 1
        rows, column = 1, 0
        for char in line:
            if char == "\t":
                column = min((column // _TAB + 1) * _TAB, columns - 1)
                continue
            width = self.cells(char)
            if column + width > columns:
                rows, column = rows + 1, 0
            column += width
        return rows

    def wrap(self, text: Text, columns: int) -> list[Text]:
        """Return `text` as lines of at most `columns`; a word that is longer than a line is cut."""
        lines: list[Text] = []
        for line in text.split("\n", allow_blank=True):
            # Measuring is slow, and a line of so many more characters than columns never fits.
            if len(line) <= 4 * columns and self.cells(line.plain) <= columns:
                lines.append(line)
                continue
            pieces = line.divide(self._breaks(line.plain, max(columns, 2)))
            for piece in pieces:
                piece.rstrip()
            lines += [piece for piece in pieces if piece.plain]
        return lines

    def wrapped(self, text: str, columns: int) -> str:
        """Return `text` with a newline wherever `wrap` breaks it."""
        return "\n".join(line.plain for line in self.wrap(Text(text), columns))

    def _breaks(self, line: str, columns: int) -> list[int]:
        """Return the breaks of `line`, chosen greedily: each depends on the text before it and on the next unit."""
        before, for_columns, known = self._broken
        # The units before the last break but one can no longer grow, so the breaks up to there still hold.
        start = known[-2] if len(known) > 1 and for_columns == columns and line.startswith(before[: known[-1]]) else 0
        breaks = known[:-1] if start else []
        column = 0
        for match in _ATOM.finditer(line, start):
            atom, width = match[0], self.cells(match[0])
            if column + width <= columns or atom.isspace():
                column = min(column + width, columns)
                continue
            if column:
                breaks.append(match.start())
            column = width
            if width > columns:
                column = 0
                for i, char in enumerate(atom):
                    cells = self.cells(char)
                    if column + cells > columns:
                        breaks.append(match.start() + i)
                        column = 0
                    column += cells
        self._broken = (line, columns, breaks)
        return breaks


@lru_cache(4096)
def _is_ambiguous(char: str) -> bool:
    return unicodedata.east_asian_width(char) == "A"
