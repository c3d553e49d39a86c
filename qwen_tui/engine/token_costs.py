"""Measures how long reading and writing a token take on this computer, from the events of answers."""

import time

from qwen_tui.messages import Event, Finished, Prefill

# With fewer computed tokens than this, the measurement is not used.
_FEWEST_TOKENS = 64
# The same for tokens of answers.
_FEWEST_WRITTEN = 32


class PrefillCost:
    """Learns from the events of answers. The engine uses it to estimate waits, the worker to decide on stored states.

    `known_s` are the seconds for a token from an earlier measurement, 0 without one. They count until enough tokens
    have been computed.
    """

    def __init__(self, known_s: float = 0.0) -> None:
        self.known_s = known_s
        self._tokens = 0
        self._seconds = 0.0
        # The last progress of the current prefill, and when it came.
        self._last: tuple[Prefill, float] | None = None

    def begin(self) -> None:
        """Begin another answer: the time before it does not count as prefill."""
        self._last = None

    def watch(self, event: Event) -> None:
        """Learn from one event of an answer, as soon as it comes."""
        if not isinstance(event, Prefill):
            return
        now = time.perf_counter()
        if self._last:
            before, then = self._last
            # Tokens that become cached meanwhile were restored. The time before the first batch is not computation.
            if event.cached == before.cached and event.done > before.done:
                self._tokens += event.done - before.done
                self._seconds += now - then
        self._last = event, now

    @property
    def token_s(self) -> float:
        """The seconds to compute a prompt token, 0 if unknown."""
        if self.known_s and self._tokens < _FEWEST_TOKENS:
            return self.known_s
        return self._seconds / self._tokens if self._tokens else 0.0


class DecodeCost:
    """Learns from finished answers how long it takes to write a token. `known_s` is as for `PrefillCost`."""

    def __init__(self, known_s: float = 0.0) -> None:
        self._known_s = known_s
        self._tokens = 0
        self._seconds = 0.0

    def learn(self, finished: Finished) -> None:
        """Learn from the figures of an answer."""
        if finished.timings.decode_tps:
            self._tokens += finished.usage.completion_tokens
            self._seconds += finished.timings.decode_s

    @property
    def token_s(self) -> float:
        """The seconds to write a token, 0 if unknown."""
        if self._known_s and self._tokens < _FEWEST_WRITTEN:
            return self._known_s
        return self._seconds / self._tokens if self._tokens else 0.0
