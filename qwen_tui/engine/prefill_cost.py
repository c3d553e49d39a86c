"""What the prefill of a token costs on this computer, learned from the progress of prefills."""

import time

from qwen_tui.messages import Event, Prefill

# Fewer computed tokens than this are too few to measure.
_FEWEST_TOKENS = 64


class PrefillCost:
    """Learns from the events of answers. Both the engine and its worker do: one for the person, one for the states.

    `known_s` are the seconds for a token as they were measured at another time, 0 if they were not. They count until
    enough tokens were computed now.
    """

    def __init__(self, known_s: float = 0.0) -> None:
        self.known_s = known_s
        self._tokens = 0
        self._seconds = 0.0
        # The last progress of the current prefill, and when it came.
        self._last: tuple[Prefill, float] | None = None

    def begin(self) -> None:
        """Know that another answer begins: the time before it is no prefill."""
        self._last = None

    def watch(self, event: Event) -> None:
        """Learn from one event of an answer, as soon as it comes."""
        if not isinstance(event, Prefill):
            return
        now = time.perf_counter()
        if self._last:
            before, then = self._last
            # What is cached later was restored, and what comes before the first batch is no computing.
            if event.cached == before.cached and event.done > before.done:
                self._tokens += event.done - before.done
                self._seconds += now - then
        self._last = event, now

    @property
    def token_s(self) -> float:
        """How long a prompt token takes to compute, in seconds; 0 if that is not known."""
        if self.known_s and self._tokens < _FEWEST_TOKENS:
            return self.known_s
        return self._seconds / self._tokens if self._tokens else 0.0
