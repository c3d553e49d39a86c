"""What arithmetic changes: the most likely token of each side, at every place of the same answer."""

import math
from collections.abc import Sequence
from statistics import NormalDist, median

import msgspec

from qwen_tui.evaluation.compare.runs import Followed

_SURE = 0.95


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """The places of one answer or of several, for one side against the first one.

    At `differing` of `count` places, the most likely token is another; the true share lies between `low` and `high`
    (95%). A margin is by how much the logit of the most likely token exceeds that of the next one; `margins` are those
    of the first side where the sides differ, the largest last, `median_margin` is that over all places. `shift` is the
    median of how far the margin itself differs between the sides.
    """

    count: int
    differing: int
    low: float
    high: float
    margins: tuple[float, ...]
    median_margin: float
    shift: float


def places(pairs: Sequence[tuple[Followed, Followed]]) -> Places | None:
    """Return what is seen in pairs of the first side and another one, each of one answer that is not empty.

    None if the sides read an answer in other tokens: then no place of one is one of the other.
    """
    if any(first.tokens != other.tokens for first, other in pairs):
        return None
    margins: list[float] = []
    shifts: list[float] = []
    differing: list[float] = []
    for first, other in pairs:
        for at in range(len(first.tokens)):
            margin, there = _margin(first.logits[at]), _margin(other.logits[at])
            margins.append(margin)
            shifts.append(abs(there - margin))
            if first.best[at][0] != other.best[at][0]:
                differing.append(margin)
    low, high = share(len(differing), len(margins))
    return Places(
        count=len(margins),
        differing=len(differing),
        low=low,
        high=high,
        margins=tuple(sorted(differing)),
        median_margin=median(margins),
        shift=median(shifts),
    )


def share(hits: int, count: int) -> tuple[float, float]:
    """Return the 95% interval of a share (Wilson 1927, "Probable Inference, the Law of Succession").

    It takes the places as independent, and neighbours are not quite that.
    """
    z = NormalDist().inv_cdf((1 + _SURE) / 2)
    middle = (hits + z * z / 2) / (count + z * z)
    half = z / (count + z * z) * math.sqrt(hits * (count - hits) / count + z * z / 4)
    return max(0.0, middle - half), min(1.0, middle + half)


def _margin(logits: tuple[float, float]) -> float:
    return logits[0] - logits[1]
