"""Paints growing Markdown into the normal screen.

The painter writes final rows once and never touches them again, so that they scroll away like any other text. Below
them stand the live rows. On each tick the painter rewrites these from the first one that changed, in a single write.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from rich.color import ColorSystem
from rich.console import Console
from rich.text import Text

from qwen_tui.terminal.growing import GrowingText, pieces
from qwen_tui.terminal.rendering import Renderer, Row, rows_of
from qwen_tui.terminal.sanitise import without_controls
from qwen_tui.terminal.theme import Theme
from qwen_tui.terminal.width import Ruler

# Between two ticks pass at least _TICK seconds, and at least _PATIENCE times as long as the last tick took: the painter
# shares the cores with the model.
_TICK = 0.05
_PATIENCE = 20
# Between these two sequences (synchronised output), a terminal updates its screen only once. Others ignore them.
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"


class PaintedLine(NamedTuple):
    """A row: with escape sequences, as the painter writes it, and `plain`, as it measures it."""

    written: str
    plain: str


class Painter:
    """Shows a growing text. `write` sends text to the terminal, `size` returns the terminal's size."""

    def __init__(
        self,
        write: Callable[[str], None],
        size: Callable[[], os.terminal_size],
        theme: Theme,
        ruler: Ruler,
        *,
        colour: bool = True,
        apart: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """With `apart`, the painter leaves a blank row before each text."""
        self._write = write
        self._size = size
        self._ruler = ruler
        self._renderer = Renderer(ruler, theme)
        self._encoder = Encoder(colour=colour)
        self._clock = clock
        self._text = GrowingText()
        self._shown: list[PaintedLine] = []
        # True if the cursor stands at the beginning of the row below the live rows; False if behind the last of them.
        self._below = False
        self._columns = 0
        self._apart = self._owed = apart
        self._lost = False
        self._due = 0.0

    def feed(self, piece: str) -> None:
        """Add the next piece of the text, and repaint if a tick is due."""
        self._text.feed(without_controls(piece))
        if self._clock() >= self._due:
            begun = self._clock()
            self._paint()
            now = self._clock()
            self._due = now + max(_TICK, _PATIENCE * (now - begun))

    def finish(self) -> None:
        """Show the whole text; the cursor ends at the beginning of a line."""
        columns = self._size().columns
        rows = [*self._final(columns), *rows_of(self._text.rest(), self._renderer, columns - 1, owed=self._owed)]
        self._frame(list(map(self._encoder.line, rows)), [])
        self._text, self._owed = GrowingText(), self._apart

    def pause(self) -> None:
        """Show all that has come; the cursor ends at the beginning of an empty row, until more text comes."""
        self._paint()
        if self._shown and not self._below:
            self._write("\n")
            self._below = True

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Let the caller write whole lines in the block: the painter erases the live rows, and redraws them below.

        The next write, here or in the painter, begins at the row below the live rows; the caller must leave it empty.
        """
        shown, columns = ([], 0) if self._lost else (self._shown, self._size().columns)
        if shown:
            up = self._below + sum(self._ruler.height(line.plain, columns) for line in shown) - 1
            # Some terminals take "erase everything below" in the top left corner for a new screen. So this erases the
            # first row alone, and then the rows below it.
            self._write("\r" + (f"\x1b[{up}A\x1b[K\x1b[1B\x1b[J\x1b[1A" if up else "\x1b[K"))
        yield
        if shown:
            self._write("".join(line.written + "\n" for line in shown))
            self._below = True

    def forget(self) -> None:
        """Assume that another program has written below the live rows; callable from a signal handler."""
        self._lost = True

    def _paint(self) -> None:
        columns, height = self._size()
        final = self._final(columns)
        live = rows_of(self._text.live(), self._renderer, columns - 1, owed=self._owed)
        lines = [self._encoder.line(row) for row in live[-height:]]
        self._frame(list(map(self._encoder.line, final)), self._tail(lines, columns, height - 1))

    def _final(self, columns: int) -> list[Row]:
        rows = rows_of(self._text.final(), self._renderer, columns - 1, owed=self._owed)
        self._owed = self._owed or bool(rows)
        return rows

    def _tail(self, lines: Sequence[PaintedLine], columns: int, height: int) -> list[PaintedLine]:
        """Return the last of `lines` that fit into `height` rows; if not even the last one fits, its end."""
        tail: list[PaintedLine] = []
        for line in reversed(lines):
            height -= self._ruler.height(line.plain, columns)
            if height < 0:
                break
            tail.insert(0, line)
        if lines and not tail:
            end = lines[-1].plain
            while self._ruler.height(end, columns) > max(1, height + self._ruler.height(lines[-1].plain, columns)):
                end = end[columns // 2 :]
            return [PaintedLine(end, end)]
        return tail

    def _frame(self, final: list[PaintedLine], live: list[PaintedLine]) -> None:
        """Replace the live rows by `final` and `live` in one write."""
        if self._lost:
            self._lost, self._below, self._shown = False, False, []
        columns = self._size().columns
        lines = [*final, *live]
        same = 0
        if columns == self._columns:
            while same < min(len(lines), len(self._shown)) and lines[same].written == self._shown[same].written:
                same += 1
        self._columns = columns
        gone = self._shown[same:]
        if gone and same == len(lines) and same:
            # Rows were only removed. The cursor must end behind the last line, so the painter writes that line again.
            same -= 1
            gone = self._shown[same:]
        out = ""
        written = [line.written for line in lines[same:]]
        if gone:
            up = self._below + sum(self._ruler.height(line.plain, columns) for line in gone) - 1
            out = "\r" + (f"\x1b[{up}A" if up else "")
            first = lines[same].plain if same < len(lines) else ""
            if first and "\t" not in first and self._ruler.cells(first) < columns:
                # Erasing everything below from the top left corner makes some terminals keep the old screen. So the
                # painter erases the first line alone, and the rest behind its text.
                written[0] = f"\x1b[K{written[0]}\x1b[J"
            else:
                out += "\x1b[J"
        elif self._shown and same < len(lines):
            out = "" if self._below else "\n"
        out += "\n".join(written)
        if lines and not live and (written or not self._below):
            out += "\n"
        self._shown = live
        self._below = self._below and bool(live) and not out
        if out:
            self._write(f"{_BEGIN}{out}{_END}")


class Encoder:
    """Turns rows into text with escape sequences, with or without colours."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour
        # Rich needs a console to resolve the styles of a text; nothing is written to this one.
        self._console = Console(color_system=None, width=1000)

    def line(self, row: Row) -> PaintedLine:
        """Return `row` with its escape sequences and its plain text."""
        return PaintedLine("".join(self._parts(row.text)), row.text.plain)

    def _parts(self, text: Text) -> list[str]:
        parts = []
        for segment in text.render(self._console):
            style = segment.style
            if style and not self._colour:
                style = style.without_color
            if not style or (segment.text.isspace() and not style.underline):
                parts.append(segment.text)
            else:
                parts.append(style.render(segment.text, color_system=ColorSystem.STANDARD))
        return parts


def static(text: str, columns: int, theme: Theme, ruler: Ruler, *, colour: bool = True) -> str:
    """Return a complete text as `Painter` would leave it on a terminal of `columns`."""
    return "".join(line + "\n" for line in static_lines(text, columns, theme, ruler, colour=colour))


def static_lines(text: str, columns: int, theme: Theme, ruler: Ruler, *, colour: bool = True) -> list[str]:
    """Return the lines that `static` joins."""
    rows = rows_of(pieces(without_controls(text)), Renderer(ruler, theme), columns - 1)
    encoder = Encoder(colour=colour)
    return [encoder.line(row).written for row in rows]
