"""The progress of a long transfer of bytes: one redrawn line on a terminal, elsewhere a new line now and then."""

import contextlib
import time
from collections import deque
from collections.abc import Callable
from typing import TextIO

from wcwidth import width

from qwen_tui.i18n import gettext as _
from qwen_tui.terminal.erasable import ErasableLine
from qwen_tui.terminal.sanitise import clean

# On a terminal, the least time between two drawings, in seconds.
_EVERY = 0.2
# Elsewhere a new line comes after at least 10 s and a twentieth of the whole, or after a minute.
_PATIENCE, _LONG = 10.0, 60.0
_SHARE = 0.05
# The speed is the mean over the last 10 seconds.
_WINDOW = 10.0
_BAR = 20
_NARROW = 40
# In bytes per second; faster speeds are shown without decimals.
_FAST = 10e6


class TransferLine:
    """Shows a transfer on `stream`.

    `live` says that the stream is a terminal that can redraw a line. If it is not, `lines` decides whether to write
    lines now and then.
    """

    def __init__(
        self, stream: TextIO, *, live: bool, lines: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._lines = lines
        self._clock = clock
        self._line = ErasableLine(stream) if live else None
        self._label = ""
        self._points: deque[tuple[float, int]] = deque()
        self._drawn = self._drawn_done = 0.0

    def show(self, label: str, done: int, total: int | None) -> None:
        """Show that `done` bytes of `total` are transferred (None: the total is unknown); `label` names the file."""
        now = self._clock()
        # File names can contain anything, even newlines.
        label = " ".join(clean(label).split())
        if label != self._label or not self._points or done < self._points[-1][1]:
            self._label = label
            self._points = deque([(now, done)])
            self._drawn, self._drawn_done = (0.0 if self._line else now), float(done)
        self._points.append((now, done))
        while len(self._points) > 2 and now - self._points[0][0] > _WINDOW:
            self._points.popleft()
        if self._line:
            if now - self._drawn >= _EVERY or done == total:
                self._drawn = now
                self._line.draw(self._sentence(done, total, self._line.room))
        elif self._lines and self._is_time(now, done, total):
            self._drawn, self._drawn_done = now, float(done)
            self._write(self._sentence(done, total, None))

    def note(self, sentence: str) -> None:
        """Show a sentence on a line of its own."""
        self.clear()
        self._write(clean(sentence))

    def clear(self) -> None:
        """Erase the redrawn line."""
        if self._line:
            self._line.erase()
        self._drawn = 0.0 if self._line else self._drawn

    def _is_time(self, now: float, done: int, total: int | None) -> bool:
        waited = now - self._drawn
        gained = total is None or done - self._drawn_done >= _SHARE * total
        return (waited >= _PATIENCE and gained) or waited >= _LONG

    def _sentence(self, done: int, total: int | None, columns: int | None) -> str:
        """Return the most important parts that fit into `columns`, or all parts if that is None."""
        speed = self._speed()
        size = f"{done / 1e6:,.0f} MB" if total is None else f"{done / 1e6:,.0f}/{total / 1e6:,.0f} MB"
        # The parts are in order of importance. The number of each is its place in the line.
        parts = [(3, f"{speed / 1e6:.{0 if speed >= _FAST else 1}f} MB/s")] if speed else []
        if total:
            parts = [(1, f"{100 * done // total}%"), *parts]
            if speed and done < total:
                left = _clock((total - done) / speed)
                narrow = columns is not None and columns < _NARROW
                parts.insert(1, (4, left if narrow else _("{time} left").format(time=left)))
        parts += [(2, size), (0, self._label)]
        if total and columns:
            filled = _BAR * done // total
            parts.append((1, "[" + "#" * filled + "-" * (_BAR - filled) + "]"))
        kept: list[tuple[int, str]] = []
        for part in parts:
            joined = "  ".join(text for _place, text in sorted([*kept, part], key=lambda p: p[0]))
            if columns is None or width(joined) <= columns:
                kept.append(part)
        return "  ".join(text for _place, text in sorted(kept, key=lambda p: p[0]))

    def _speed(self) -> float:
        """Return the recent speed in bytes per second, 0 while it is too early to say."""
        (begun, first), (now, last) = self._points[0], self._points[-1]
        return (last - first) / (now - begun) if now - begun > 0.5 else 0.0

    def _write(self, sentence: str) -> None:
        # If the progress cannot be written, the transfer goes on without it.
        with contextlib.suppress(OSError):
            self._stream.write(sentence + "\n")
            self._stream.flush()


def _clock(seconds: float) -> str:
    """Return a time as 1:23:45 or 2:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
