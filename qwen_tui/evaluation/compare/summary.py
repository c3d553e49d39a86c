"""What was seen, in plain words, and never more than the statistics bear."""

import math
from collections.abc import Iterator
from statistics import median

from qwen_tui.evaluation.compare.checks.catalogue import title
from qwen_tui.evaluation.compare.places import Places
from qwen_tui.evaluation.compare.results import OVERALL, Checked, Results
from qwen_tui.evaluation.compare.statistics import Comparison
from qwen_tui.evaluation.compare.template_effect import CLAIMED_FILLER, CLAIMED_RELEVANCE
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import in_a_row, listed, ngettext

# People read 238 words a minute (Brysbaert 2019, "How many words do we read per minute?"), of 1.3 tokens each.
_READ_TPS = 5
# Speeds in this ratio are called equal, if neither side was always the faster one.
_EQUAL = 1.1


def markdown(results: Results) -> str:
    """Return the summary as a list in Markdown."""
    return "\n".join(f"- {sentence}" for sentence in sentences(results)) + "\n"


def sentences(results: Results) -> list[str]:
    """Return the summary, one item for each thing that was looked at."""
    found: list[str] = []
    others = range(1, len(results.names))
    if results.of_templates:
        return [*_template_effect(results), *(_quick(results, side) for side in others)]
    for side in others:
        found += [_quick(results, side), _good(results, side), _alike(results, side)]
        if side in results.places:
            found.append(_places(results, side, results.places[side]))
    found += [*_seen(results), _cut(results), _energy(results), _advice(results)]
    return [sentence for sentence in found if sentence]


def _ratios(results: Results, side: int) -> list[float]:
    """Return how many times as fast as the first side another one writes, in each pair of answers."""
    return [
        other.writing_tps / first.writing_tps
        for first, other in zip(results.measured(0), results.measured(side), strict=True)
        if first.writing_tps and other.writing_tps
    ]


def _quick(results: Results, side: int) -> str:
    ratios = _ratios(results, side)
    if not ratios:
        return ""
    first, other = (median(one.writing_tps or 0 for one in results.measured(which)) for which in (0, side))
    names, ratio = (results.names[0], results.names[side]), median(ratios)
    if min(ratios) <= 1 <= max(ratios):
        sentence = (
            _("{b} and {a} write about equally fast: {fast_b:.1f} and {fast_a:.1f} tokens/s.")
            if 1 / _EQUAL < ratio < _EQUAL
            else _("{b} or {a}, which is faster changes from answer to answer: {fast_b:.1f} and {fast_a:.1f} tokens/s.")
        )
    elif ratio > 1:
        sentence = _("{b} writes {ratio:.1f} times as fast as {a}: {fast_b:.1f} against {fast_a:.1f} tokens/s.")
    else:
        names, first, other, ratio = names[::-1], other, first, 1 / ratio
        sentence = _("{b} writes {ratio:.1f} times as fast as {a}: {fast_b:.1f} against {fast_a:.1f} tokens/s.")
    return sentence.format(a=names[0], b=names[1], ratio=ratio, fast_a=first, fast_b=other)


def overall(results: Results, side: int) -> Comparison:
    """Return the comparison over all checks."""
    return results.compared[Checked("", OVERALL, side)]


def _good(results: Results, side: int) -> str:
    """Say what was seen of the quality over all checks; its pairs are answers, of which a round has several."""
    found, rounds = overall(results, side), len(results.seeds)
    a, b = results.names[0], results.names[side]
    if not found.rounds:
        return _("No check could judge answers of both {a} and {b}.").format(a=a, b=b)
    if found.seen:
        return _(
            "Over all checks, {b} got {points:+.1f} points of 100 beside {a}{interval}: a difference was seen."
        ).format(a=a, b=b, points=100 * found.difference, interval=interval(found))
    sentence = ngettext(
        "Over all checks, no difference in quality was seen between {a} and {b} in {rounds} round ({pairs} pairs).",
        "Over all checks, no difference in quality was seen between {a} and {b} in {rounds} rounds ({pairs} pairs).",
        rounds,
    ).format(a=a, b=b, rounds=rounds, pairs=found.rounds)
    if found.needed is None:
        return sentence
    needed = math.ceil(found.needed * rounds / found.rounds)
    more = (
        _("{rounds} rounds would show one of {points:.0f} points.")
        if needed > rounds
        else _("One of {points:.0f} points would probably have been seen.")
    )
    return in_a_row(sentence, more.format(rounds=needed, points=100 * found.size))


def interval(found: Comparison) -> str:
    """Return the 95% interval of a difference in points, behind a difference; empty with too few pairs for one."""
    if found.low is None or found.high is None:
        return ""
    return _(" (95%: {low:+.1f} to {high:+.1f})").format(low=100 * found.low, high=100 * found.high)


def _seen(results: Results) -> Iterator[str]:
    checks = {checked: one for checked, one in results.compared.items() if checked.check != OVERALL}
    seen = {checked: one for checked, one in checks.items() if one.seen}
    for checked, one in seen.items():
        yield _("{check}, {task}: {b} got {points:+.1f} points of 100 beside {a}{interval}.").format(
            check=title(checked.check),
            task=checked.task,
            a=results.names[0],
            b=results.names[checked.side],
            points=100 * one.difference,
            interval=interval(one),
        )
    if checks and not seen:
        yield ngettext(
            "In the one check, no difference was seen.",
            "In none of the {n} checks taken alone, a difference was seen.",
            len(checks),
        ).format(n=len(checks))
    elif seen:
        yield _("In the other {n} checks, no difference was seen.").format(n=len(checks) - len(seen))


def _alike(results: Results, side: int) -> str:
    pairs = [
        (results.answer(task, 0, seed).answer, results.answer(task, side, seed).answer)
        for task in results.tasks
        for seed in results.seeds
    ]
    same = sum(first == other for first, other in pairs)
    return _("{same} of {n} pairs of answers of {a} and {b} are the same, letter for letter.").format(
        same=same, n=len(pairs), a=results.names[0], b=results.names[side]
    )


def _places(results: Results, side: int, found: Places) -> str:
    a, b = results.names[0], results.names[side]
    sentence = _(
        "Led through the same {n} places of greedy answers, {b} would have said something else than {a} at {differing}"
        " ({share:.1%}; 95%: {low:.1%} to {high:.1%})."
    ).format(
        n=found.count,
        a=a,
        b=b,
        differing=found.differing,
        share=found.differing / found.count,
        low=found.low,
        high=found.high,
    )
    if not found.margins:
        return sentence
    return in_a_row(
        sentence,
        _(
            "There the lead of the likeliest token was at most {most:.2f}; over all places its median is {middle:.2f}."
        ).format(most=found.margins[-1], middle=found.median_margin),
    )


def _cut(results: Results) -> str:
    """Say how many answers are not whole: that decides what several checks find."""
    cut = sum(run.reason == "length" for run in results.runs)
    if not cut:
        return ""
    return _("{cut} of {n} answers were cut off before their end, which costs points.").format(
        cut=cut, n=len(results.runs)
    )


def _energy(results: Results) -> str:
    told = []
    for side, name in enumerate(results.names):
        per_token = [j / tokens for j, tokens in joules(results, side) if tokens]
        if per_token:
            told.append(_("{name} {joules:.2f} J").format(name=name, joules=median(per_token)))
    if not told:
        return _("How much energy it takes, this PC does not tell.")
    return _("Energy for each token: {sides}.").format(sides=listed(told))


def joules(results: Results, side: int) -> list[tuple[float, int]]:
    """Return the energy of each answer that tells it, of processor and cards together, and its tokens."""
    runs = [results.answer(task, side, seed) for task in results.tasks for seed in results.seeds]
    found = []
    for run in runs:
        told = [j for j in (run.measured.processor_j, run.measured.card_j) if j is not None]
        if told:
            found.append((sum(told), run.answer_tokens))
    return found


def _advice(results: Results) -> str:
    """Say what follows for who has to choose; nothing where a difference in quality was seen."""
    if any(one.seen for one in results.compared.values()):
        return ""
    speeds = [median([one.writing_tps or 0.0 for one in results.measured(side)]) for side in range(len(results.names))]
    slowest = results.names[speeds.index(min(speeds))]
    differ = any(
        not min(ratios) <= 1 <= max(ratios) for side in range(1, len(speeds)) if (ratios := _ratios(results, side))
    )
    if not differ:
        return _("Nothing that was seen here speaks for one side.")
    if min(speeds) >= _READ_TPS:
        return _(
            "So far, speed and memory decide. {slowest}, too, writes faster than people read (about {n} tokens/s): for"
            " letters and questions it is enough."
        ).format(slowest=slowest, n=_READ_TPS)
    return _(
        "So far, speed and memory decide. {slowest} writes more slowly than people read (about {n} tokens/s)."
    ).format(slowest=slowest, n=_READ_TPS)


def _template_effect(results: Results) -> Iterator[str]:
    near = results.compared[Checked("", "first_sentence", 1)]
    filler = results.compared[Checked("", "filler", 1)]
    yield _(
        "The first sentence has {b:.1%} of the question's content words with the templates, and {a:.1%} without:"
        " {points:+.1f} points{interval}, in {pairs} pairs of answers. {seen} This share is a proxy for relevance: a"
        " sentence that only repeats the question has all of them."
    ).format(
        a=near.mean_a,
        b=near.mean_b,
        points=100 * near.difference,
        interval=interval(near),
        pairs=near.rounds,
        seen=_is_seen(near),
    )
    yield _claim(near, near.mean_a, 1, CLAIMED_RELEVANCE)
    yield _(
        "Of the sentences, {b:.1%} are filler with the templates, and {a:.1%} without: {points:+.1f} points{interval},"
        " in {pairs} pairs of answers. {seen}"
    ).format(
        a=1 - filler.mean_a,
        b=1 - filler.mean_b,
        points=-100 * filler.difference,
        interval=interval(_turned(filler)),
        pairs=filler.rounds,
        seen=_is_seen(filler),
    )
    yield _claim(filler, 1 - filler.mean_a, -1, CLAIMED_FILLER)


def _is_seen(found: Comparison) -> str:
    return _("A difference was seen.") if found.seen else _("Chance alone could make such a difference.")


def _turned(found: Comparison) -> Comparison:
    """Return the comparison of filler itself, where the check counts sentences that are none."""
    import dataclasses

    low, high = (None if one is None else -one for one in (found.high, found.low))
    return dataclasses.replace(found, difference=-found.difference, low=low, high=high)


def _claim(found: Comparison, base: float, sign: int, claimed: float) -> str:
    """Set the change, as a share of what it was without templates, beside what was published."""
    if not base or found.low is None or found.high is None:
        return _("A published test says {claimed:+.0%}: nothing here can be set beside that.").format(claimed=claimed)
    # No share can fall by more than all of it.
    low, high = (max(-1.0, one) for one in sorted((sign * found.low / base, sign * found.high / base)))
    inside = _("which does not contradict that") if low <= claimed <= high else _("which does not agree with that")
    return _(
        "A published test says {claimed:+.0%}; here it is {change:+.0%} (95%: {low:+.0%} to {high:+.0%}), {inside}."
    ).format(claimed=claimed, change=sign * found.difference / base, low=low, high=high, inside=inside)
