"""Measures how long reading and writing a token take on this computer, from the events of answers."""

import time

from qwen_tui.messages import Event, Finished, Prefill

# With fewer computed tokens than this, the measurement is not used.
_FEWEST_TOKENS = 64
# The same for tokens of answers.
_FEWEST_WRITTEN = 32
# Of the prefills before the current one, so many tokens count: the speed of a PC changes with what else it does.
_REMEMBERED = 512
# Behind so many tokens, a token takes twice as long as at the beginning of a context. Its weights cost the same at
# every place. Attention costs 4·n_layer·n_head·d_head operations more for each token before it: for Qwen3-4B 0.6
# million, beside 7,200 million for the weights. By the operations alone it would be 12,000 tokens. Those of attention
# are slower: its numbers have 16 bits, and those of the weights four. Prefills of the 4B shape with two threads on two
# PCs: 512 tokens took 22 s and 4,000 about four minutes; 516 took 25 to 29 s, 2,016 took 117 to 121 s, and 4,016 took
# 279 to 298 s. With this number, the time of the shortest one foretells the others of its PC within a sixth.
_DOUBLES_BEHIND = 4000


class PrefillCost:
    """Learns from the events of answers. The engine uses it to estimate waits, the worker to decide on stored states.

    `known_s` are the seconds for a token at the beginning of a context, from an earlier measurement, 0 without one.
    They count until enough tokens have been computed.
    """

    def __init__(self, known_s: float = 0.0) -> None:
        self.known_s = known_s
        # The computed tokens, and what they would be worth if all were as cheap as the first one of a context.
        self._tokens = self._worth = 0.0
        self._seconds = 0.0
        # The last progress of the current prefill, and when it came.
        self._last: tuple[Prefill, float] | None = None

    def begin(self) -> None:
        """Begin another answer: the time before it does not count as prefill."""
        self._last = None
        if self._tokens > _REMEMBERED:
            share = _REMEMBERED / self._tokens
            self._tokens, self._worth, self._seconds = self._tokens * share, self._worth * share, self._seconds * share

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
                self._worth += _worth(event.done) - _worth(before.done)
                self._seconds += now - then
        self._last = event, now

    @property
    def is_measured(self) -> bool:
        """Whether enough tokens were computed here to know what one costs."""
        return self._tokens >= _FEWEST_TOKENS

    @property
    def is_known(self) -> bool:
        """Whether a wait can be foretold. The last few tokens of a prompt that was read ahead take long, each."""
        return self.known_s > 0 or self.is_measured

    @property
    def token_s(self) -> float:
        """The seconds to compute a prompt token at the beginning of a context, 0 if unknown."""
        if self.known_s and not self.is_measured:
            return self.known_s
        return self._seconds / self._worth if self._worth else 0.0

    def seconds(self, tokens: int, cached: int = 0) -> float:
        """Return how long it takes to compute the tokens of a prompt behind the `cached` ones; 0 if that is unknown."""
        return max(0.0, _worth(tokens) - _worth(cached)) * self.token_s


def _worth(tokens: int) -> float:
    """Return how many times as much the first `tokens` of a context cost together as the first one alone."""
    return tokens + tokens * tokens / (2 * _DOUBLES_BEHIND)


class DecodeCost:
    """Learns from finished answers how long it takes to write a token. `known_s` is as for `PrefillCost`."""

    def __init__(self, known_s: float = 0.0) -> None:
        self.known_s = known_s
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
        if self.known_s and self._tokens < _FEWEST_WRITTEN:
            return self.known_s
        return self._seconds / self._tokens if self._tokens else 0.0
