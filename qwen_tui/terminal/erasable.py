"""A line on a terminal that can be redrawn and erased."""

import contextlib
from typing import TextIO

from wcwidth import width

from qwen_tui.columns import cut
from qwen_tui.terminal.streams import terminal_size


class ErasableLine:
    """The line at the cursor of `stream`, which is a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._columns = 0

    @property
    def room(self) -> int:
        """How many columns the line may take without moving the cursor to the next."""
        return terminal_size(self._stream).columns - 1

    def draw(self, sentence: str) -> None:
        """Show `sentence` in place of what the line showed, cut to the width of the terminal."""
        # A line that wraps cannot be erased. Chinese characters are two columns wide.
        self._show(cut(sentence, self.room))

    def erase(self) -> None:
        """Remove the line."""
        if self._columns:
            self._show("")

    def _show(self, sentence: str) -> None:
        columns = width(sentence)
        # Spaces erase on every terminal, escape sequences only on some.
        blank = " " * max(0, self._columns - columns)
        self._columns = columns
        # If the terminal takes no progress, the operation goes on without it.
        with contextlib.suppress(OSError):
            self._stream.write(f"\r{sentence}{blank}" + ("\r" + sentence if blank else ""))
            self._stream.flush()
