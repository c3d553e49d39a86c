"""The published claims about templates, beside what was seen here."""

import dataclasses
import random
from collections.abc import Iterator, Sequence

from qwen_tui.evaluation.compare.results import Checked, Results
from qwen_tui.evaluation.compare.statistics import Comparison, Pair, change
from qwen_tui.i18n import gettext as _

# What a published test says: with templates, the first sentence is so much more relevant, and so much less is filler.
_RELEVANCE, _FILLER = 0.40, -0.65


def sentences(results: Results) -> Iterator[str]:
    """Say what the templates changed of the first sentence and of filler, and set it beside what was published."""
    near = results.compared[Checked("", "first_sentence", 1)]
    filler = results.compared[Checked("", "filler", 1)]
    if not near.rounds or not filler.rounds:
        yield _("No pair of answers has sentences to compare.")
        return
    yield _(
        "The first sentence has {b:.1%} of the question's content words with the templates, and {a:.1%} without:"
        " {points:+.1f} points{interval}, in {pairs} pairs of answers. {seen} This share is a proxy for relevance: a"
        " sentence that only repeats the question has all of them."
    ).format(
        a=near.mean_a,
        b=near.mean_b,
        points=100 * near.difference,
        interval=near.within(),
        pairs=near.rounds,
        seen=_is_seen(near),
    )
    yield _claim(results.pairs[Checked("", "first_sentence", 1)], results.order, _RELEVANCE)
    yield _(
        "Of the sentences, {b:.1%} are filler with the templates, and {a:.1%} without: {points:+.1f} points{interval},"
        " in {pairs} pairs of answers. {seen}"
    ).format(
        a=1 - filler.mean_a,
        b=1 - filler.mean_b,
        points=100 * (0.0 - filler.difference),
        interval=_turned(filler).within(),
        pairs=filler.rounds,
        seen=_is_seen(filler),
    )
    empty = [
        (None, None) if a is None or b is None else (1 - a, 1 - b) for a, b in results.pairs[Checked("", "filler", 1)]
    ]
    yield _claim(empty, results.order, _FILLER)
    cut = sum(run.reason == "length" for run in results.runs.values())
    if cut:
        yield _("{cut} of {n} answers were cut off before their end: what filler stands there is not known.").format(
            cut=cut, n=len(results.runs)
        )


def _is_seen(found: Comparison) -> str:
    return _("A difference was seen.") if found.seen else _("Chance alone could make such a difference.")


def _turned(found: Comparison) -> Comparison:
    """Return the comparison of filler itself, where the check counts sentences that are none."""
    low, high = (None if one is None else -one for one in (found.high, found.low))
    return dataclasses.replace(found, difference=-found.difference, low=low, high=high)


def _claim(pairs: Sequence[Pair], seed: int, claimed: float) -> str:
    """Set the change, as a share of what it was without templates, beside what was published."""
    found = change(pairs, random.Random(seed))  # noqa: S311 - no secret
    if found is None:
        return _("A published test says {claimed:+.0%}: nothing here can be set beside that.").format(claimed=claimed)
    here, low, high = found
    inside = _("which does not contradict that") if low <= claimed <= high else _("which does not agree with that")
    return _(
        "A published test says {claimed:+.0%}; here it is {change:+.0%} (95%: {low:+.0%} to {high:+.0%}), {inside}."
    ).format(claimed=claimed, change=here, low=low, high=high, inside=inside)
