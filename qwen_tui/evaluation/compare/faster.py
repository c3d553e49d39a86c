"""Which of two sides writes faster, and whether a few answers can tell it."""

from statistics import median
from typing import NamedTuple

from qwen_tui.evaluation.compare.results import Results
from qwen_tui.evaluation.compare.statistics import fewest_rounds
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import ngettext

# Speeds in this ratio are called equal, if neither side was always the faster one; those in the next one always are.
_EQUAL, _SAME = 1.1, 1.01


class SpeedDifference(NamedTuple):
    """How fast a side writes beside the first one, over the pairs of answers for which both tell it.

    `first` and `other` are the medians in tokens per second, `ratio` is the median of other / first. `leads` is 1 or -1
    if this side was the faster or the slower one in every pair, else 0. With few pairs, that may be chance.
    """

    pairs: int
    first: float
    other: float
    ratio: float
    leads: int
    is_chance: bool


def speed_difference(results: Results, side: int) -> SpeedDifference | None:
    """Return how fast a side is, None where nobody tells."""
    pairs = [
        (first.writing_tps, other.writing_tps)
        for first, other in zip(results.measured(0), results.measured(side), strict=True)
        if first.writing_tps and other.writing_tps
    ]
    if not pairs:
        return None
    ratios = [other / first for first, other in pairs]
    return SpeedDifference(
        pairs=len(pairs),
        first=median(first for first, _other in pairs),
        other=median(other for _first, other in pairs),
        ratio=median(ratios),
        leads=1 if min(ratios) > 1 else -1 if max(ratios) < 1 else 0,
        is_chance=len(pairs) < fewest_rounds(len(results.names) - 1),
    )


def which_is_faster(results: Results, side: int) -> str:
    """Say which of two sides writes faster, as far as the answers agree on it."""
    found = speed_difference(results, side)
    if found is None:
        return ""
    first, other, ratio = found.first, found.other, found.ratio
    names = (results.names[0], results.names[side])
    if not found.leads or 1 / _SAME < ratio < _SAME:
        sentence = (
            _("{b} and {a} write about equally fast: {fast_b:.1f} and {fast_a:.1f} tokens/s.")
            if 1 / _EQUAL < ratio < _EQUAL
            else _("{b} or {a}, which is faster changes from answer to answer: {fast_b:.1f} and {fast_a:.1f} tokens/s.")
        )
    elif found.is_chance:
        sentence = ngettext(
            "In the one pair of answers, {b} wrote {ratio} times as fast as {a}: {fast_b:.1f} against {fast_a:.1f}"
            " tokens/s. That may be chance.",
            "In all {n} pairs of answers, {b} wrote {ratio} times as fast as {a}: {fast_b:.1f} against {fast_a:.1f}"
            " tokens/s. So few may agree by chance.",
            found.pairs,
        )
    else:
        sentence = _("{b} writes {ratio} times as fast as {a}: {fast_b:.1f} against {fast_a:.1f} tokens/s.")
    if found.leads < 0:
        names, first, other, ratio = names[::-1], other, first, 1 / ratio
    times = f"{ratio:.1f}" if ratio >= _EQUAL else f"{ratio:.2f}"
    return sentence.format(a=names[0], b=names[1], ratio=times, fast_a=first, fast_b=other, n=found.pairs)
