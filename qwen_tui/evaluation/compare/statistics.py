"""What may be concluded from a few rounds: which differences were seen, and how many rounds would have shown others.

The rounds are paired: both sides answer with the same seed, and each pair gives one difference between 1 and -1. Three
rounds are very few. So a difference is called seen only by an exact test, corrected for the number of checks, and each
result says how many rounds would have been enough.
"""

import math
import random
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist, fmean, variance
from typing import TypeVar

from qwen_tui.i18n import gettext as _

ALPHA = 0.05
POWER = 0.8
# With fewer rounds there is no interval that could be relied on; `fewest_rounds` says why they show no difference.
FEWEST_ROUNDS = 6
# The test is exact for values in whole units: a tenth of a point, with many rounds a point, to save time.
_UNITS, _COARSE_UNITS, _MANY_ROUNDS = 1000, 100, 60
_RESAMPLES = 2000
# In four of five pilot studies, the spread is no greater than the bound that is calculated from it.
_SURE = 0.8

_Name = TypeVar("_Name", bound=Hashable)
Pair = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One check on both sides. Values are from 0 to 1; `difference` is the mean of b - a.

    `rounds` counts the pairs in which both sides could be judged. `low` and `high` are the 95% interval of this check
    alone, None with too few rounds. `p` is of this check alone, `adjusted` is corrected for all checks. `needed` is the
    number of rounds in which a difference of `size` would be seen with a probability of 80%, None without two rounds.
    """

    rounds: int
    mean_a: float
    mean_b: float
    difference: float
    low: float | None
    high: float | None
    p: float
    adjusted: float
    size: float
    needed: int | None

    @property
    def seen(self) -> bool:
        """Whether there is a difference, with at most 5% false alarms over all checks together."""
        return self.adjusted <= ALPHA

    def within(self) -> str:
        """Return the 95% interval in points of 100, to stand behind a difference; "" with too few rounds for one."""
        if self.low is None or self.high is None:
            return ""
        return _(" (95%: {low:+.1f} to {high:+.1f})").format(low=100 * self.low, high=100 * self.high)


def fewest_rounds(checks: int = 1) -> int:
    """Return with how many pairs a difference in one of `checks` can be seen at all; with fewer, it never is.

    Even if all differences agree in their direction, chance does that in 2 of 2^rounds cases.
    """
    return math.ceil(math.log2(2 * max(1, checks) / ALPHA))


def compare(checks: Mapping[_Name, Sequence[Pair]], *, seed: int, size: float = 0.1) -> dict[_Name, Comparison]:
    """Compare both sides in all checks of an experiment, which together are one family.

    A pair has the values of one check for both sides in the same round; pairs in which a side could not be judged do
    not count. `seed` is for the intervals. `size` is the difference for which the number of rounds is told.
    """
    pairs = {name: [(a, b) for a, b in rounds if a is not None and b is not None] for name, rounds in checks.items()}
    differences = {name: [b - a for a, b in rounds] for name, rounds in pairs.items()}
    alone = {name: sign_flip(found) for name, found in differences.items()}
    # A check without any pair was not made, so it takes nothing from the others.
    made = {name: p for name, p in alone.items() if differences[name]}
    adjusted = dict(zip(made, holm(list(made.values())), strict=True))
    result = {}
    for number, (name, found) in enumerate(differences.items()):
        low, high = interval(found, random.Random(seed + number)) or (None, None)  # noqa: S311 - no secret
        result[name] = Comparison(
            rounds=len(found),
            mean_a=fmean(a for a, _b in pairs[name]) if found else 0.0,
            mean_b=fmean(b for _a, b in pairs[name]) if found else 0.0,
            difference=fmean(found) if found else 0.0,
            low=low,
            high=high,
            p=alone[name],
            adjusted=adjusted.get(name, 1.0),
            size=size,
            needed=rounds_needed(found, size, checks=len(made)),
        )
    return result


def sign_flip(differences: Sequence[float]) -> float:
    """Return the probability that chance alone gives a mean as far from 0 as this one, in either direction.

    Without a difference between the sides, each pair could as well be the other way round. All 2^n ways count, so the
    probability is exact for any distribution (Fisher 1935, Pitman 1937). They are counted by the number of those with
    each sum, as Pagano and Tritchler (1983) do; here the counts are the digits of one large number.
    """
    unit = _UNITS if len(differences) <= _MANY_ROUNDS else _COARSE_UNITS
    units = [round(difference * unit) for difference in differences]
    observed = abs(sum(units))
    sizes = [abs(one) for one in units if one]
    if not observed:
        return 1.0
    shared = math.gcd(*sizes)
    sizes = [size // shared for size in sizes]
    observed //= shared
    digit = len(sizes) + 1
    counts = 1
    for size in sizes:
        # Each way there was so far, with this difference as it is, and with its sign changed.
        counts += counts << (size * digit)
    farthest = (sum(sizes) - observed) // 2
    tail = counts & ((1 << (digit * (farthest + 1))) - 1)
    # The remainder by the base less 1 is the sum of the digits.
    ways = tail % ((1 << digit) - 1)
    return float(min(Fraction(1), Fraction(2 * ways, 1 << len(sizes))))


def holm(probabilities: Sequence[float]) -> list[float]:
    """Return the probabilities corrected for their number (Holm 1979): at most 5% false alarms over all of them.

    That holds however the checks depend on each other.
    """
    order = sorted(range(len(probabilities)), key=probabilities.__getitem__)
    adjusted = [1.0] * len(probabilities)
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * probabilities[place]))
        adjusted[place] = highest
    return adjusted


def interval(differences: Sequence[float], chance: random.Random) -> tuple[float, float] | None:
    """Return the 95% interval of the mean difference, None with fewer than `FEWEST_ROUNDS`.

    It is the expanded percentile interval of the bootstrap (Hesterberg 2015, "What Teachers Should Know about the
    Bootstrap"): the plain percentile interval is too narrow for few rounds, and this one is as wide as Student's t
    asks. If all differences are equal the bootstrap would say that there is no doubt at all. Then the exact binomial
    bound tells which share of rounds may differ unseen (Clopper and Pearson 1934; the "rule of three").
    """
    rounds = len(differences)
    if rounds < FEWEST_ROUNDS:
        return None
    if max(differences) - min(differences) < 1 / _UNITS:
        unseen = 1 - (ALPHA / 2) ** (1 / rounds)
        value = differences[0]
        return value - unseen * (1 + value), value + unseen * (1 - value)
    place = _place(rounds)
    means = sorted(fmean(chance.choices(differences, k=rounds)) for _resample in range(_RESAMPLES))
    return means[place], means[-1 - place]


def change(pairs: Sequence[Pair], chance: random.Random) -> tuple[float, float, float] | None:
    """Return by which share the mean of b differs from that of a, with its 95% interval, as `interval` finds it.

    Both means are uncertain, so both are drawn anew each time. None with fewer than `FEWEST_ROUNDS`, and where the mean
    of a may be 0: no share of that can be told.
    """
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    if len(known) < FEWEST_ROUNDS:
        return None
    draws = [known, *(chance.choices(known, k=len(known)) for _resample in range(_RESAMPLES))]
    sums = [(sum(a for a, _b in draw), sum(b for _a, b in draw)) for draw in draws]
    place = _place(len(known))
    if sorted(a for a, _b in sums)[place] <= 0 or not sums[0][0]:
        return None
    shares = [b / a - 1 if a else math.inf for a, b in sums]
    ordered = sorted(shares[1:])
    return shares[0], ordered[place], ordered[-1 - place]


def _place(rounds: int) -> int:
    """Return how many of `_RESAMPLES` sorted values lie outside the expanded percentile interval at each end."""
    t = _student(1 - ALPHA / 2, rounds - 1)
    return round(NormalDist().cdf(-math.sqrt(rounds / (rounds - 1)) * t) * (_RESAMPLES - 1))


def rounds_needed(differences: Sequence[float], size: float, *, checks: int) -> int | None:
    """Return in how many rounds a true difference of `size` would be seen with a probability of 80%.

    The formula is that of the paired t test with its small correction (Guenther 1981), with the level that Holm's first
    step asks of one of `checks`. The spread is an upper bound from the rounds there were, since few rounds tell it
    badly (Browne 1995, "On the use of a pilot sample for sample size determination"). It is never fewer than the rounds
    in which the exact test can reach that level. None with fewer than two rounds.
    """
    rounds = len(differences)
    if rounds < 2:
        return None
    level = ALPHA / max(1, checks)
    far = NormalDist().inv_cdf(1 - level / 2)
    needed = (far + NormalDist().inv_cdf(POWER)) ** 2 * _greatest_variance(differences) / size**2 + far**2 / 2
    return max(math.ceil(needed), fewest_rounds(checks))


def _greatest_variance(differences: Sequence[float]) -> float:
    """Return an upper bound of the variance of the differences, which lie between -1 and 1."""
    rounds = len(differences)
    # So many rounds may differ by 1, and it was not seen.
    unseen = 1 - math.pow(1 - _SURE, 1 / rounds)
    if max(differences) - min(differences) < 1 / _UNITS:
        return unseen
    free = rounds - 1
    # The quantile of chi-squared by Wilson and Hilferty (1931).
    share = 2 / (9 * free)
    quantile = free * (1 - share + NormalDist().inv_cdf(1 - _SURE) * math.sqrt(share)) ** 3
    bound = variance(differences) * free / quantile
    alike = sum(abs(difference) < 1 / _UNITS for difference in differences)
    # Where most rounds do not differ, a few rare ones decide, and the formula above does not know of such.
    return min(1.0, max(bound, unseen) if 2 * alike >= rounds else bound)


def _student(probability: float, free: int) -> float:
    """Return the quantile of Student's t with `free` degrees of freedom, by bisection."""
    low, high = 0.0, 1000.0
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if (1 + _within(middle, free)) / 2 < probability else (low, middle)
    return high


def _within(t: float, free: int) -> float:
    """Return the probability that Student's t is between -t and t (Abramowitz and Stegun, 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(free))
    sine, cosine = math.sin(angle), math.cos(angle)
    if free % 2 == 0:
        return sine * _powers(1.0, cosine, range(2, free, 2))
    return 2 / math.pi * (angle + (sine * _powers(cosine, cosine, range(3, free, 2)) if free > 1 else 0.0))


def _powers(term: float, cosine: float, steps: range) -> float:
    """Return the sum of `term` and the terms that follow it in the series of Student's t."""
    total = term
    for step in steps:
        term *= cosine * cosine * (step - 1) / step
        total += term
    return total
