"""How far a file is that is copied, fetched or checked: a bar on a terminal, elsewhere a line now and then."""

import contextlib
import os
import shutil
import time
from collections import deque
from types import TracebackType
from typing import Self, TextIO

from wcwidth import width

from qwen_tui.files import size_text
from qwen_tui.i18n import gettext as _
from qwen_tui.terminal.sanitise import clean

# In seconds: how often the bar is redrawn, how often a line is written, and over how long the speed is taken.
_EVERY = 0.1
_LINE_EVERY = 10.0
_WINDOW = 5.0
# Widths of the bar itself, the widest that fits.
_WIDTHS = (30, 16, 8)


class TransferBar:
    """Shows on `stream` how far `what` ("Copying model.gguf") is.

    On a terminal it leaves no trace when it is closed.
    """

    def __init__(self, stream: TextIO, what: str, *, terminal: bool | None = None, lines: bool = True) -> None:
        """`terminal` says whether the stream can be redrawn, if that is not to be found out; `lines` whether to write
        lines where it cannot.
        """
        self._stream = stream
        self._what = clean(what)
        self._terminal = terminal if terminal is not None else stream.isatty() and os.environ.get("TERM") != "dumb"
        self._lines = lines
        self._drawn = 0.0
        self._written = time.monotonic()
        self._columns = 0
        # When how many bytes were done.
        self._seen: deque[tuple[float, int]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        self.close()

    def show(self, done: int, total: int) -> None:
        """Know that `done` of `total` bytes are done."""
        now = time.monotonic()
        if self._seen and done < self._seen[-1][1]:
            # Begun again, from another source or after a failed check.
            self._seen.clear()
        if len(self._seen) < 2 or now - self._seen[-1][0] >= _EVERY / 2:
            self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[0][0] > _WINDOW:
            self._seen.popleft()
        if self._terminal and now - self._drawn >= _EVERY:
            self._drawn = now
            self._draw(self._fitting(done, total))
        elif not self._terminal and self._lines and now - self._written >= _LINE_EVERY:
            self._written = now
            self._write(self._parts(done, total, "")[0] + "\n")

    def close(self) -> None:
        """Remove the bar."""
        if self._columns:
            self._draw("")

    def _fitting(self, done: int, total: int) -> str:
        columns = shutil.get_terminal_size().columns - 1
        share = min(1.0, done / total) if total else 0.0
        bars = ["▕" + ("█" * round(share * cells)).ljust(cells, "·") + "▏" for cells in _WIDTHS]
        encoding = self._stream.encoding or "ascii"
        try:
            bars[0].encode(encoding)
        except (UnicodeEncodeError, LookupError):
            bars = ["[" + ("#" * round(share * cells)).ljust(cells, "-") + "]" for cells in _WIDTHS]
        choices = [self._parts(done, total, bar)[0] for bar in bars] + list(self._parts(done, total, ""))
        for choice in choices:
            if width(choice) <= columns:
                return choice
        shortest = choices[-1]
        while width(shortest) > columns:
            shortest = shortest[:-1]
        return shortest

    def _parts(self, done: int, total: int, bar: str) -> tuple[str, ...]:
        """Return the line, the longest form first."""
        percent = f"{int(min(done, total) / total * 100) if total else 0}%"
        amount = _("{done} of {total}").format(done=size_text(done), total=size_text(total))
        speed, left = self._speed(done, total)
        head = " ".join(part for part in (self._what, bar, percent) if part)
        pieces = [piece for piece in (amount, speed, left) if piece]
        return (
            " · ".join([head, *pieces]),
            " · ".join([percent, *pieces]),
            f"{percent} · {amount}",
            percent,
        )

    def _speed(self, done: int, total: int) -> tuple[str, str]:
        began, before = self._seen[0]
        seconds = self._seen[-1][0] - began
        if seconds < 2 * _EVERY or done <= before:
            return "", ""
        speed = (done - before) / seconds
        left = round((total - done) / speed)
        clock = (
            f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02}" if left >= 3600 else f"{left // 60}:{left % 60:02}"
        )
        return f"{size_text(int(speed))}/s", _("{time} left").format(time=clock)

    def _draw(self, line: str) -> None:
        columns = width(line)
        # Spaces erase on every terminal, escape sequences do not on all.
        blank = " " * max(0, self._columns - columns)
        self._columns = columns
        self._write(f"\r{line}{blank}" + ("\r" + line if blank else ""))

    def _write(self, text: str) -> None:
        # Who cannot see the progress can still have the file.
        with contextlib.suppress(OSError):
            self._stream.write(text)
            self._stream.flush()
