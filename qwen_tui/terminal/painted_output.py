"""The output of an answer for a person at a terminal: Markdown, painted while the model writes it."""

import os
from collections.abc import Mapping
from typing import TextIO

from qwen_tui import messages
from qwen_tui.columns import folded
from qwen_tui.messages import Event, Finished, Reasoning, Step
from qwen_tui.terminal.output import HeldOutput, Thinking, end_of, taken_back
from qwen_tui.terminal.painter import Painter, static, static_lines
from qwen_tui.terminal.progress import StatusLine
from qwen_tui.terminal.sanitise import clean
from qwen_tui.terminal.streams import terminal_size, write
from qwen_tui.terminal.theme import Theme
from qwen_tui.terminal.width import Ruler


class PaintedOutput(HeldOutput):
    """Paints an answer on the terminal `stream`; shows progress and notes as the other outputs do."""

    def __init__(
        self,
        stream: TextIO,
        notes: TextIO,
        status: StatusLine,
        *,
        theme: Theme,
        ruler: Ruler,
        colour: bool = True,
        apart: bool = False,
        quiet: bool = False,
    ) -> None:
        """With `apart`, a blank row stands before each answer."""
        super().__init__(notes, status, quiet=quiet)
        self._stream = stream
        self._theme, self._ruler, self._colour = theme, ruler, colour
        self._thinking = Thinking()
        self._painter = Painter(
            lambda text: write(stream, text),
            lambda: terminal_size(stream),
            theme,
            ruler,
            colour=colour,
            apart=apart,
        )

    def show(self, event: Event) -> None:
        if isinstance(event, Step) and not event.written:
            # Before the next part of the answer, the line of progress needs a row of its own.
            self._painter.pause()
        super().show(event)
        if isinstance(event, Reasoning) and event.taken_back:
            self._painter.finish()
            self.note(taken_back())
        elif isinstance(event, Reasoning):
            self._thinking.take(event)
        elif isinstance(event, messages.Text | Finished) and (folded := self._thinking.folded()):
            self._fold(folded)
        if isinstance(event, messages.Text):
            self._painter.feed(event.piece)
        elif isinstance(event, Finished):
            self._painter.finish()

    def _tell(self, sentence: str) -> None:
        if not self._notes.isatty():
            super()._tell(sentence)
            return
        columns = min(terminal_size(self._stream).columns - 1, self._ruler.prose)
        with self._painter.aside():
            super()._tell(folded(clean(sentence), columns, self._ruler.cells))

    def show_end(self, text: str, rows: int) -> None:
        columns = terminal_size(self._stream).columns
        lines = static_lines(text, columns, self._theme, self._ruler, colour=self._colour)
        write(self._stream, "".join(line + "\n" for line in end_of(lines, rows)))

    def _fold(self, folded: str) -> None:
        """Show one dim line that stands for the model's reasoning."""
        if not self._quiet:
            write(self._stream, f"\x1b[2m{folded}\x1b[0m\n")

    def resumed(self) -> None:
        self._painter.forget()

    def close(self) -> None:
        super().close()
        self._painter.finish()


def show(stream: TextIO, text: str, *, theme: Theme, ruler: Ruler, colour: bool = True) -> None:
    """Show a complete Markdown text."""
    write(stream, static(text, terminal_size(stream).columns, theme, ruler, colour=colour))


def can_paint(stream: TextIO, variables: Mapping[str, str]) -> bool:
    """Whether `stream` is a terminal that understands cursor movements."""
    if not stream.isatty() or variables.get("TERM") == "dumb":
        return False
    if os.name != "nt":
        return True
    from rich.console import Console

    return not Console(file=stream).legacy_windows
