"""Prompt lookup: drafts the next tokens from a place where the prompt or the answer has said the same before.

A draft changes only when tokens are computed, never which: the model still chooses each of them. This module decides
how long a draft should be, so that drafting never costs more than it gains. With the probability p that a drafted token
is right, a batch of the last token and k drafted ones yields 1 + p + … + p^k tokens for the cost of a batch of k + 1.
`Lookup` drafts the best k, and nothing where plain decoding is as good.
"""

from collections.abc import Sequence
from typing import Protocol

# The most tokens in a draft. In a batch of 32, each token costs the least, which pays where text is copied. The context
# keeps logits for each of them: 600 KB a token with Qwen3's vocabulary.
MOST_DRAFTED = 31
# How many of the last tokens must have occurred before, so that the draft continues that place. A longer match is
# preferred.
_MATCHES = (6, 3)
# The match length that stands for: no match yet after a change in a copied text, but the copy may go on.
_BEHIND_A_CHANGE = 0
# How many tokens of the source a change may leave out, and how many new ones in a row it may add. Beyond that, the text
# counts as no copy any more.
_LEFT_OUT, _NEW = 3, 3
# The assumed chance that a drafted token is right, for each match length, and how many observations that weighs.
_EXPECTED = {6: 0.75, 3: 0.3, _BEHIND_A_CHANGE: 0.5}
_EXPECTED_WEIGHT = 4.0
# Each new observation multiplies the weight of the older ones by this. So about the last dozen decide, and a new kind
# of text is soon noticed.
_MEMORY = 0.92
# A draft must promise this much more than plain decoding. Costs and chances may be wrong, and an estimate is corrected
# only when a draft looks best again, perhaps after a while without one.
_LEAST_GAIN = 1.15
# The costs of batches of 1, 2, 3, … tokens where nobody has measured them: the 4B model in Q4_K_M, not repacked, on two
# cores with AVX-512 and fast memory. With slower memory, larger batches cost less in comparison.
_ASSUMED_COSTS = (
    *(1, 1.9, 2.4, 2.9, 3.5, 4.2, 5.2, 6.1, 6.3, 6.5, 6.5, 6.5, 6.6, 6.7, 6.8, 6.9),
    *(8.0, 8.5, 8.8, 8.8, 8.9, 8.9, 8.9, 8.9, 9.0, 9.0, 9.0, 9.1, 9.1, 9.2, 9.2, 9.2),
)
# The least cost of a batch. A lower figure would be a wrong measurement.
_LEAST_COST = 1.01
# How far one measurement moves a cost, as a part of the difference. The first ones move it more: the assumed cost
# weighs as much as one measurement.
_LEARNING = 0.2
# A measurement this many times above or below the known cost counts as a disturbance, and is cut to that.
_DISTURBANCE = 2.0


class Drafter(Protocol):
    """Guesses the next tokens."""

    def draft(self, most: int) -> Sequence[int]:
        """Return a guess of the next tokens, at most `most`; none where guessing does not pay."""

    def follow(self, tokens: Sequence[int]) -> None:
        """Learn the tokens that did come: the part of the draft that was right, and the one token after it."""

    def measured(self, size: int, seconds: float) -> None:
        """Learn how many `seconds` a batch of `size` tokens took."""


class NoDrafts:
    """Drafts nothing: the model decodes one token after another."""

    def draft(self, most: int) -> Sequence[int]:  # noqa: ARG002 - the protocol's
        return ()

    def follow(self, tokens: Sequence[int]) -> None:
        """Learn nothing."""

    def measured(self, size: int, seconds: float) -> None:
        """Learn nothing."""


class TextIndex:
    """A text of tokens, and the places where its last few occurred before; adding a token takes a microsecond."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self.tokens: list[int] = []
        # For each match length: every sequence of that many tokens, and the position behind its latest occurrence.
        self._behind: dict[int, dict[tuple[int, ...], int]] = {length: {} for length in _MATCHES}
        self._found: dict[int, int | None] = dict.fromkeys(_MATCHES)
        self.extend(tokens)

    def extend(self, tokens: Sequence[int]) -> None:
        """Append `tokens`."""
        known, found = self.tokens, self._found
        for token in tokens:
            known.append(token)
            end = len(known)
            for length, behind in self._behind.items():
                if end >= length:
                    key = tuple(known[end - length :])
                    found[length] = behind.get(key)
                    behind[key] = end

    def find(self) -> tuple[int, int] | None:
        """Return the length of the longest match of the last tokens, and the position behind it, if there is one."""
        for length, position in self._found.items():
            if position is not None:
                return length, position
        return None

    def continued(self, position: int, count: int) -> list[int]:
        """Return the `count` tokens from `position` on. Where the text ends, they begin again at `position`."""
        period = self.tokens[position : position + count]
        return (period * -(-count // len(period)))[:count]


class Copy:
    """The place that the answer copies from. It survives small changes: a word corrected, left out or added.

    `position` is where the source goes on, None where nothing is being copied. `unchanged` says whether the last token
    was the expected one.
    """

    def __init__(self, index: TextIndex) -> None:
        self._index = index
        self._changed = 0
        self.position: int | None = None

    @property
    def unchanged(self) -> bool:
        return self._changed == 0

    def follow(self, position: int, tokens: Sequence[int]) -> None:
        """Compare the `tokens` that came with the source from `position` on."""
        if position != self.position:
            self.position, self._changed = position, 0
        for token in tokens:
            near = self._index.tokens[position : position + _LEFT_OUT]
            self._changed = 0 if near[:1] == [token] else self._changed + 1
            # A token that is not in the source nearby counts as a replacement of one token.
            position += 1 + (near.index(token) if token in near else 0)
        alive = self._changed <= _NEW and position < len(self._index.tokens)
        self.position = position if alive else None


class Acceptance:
    """The estimated chance that a guessed token is right, from the latest guesses."""

    def __init__(self, expected: float) -> None:
        self._expected = expected
        self._right = self._all = 0.0

    def learn(self, right: int, wrong: int) -> None:
        """Add guesses: first the `right` ones, then the `wrong` ones."""
        for outcome in (1.0,) * right + (0.0,) * wrong:
            self._right = self._right * _MEMORY + outcome
            self._all = self._all * _MEMORY + 1

    def __float__(self) -> float:
        return (self._right + self._expected * _EXPECTED_WEIGHT) / (self._all + _EXPECTED_WEIGHT)


class BatchCosts:
    """The cost `of[n]` of a batch of n tokens, in batches of one token; n is 1 to `MOST_DRAFTED` + 1. Never falls."""

    def __init__(self, given: Sequence[float] = ()) -> None:
        """`given` are costs for 1, 2, 3, … tokens. The rest keep the shape of the assumed costs, scaled to these."""
        self.of = [0.0, *map(float, _ASSUMED_COSTS)]
        # How often each size was measured.
        self._measured: dict[int, int] = {1: 0}
        self._one: float | None = None
        for size, cost in enumerate(given[: MOST_DRAFTED + 1], start=1):
            self._set(size, cost)

    def measured(self, size: int, seconds: float) -> None:
        """Learn from one batch: its time is divided by the mean time of batches of one token."""
        if size == 1:
            one = self._one or seconds
            self._one = one + _LEARNING * (_near(seconds, one) - one)
        elif self._one:
            cost = self.of[size]
            weight = max(_LEARNING, 1 / (self._measured.get(size, 0) + 2))
            self._set(size, cost + weight * (_near(seconds / self._one, cost) - cost))

    def _set(self, size: int, cost: float) -> None:
        if size == 1:
            return
        cost = max(cost, _LEAST_COST)
        scale = (cost - 1) / (self.of[size] - 1)
        self._measured[size] = self._measured.get(size, 0) + 1
        self.of[size] = cost
        for n in range(2, len(self.of)):
            if n not in self._measured:
                self.of[n] = 1 + (self.of[n] - 1) * scale
        for n in range(size + 1, len(self.of)):
            self.of[n] = max(self.of[n], self.of[n - 1])
        for n in range(size - 1, 1, -1):
            self.of[n] = min(self.of[n], self.of[n + 1])


class Lookup:
    """A `Drafter` that drafts what followed the last few tokens when they occurred before."""

    def __init__(self, prompt: Sequence[int], costs: BatchCosts, *, learn_costs: bool) -> None:
        """Without `learn_costs` the drafts depend on the tokens alone, and are the same every time."""
        self._index = TextIndex(prompt)
        self._costs = costs
        self._learn_costs = learn_costs
        self._acceptance = {length: Acceptance(expected) for length, expected in _EXPECTED.items()}
        self._copy = Copy(self._index)
        self._guess: list[int] = []
        self._match = self._position = 0

    def draft(self, most: int) -> Sequence[int]:
        found = self._find()
        if found is None:
            self._guess = []
            return ()
        self._match, self._position = found
        count = best_count(float(self._acceptance[self._match]), self._costs.of, most)
        # Where no draft pays, one token is still guessed: comparing it is free, and shows when drafting begins to pay.
        self._guess = self._index.continued(self._position, max(count, 1))
        return self._guess[:count]

    def _find(self) -> tuple[int, int] | None:
        found, copied = self._index.find(), self._copy.position
        if copied is None or (found and (found[0] > min(_MATCHES) or not self._copy.unchanged)):
            return found
        return _BEHIND_A_CHANGE, copied

    def follow(self, tokens: Sequence[int]) -> None:
        if self._guess:
            right = 0
            pairs = list(zip(self._guess, tokens, strict=False))
            while right < len(pairs) and pairs[right][0] == pairs[right][1]:
                right += 1
            self._acceptance[self._match].learn(right, wrong=int(right < len(pairs)))
        self._index.extend(tokens)
        if self._guess:
            self._copy.follow(self._position, tokens)
            self._guess = []

    def measured(self, size: int, seconds: float) -> None:
        if self._learn_costs:
            self._costs.measured(size, seconds)


def best_count(chance: float, costs: Sequence[float], most: int) -> int:
    """Return how many tokens to draft if each is right with this `chance`; a batch of n tokens costs `costs[n]`."""
    best, best_gain = 0, _LEAST_GAIN
    expected, likely = 1.0, 1.0
    for count in range(1, min(most, len(costs) - 2) + 1):
        likely *= chance
        expected += likely
        gain = expected / costs[count + 1]
        if gain > best_gain:
            best, best_gain = count, gain
    return best


def _near(value: float, known: float) -> float:
    return min(max(value, known / _DISTURBANCE), known * _DISTURBANCE)
