"""How far a long transfer of bytes has come: a line that is redrawn on a terminal, and elsewhere one now and then."""

import contextlib
import time
from collections import deque
from typing import TextIO

from wcwidth import width

from qwen_tui.i18n import gettext as _
from qwen_tui.terminal.erasable import ErasableLine, room
from qwen_tui.terminal.sanitise import clean

# On a terminal the line is redrawn so often, in seconds.
_EVERY = 0.2
# Elsewhere there is a line at most every 10 s, after a twentieth of the whole or after a minute.
_PATIENCE, _LONG = 10.0, 60.0
_SHARE = 0.05
# The speed is that of the last seconds.
_WINDOW = 10.0
_BAR = 20
_NARROW = 40
# From here on the speed needs no decimals, in bytes a second.
_FAST = 10e6


class TransferLine:
    """Shows a transfer on `stream`.

    `live` says that it is a terminal that can redraw a line; where it is none, `lines` says whether to write some.
    """

    def __init__(self, stream: TextIO, *, live: bool, lines: bool = True) -> None:
        self._stream = stream
        self._lines = lines
        self._line = ErasableLine(stream) if live else None
        self._label = ""
        self._points: deque[tuple[float, int]] = deque()
        self._drawn = self._drawn_done = 0.0

    def show(self, label: str, done: int, total: int | None) -> None:
        """Show that `done` bytes of `total` are through with what `label` names."""
        now = time.monotonic()
        # File names can hold anything, line ends too.
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
                self._line.draw(self._sentence(done, total, room()))
        elif self._lines and self._is_time(now, done, total):
            self._drawn, self._drawn_done = now, float(done)
            self._write(self._sentence(done, total, None))

    def note(self, sentence: str) -> None:
        """Show a sentence on a line of its own."""
        self.clear()
        self._write(clean(sentence))

    def clear(self) -> None:
        """Remove the line that is redrawn."""
        if self._line:
            self._line.erase()
        self._drawn = 0.0 if self._line else self._drawn

    def _is_time(self, now: float, done: int, total: int | None) -> bool:
        waited = now - self._drawn
        gained = total is None or done - self._drawn_done >= _SHARE * total
        return (waited >= _PATIENCE and gained) or waited >= _LONG

    def _sentence(self, done: int, total: int | None, columns: int | None) -> str:
        """Return what is most worth knowing in that many columns; everything where they are not limited."""
        speed = self._speed()
        size = f"{done / 1e6:,.0f} MB" if total is None else f"{done / 1e6:,.0f}/{total / 1e6:,.0f} MB"
        # What is left out first in a narrow place comes last here; the place in the line is the number.
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
        """Return the bytes a second of late, 0 where it is too early to say."""
        (begun, first), (now, last) = self._points[0], self._points[-1]
        return (last - first) / (now - begun) if now - begun > 0.5 else 0.0

    def _write(self, sentence: str) -> None:
        # Who cannot see the progress can still get what it leads to.
        with contextlib.suppress(OSError):
            self._stream.write(sentence + "\n")
            self._stream.flush()


def _clock(seconds: float) -> str:
    """Return a time as 1:23:45 or 2:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
