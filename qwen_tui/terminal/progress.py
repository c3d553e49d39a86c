"""One line of honest progress on a terminal, gone without a trace when there is something better to show."""

import time
from typing import TextIO

from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Event, Loading, Prefill, Reasoning
from qwen_tui.terminal.erasable import ErasableLine

# The line is redrawn at most this often, in seconds: what drawing burns, decoding lacks.
_EVERY = 0.1
# Nothing is shown for waits shorter than this, in seconds.
_PATIENCE = 0.3


class StatusLine:
    """Shows loading, prefill and thinking on `stream`; on anything but a terminal, nothing."""

    def __init__(self, stream: TextIO, *, enabled: bool | None = None) -> None:
        self._line = ErasableLine(stream)
        self._enabled = stream.isatty() if enabled is None else enabled
        # What kind of event came last, and whether it was of waiting for another process.
        self._phase: tuple[type[Event], bool] | None = None
        # When the phase began, when it last got on, and when the line was last drawn, by the monotonic clock.
        self._begun = self._moved = self._drawn = 0.0
        # What was done already when the phase began, and what is now: tokens, or the fraction that is loaded.
        self._cached = self._done = 0.0
        # How many characters the model has thought.
        self._thought = 0

    def show(self, event: Event) -> None:
        """Take an event; anything but progress clears the line."""
        if not self._enabled:
            return
        now = time.monotonic()
        phase = (type(event), isinstance(event, Prefill) and event.awaited)
        if phase != self._phase:
            self._phase, self._begun, self._moved = phase, now, now
            self._cached = self._done = _progress(event)[0]
            self._thought = 0
        if isinstance(event, Reasoning):
            self._thought += len(event.piece)
        if not isinstance(event, Loading | Prefill | Reasoning):
            self.clear()
        elif now - self._begun >= _PATIENCE and now - self._drawn >= _EVERY:
            self._drawn = now
            self._line.draw(self._sentence(event, now))

    def clear(self) -> None:
        """Remove the line."""
        self._line.erase()

    def _sentence(self, event: Loading | Prefill | Reasoning, now: float) -> str:
        if isinstance(event, Reasoning):
            return _("Thinking … {n} characters").format(n=f"{self._thought:,}")
        done, total = _progress(event)
        if done > self._done:
            self._done, self._moved = done, now
        if isinstance(event, Loading):
            sentence = _("Loading the model … {percent}%").format(percent=int(event.fraction * 100))
        elif event.awaited:
            sentence = _("Waiting for {n} tokens that were just read and are being kept …").format(n=event.total)
        else:
            sentence = _("Reading … {done} of {total} tokens").format(done=event.done, total=event.total)
        got_on = self._done - self._cached
        # What follows the last of the loading has no measure.
        if not got_on or done >= total:
            return sentence
        left = (self._moved - self._begun) / got_on * (total - self._done) - (now - self._moved)
        return sentence + _(", {seconds} s left").format(seconds=max(1, round(left)))


def _progress(event: Event) -> tuple[float, float]:
    """Return how much is done of how much."""
    if isinstance(event, Prefill):
        return event.done, event.total
    return (event.fraction, 1.0) if isinstance(event, Loading) else (0.0, 0.0)
