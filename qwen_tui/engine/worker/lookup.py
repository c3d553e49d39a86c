"""Prompt lookup: drafts of what comes next, taken from where the prompt or the answer said the same before.

A draft changes when tokens are computed, never which: the model still draws each one. What follows here is how much to
draft, so that it never costs more than it brings. With a probability p that a drafted token is right, a batch of the
last token and k drafted ones brings 1 + p + … + p^k tokens, for the cost of a batch of k + 1; the best k is drafted,
and none where plain decoding is as good.
"""

from collections.abc import Sequence
from typing import Protocol

# The most tokens in a draft, for text that is copied: of 32 each costs the least. Logits are kept for each: 600 KB a
# token with Qwen3's vocabulary.
MOST_DRAFTED = 31
# How many tokens must be the same before the place they were last seen at is continued: the longer the better.
_MATCHES = (6, 3)
# Behind a change, what is copied may go on where it was left, though nothing is the same yet.
_BEHIND_A_CHANGE = 0
# So many tokens of it may be left out in a change, and so many in a row be new, or else it is no copy any more.
_LEFT_OUT, _NEW = 3, 3
# How often such a match is taken to go on the same before anything is known, and how many observations that weighs.
_EXPECTED = {6: 0.75, 3: 0.3, _BEHIND_A_CHANGE: 0.5}
_EXPECTED_WEIGHT = 4.0
# What an observation weighs after the next one: the last dozen decide, so that a new kind of text is soon noticed.
_MEMORY = 0.92
# A draft must promise this much more than plain decoding: costs and chances may be wrong, and corrections come when the
# chance looks best, after a while without one.
_LEAST_GAIN = 1.15
# What batches of 1, 2, 3, … tokens cost where nobody has measured: the 4B model in Q4_K_M on two cores with AVX-512 and
# fast memory, not repacked. Slower memory makes batches cheaper.
_ASSUMED_COSTS = (
    *(1, 1.9, 2.4, 2.9, 3.5, 4.2, 5.2, 6.1, 6.3, 6.5, 6.5, 6.5, 6.6, 6.7, 6.8, 6.9),
    *(8.0, 8.5, 8.8, 8.8, 8.9, 8.9, 8.9, 8.9, 9.0, 9.0, 9.0, 9.1, 9.1, 9.2, 9.2, 9.2),
)
# What a batch costs at least: less would be a measurement gone wrong.
_LEAST_COST = 1.01
# How much a measurement moves a cost: the first ones more, what is assumed weighing as one of them, later ones so much.
# How far off it may be before it counts as a disturbance.
_LEARNING = 0.2
_DISTURBANCE = 2.0


class Drafter(Protocol):
    """Guesses what the model will say."""

    def draft(self, most: int) -> Sequence[int]:
        """Return what may come next, at most that many tokens; none where guessing does not pay."""

    def follow(self, tokens: Sequence[int]) -> None:
        """Take what did come: as much of the draft as was right, and the one token after it."""

    def measured(self, size: int, seconds: float) -> None:
        """Take how long a batch of `size` tokens took."""


class NoDrafts:
    """Drafts nothing: one token after another."""

    def draft(self, most: int) -> Sequence[int]:  # noqa: ARG002 - the protocol's
        return ()

    def follow(self, tokens: Sequence[int]) -> None:
        """Nothing is learned from them."""

    def measured(self, size: int, seconds: float) -> None:
        """Nothing is learned from it."""


class TextIndex:
    """Tokens, and where their last few were seen before; a token more takes a microsecond."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self.tokens: list[int] = []
        # For each length: what came, and the position behind its latest coming.
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
        """Return how many of the last tokens came before, and the position behind the latest such place."""
        for length, position in self._found.items():
            if position is not None:
                return length, position
        return None

    def continued(self, position: int, count: int) -> list[int]:
        """Return `count` tokens as from `position` on; what repeats itself up to the end goes on repeating."""
        period = self.tokens[position : position + count]
        return (period * -(-count // len(period)))[:count]


class Copy:
    """Where the answer is copying from, kept over what it changes: a corrected word, one left out, one put in.

    `position` is where the text should go on, None where nothing is being copied; `unchanged` says whether the last
    token was as expected.
    """

    def __init__(self, index: TextIndex) -> None:
        self._index = index
        self._changed = 0
        self.position: int | None = None

    @property
    def unchanged(self) -> bool:
        return self._changed == 0

    def follow(self, position: int, tokens: Sequence[int]) -> None:
        """Take the `tokens` that came where the text from `position` on was expected."""
        if position != self.position:
            self.position, self._changed = position, 0
        for token in tokens:
            near = self._index.tokens[position : position + _LEFT_OUT]
            self._changed = 0 if near[:1] == [token] else self._changed + 1
            # One that is not there is taken to stand in for the one that is.
            position += 1 + (near.index(token) if token in near else 0)
        alive = self._changed <= _NEW and position < len(self._index.tokens)
        self.position = position if alive else None


class Acceptance:
    """How likely a guessed token is right, by the latest guesses."""

    def __init__(self, expected: float) -> None:
        self._expected = expected
        self._right = self._all = 0.0

    def learn(self, right: int, wrong: int) -> None:
        """Take that so many guesses were right, and then so many wrong."""
        for outcome in (1.0,) * right + (0.0,) * wrong:
            self._right = self._right * _MEMORY + outcome
            self._all = self._all * _MEMORY + 1

    def __float__(self) -> float:
        return (self._right + self._expected * _EXPECTED_WEIGHT) / (self._all + _EXPECTED_WEIGHT)


class BatchCosts:
    """What a batch of n tokens costs, in batches of one; `of[n]`, from 1 to `MOST_DRAFTED` + 1. Never falls with n."""

    def __init__(self, given: Sequence[float] = ()) -> None:
        """`given` are costs for 1, 2, 3, … tokens; what is missing has the shape of those assumed, but their scale."""
        self.of = [0.0, *map(float, _ASSUMED_COSTS)]
        # How often each was measured.
        self._measured: dict[int, int] = {1: 0}
        self._one: float | None = None
        for size, cost in enumerate(given[: MOST_DRAFTED + 1], start=1):
            self._set(size, cost)

    def measured(self, size: int, seconds: float) -> None:
        """Learn from a batch: what it took is put in relation to the mean of those of one token."""
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
    """A `Drafter` that looks up what followed the last few tokens when they came before."""

    def __init__(self, prompt: Sequence[int], costs: BatchCosts, *, learn_costs: bool) -> None:
        """Without `learn_costs` the drafts follow from the tokens alone, and are the same every time."""
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
        # One token is guessed even where none is drafted: seeing whether it was right is free, and tells when to begin.
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
    """Return how many tokens to draft if each is right with that chance; `costs[n]` is that of a batch of n tokens."""
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
