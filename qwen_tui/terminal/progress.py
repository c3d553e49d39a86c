"""One line of progress on a terminal. It disappears as soon as there is something else to show."""

import time
from collections.abc import Callable
from typing import TextIO

from qwen_tui.durations import duration
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed
from qwen_tui.messages import Event, FileRead, Finished, Loading, Prefill, Reasoning, Step, Text, Waiting
from qwen_tui.terminal.erasable import ErasableLine
from qwen_tui.terminal.sanitise import clean

# The least time between two drawings, in seconds: drawing takes processor time from decoding.
_EVERY = 0.1
# The line stays empty for the first 0.3 seconds of a phase, so that short waits show nothing.
_PATIENCE = 0.3
# A server that has not answered for so many seconds is called busy.
_BUSY = 5.0


class StatusLine:
    """Shows loading, prefill, thinking and the parts of long work on `stream`, if that is a terminal."""

    def __init__(
        self,
        stream: TextIO,
        *,
        enabled: bool | None = None,
        alone: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`enabled` decides in the place of the stream. `alone` says that the answer goes elsewhere as it comes.

        Otherwise the line gives way to the answer of a part, and comes back before the next part.
        """
        self._line = ErasableLine(stream)
        self._clock = clock
        self._enabled = stream.isatty() if enabled is None else enabled
        # The kind of the last event; for a prefill also whether it was a wait for another process, and what was cached.
        self._phase: tuple[type[Event | FileRead], bool, int] | None = None
        # By the clock: when the phase began, when it last advanced, and when the line was last drawn.
        self._begun = self._moved = self._drawn = 0.0
        # What was done when the phase began, and what is done now: tokens, or the fraction loaded.
        self._cached = self._done = 0.0
        # The number of characters of reasoning so far.
        self._thought = 0
        self._alone = alone
        # The last step of work in parts that goes on, and when it came; whether the answer to a part is being written.
        self._step: tuple[Step, float] | None = None
        self._gives_way = False

    def show(self, event: Event | FileRead) -> None:
        """Show the progress that `event` reports; any other event clears the line."""
        if not self._enabled:
            return
        now = self._clock()
        if self._is_hidden(event, now):
            return
        # A restored state brings many tokens at once. That is no progress from which a speed could follow.
        phase = (type(event), event.awaited, event.cached) if isinstance(event, Prefill) else (type(event), False, 0)
        # A folder is looked through before its files are read.
        if phase != self._phase or _progress(event)[0] < self._done:
            self._phase, self._begun, self._moved = phase, now, now
            self._cached = self._done = _progress(event)[0]
            self._thought = 0
        if isinstance(event, Reasoning):
            self._thought += len(event.piece)
        if not isinstance(event, FileRead | Loading | Step | Prefill | Reasoning | Waiting) or _is_over(event):
            self.clear()
        elif now - self._begun >= _PATIENCE and now - self._drawn >= _EVERY:
            self._drawn = now
            self._line.draw(self._sentence(event, now))

    def clear(self) -> None:
        """Remove the line."""
        self._line.erase()

    def _is_hidden(self, event: Event | FileRead, now: float) -> bool:
        """Take note of an event of work in parts; return whether the line stays as it is."""
        if isinstance(event, Step):
            self._gives_way = self._gives_way and event.written > 0
            self._step = None if event.done >= event.total else (event, now)
            return self._gives_way
        if isinstance(event, Finished):
            self._step = None
        if self._step is None or not isinstance(event, Text):
            return False
        self._gives_way = not self._alone
        # Where the text goes elsewhere, the line tells how much of it there is: by the step that follows.
        return self._alone

    def _sentence(self, event: FileRead | Loading | Step | Prefill | Reasoning | Waiting, now: float) -> str:
        if self._step is not None and isinstance(event, Step | Prefill | Reasoning | Waiting):
            return self._part(*self._step, event, now)
        assert not isinstance(event, Step), "a step is shown while it is the last one"
        if isinstance(event, Reasoning):
            return _("Thinking … {n} characters").format(n=f"{self._thought:,}")
        if isinstance(event, Waiting):
            return _waiting(event)
        done, total = _progress(event)
        if done > self._done:
            self._done, self._moved = done, now
        if isinstance(event, FileRead):
            sentence = _("Reading {name} … {done} of {total}").format(
                name=" ".join(clean(event.name).split()), done=event.done, total=event.total
            )
        elif isinstance(event, Loading):
            sentence = _("Loading the model … {percent}%").format(percent=int(event.fraction * 100))
        elif event.awaited:
            sentence = _("Waiting for {n} tokens that were just read and are being kept …").format(n=event.total)
        else:
            sentence = _reading(event)
        left = self._left_s(event, total)
        # At 100% the last steps of loading still follow, and nothing measures them.
        if left is None or done >= total:
            return sentence
        return sentence + _(", {time} left").format(time=duration(left - (now - self._moved)))

    def _part(self, step: Step, since: float, event: Step | Prefill | Reasoning | Waiting, now: float) -> str:
        """Return which part it is at, how long all will take, and what happens in the part."""
        sentence = _("Part {number} of {total} …").format(number=step.done + 1, total=step.total)
        if step.left_s is not None:
            sentence += " " + _("{time} left").format(time=duration(max(1.0, step.left_s - (now - since))))
        if isinstance(event, Step):
            inside = _("writing, {n} tokens").format(n=f"{event.written:,}") if event.written else ""
        elif isinstance(event, Prefill):
            inside = _("reading, {percent}%").format(percent=100 * event.done // max(1, event.total))
        elif isinstance(event, Waiting):
            inside = _waiting(event)
        else:
            inside = _("thinking")
        return f"{sentence} · {inside}" if inside else sentence

    def _left_s(self, event: FileRead | Loading | Prefill, total: float) -> float | None:
        """Return how long the rest takes from the last advance on, in seconds; None if that is not known."""
        if got_on := self._done - self._cached:
            return (self._moved - self._begun) / got_on * (total - self._done)
        # Nothing has been measured in this phase, but the engine may have learned before how fast it is.
        return event.left_s if isinstance(event, Prefill) else None


def _waiting(event: Waiting) -> str:
    """Say that a server has not answered yet, and after a while that it is busy."""
    if event.seconds < _BUSY:
        return _("Waiting for {host} …").format(host=clean(event.host))
    return _("{host} is busy, or still reading: {seconds} s …").format(
        host=clean(event.host), seconds=round(event.seconds)
    )


def _reading(event: Prefill) -> str:
    """Return how far a prompt is read, with the page of its document if there are pages."""
    done, total, place = f"{event.done:,}", f"{event.total:,}", event.place
    if place is None:
        return _("Reading … {done} of {total} tokens").format(done=done, total=total)
    where = {
        "page": _("page {n} of {total}"),
        "slide": _("slide {n} of {total}"),
        "sheet": _("sheet {n} of {total}"),
        "chapter": _("chapter {n} of {total}"),
    }.get(place.unit, "{n}/{total}")
    name = " ".join(clean(place.name).split())
    where = where.format(n=place.number, total=place.total)
    return _("Reading … {place} ({done} of {total} tokens)").format(
        place=listed((name, where)) if name else where, done=done, total=total
    )


def _progress(event: Event | FileRead) -> tuple[float, float]:
    """Return how much is done, and the total; (0, 0) for an event that measures nothing."""
    if isinstance(event, FileRead | Prefill):
        return event.done, event.total
    return (event.fraction, 1.0) if isinstance(event, Loading) else (0.0, 0.0)


def _is_over(event: Event | FileRead) -> bool:
    """Whether nothing is left to do of a file, or of work in parts."""
    return isinstance(event, FileRead | Step) and event.done == event.total
