"""What was seen, in plain words, and never more than the statistics bear."""

import math
from collections.abc import Callable, Iterator
from statistics import median

from qwen_tui.evaluation.compare import claims
from qwen_tui.evaluation.compare.checks.catalogue import title
from qwen_tui.evaluation.compare.faster import SpeedDifference, speed_difference, which_is_faster
from qwen_tui.evaluation.compare.results import OVERALL, Checked, Results
from qwen_tui.evaluation.compare.runs import Measured
from qwen_tui.evaluation.compare.statistics import Comparison, fewest_rounds
from qwen_tui.files import size_text
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import in_a_row, listed, ngettext

# People read 238 words a minute (Brysbaert 2019, "How many words do we read per minute?"), of 1.3 tokens each.
_READ_TPS = 5
# A side with so many times the memory of another one takes more.
_MORE_MEMORY = 1.02
# From this share of the processor on, other programs spoil the speeds.
_BUSY = 0.2


def markdown(results: Results) -> str:
    """Return the summary as a list in Markdown."""
    return "\n".join(f"- {sentence}" for sentence in sentences(results)) + "\n"


def sentences(results: Results) -> list[str]:
    """Return the summary, one item for each thing that was looked at."""
    found: list[str] = []
    others = range(1, len(results.names))
    if results.of_templates:
        found += claims.sentences(results)
        found += [which_is_faster(results, side) for side in others]
    else:
        for side in others:
            found += [
                which_is_faster(results, side),
                _good(results, side),
                _alike(results, side),
                _places(results, side),
            ]
        found += [*_seen(results), _cut(results), *_memory(results), _energy(results), _advice(results)]
    return [sentence for sentence in [*found, *_doubts(results)] if sentence]


def _overall(results: Results, side: int) -> Comparison:
    """Return the comparison over all checks."""
    return results.compared[Checked("", OVERALL, side)]


def _good(results: Results, side: int) -> str:
    """Say what was seen of the quality over all checks; its pairs are answers, of which a round has several."""
    found, rounds = _overall(results, side), len(results.seeds)
    a, b = results.names[0], results.names[side]
    if not found.rounds:
        return _("No check could judge answers of both {a} and {b}.").format(a=a, b=b)
    if found.seen:
        return _(
            "Over all checks, {b} got {points:+.1f} points of 100 beside {a}{interval}: a difference was seen."
        ).format(a=a, b=b, points=100 * found.difference, interval=found.within())
    sentence = ngettext(
        "Over all checks, no difference in quality was seen between {a} and {b} in {rounds} round ({pairs} pairs).",
        "Over all checks, no difference in quality was seen between {a} and {b} in {rounds} rounds ({pairs} pairs).",
        rounds,
    ).format(a=a, b=b, rounds=rounds, pairs=found.rounds)
    blind = _("So few cannot show any.") if found.rounds < fewest_rounds(results.tried()) else ""
    limits = more = ""
    if found.low is not None and found.high is not None:
        limits = _("If there is one, it lies between {low:+.1f} and {high:+.1f} points (95%).").format(
            low=100 * found.low, high=100 * found.high
        )
    if found.needed is not None and found.needed > found.rounds:
        needed = math.ceil(found.needed * rounds / found.rounds)
        more = _("{rounds} rounds would show one of {points:.0f} points.").format(
            rounds=needed, points=100 * found.size
        )
    return in_a_row(sentence, blind, limits, more)


def _seen(results: Results) -> Iterator[str]:
    """Say in which checks taken alone a difference was seen, and in how many it was not, or could not be."""
    checks = {checked: one for checked, one in results.compared.items() if checked.check != OVERALL}
    seen = {checked: one for checked, one in checks.items() if one.seen}
    for checked, one in seen.items():
        yield _("{check}, {task}: {b} got {points:+.1f} points of 100 beside {a}{interval}.").format(
            check=title(checked.check),
            task=checked.task,
            a=results.names[0],
            b=results.names[checked.side],
            points=100 * one.difference,
            interval=one.within(),
        )
    # The sides may have a check in common; it is one check.
    whole = {(checked.task, checked.check) for checked in checks}
    judged = {(checked.task, checked.check) for checked, one in checks.items() if one.rounds}
    rest = judged - {(checked.task, checked.check) for checked in seen}
    least, most = fewest_rounds(results.tried()), max((one.rounds for one in checks.values()), default=0)
    if rest and most < least:
        yield ngettext(
            "The one check taken alone has too few pairs of answers ({pairs}) to show a difference: {least} are the"
            " fewest that can.",
            "The {n} checks taken alone have too few pairs of answers ({pairs} at most) to show a difference: {least}"
            " are the fewest that can.",
            len(rest),
        ).format(n=len(rest), pairs=most, least=least)
    elif rest and seen:
        yield ngettext(
            "In the {n} other check, no difference was seen.",
            "In the {n} other checks, no difference was seen.",
            len(rest),
        ).format(n=len(rest))
    elif rest:
        yield ngettext(
            "In the one check taken alone, no difference was seen.",
            "In none of the {n} checks taken alone, a difference was seen.",
            len(rest),
        ).format(n=len(rest))
    if unable := len(whole - judged):
        yield ngettext(
            "{n} check could not judge the answers of both sides: the tables below the answers say why.",
            "{n} checks could not judge the answers of both sides: the tables below the answers say why.",
            unable,
        ).format(n=unable)


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


def _places(results: Results, side: int) -> str:
    """Say at how many places of greedy answers the sides differ; "" where they were not led through the same."""
    found = results.places.get(side)
    if side in results.other_tokens:
        return _("{a} and {b} read the same text as other tokens, so their places cannot be compared.").format(
            a=results.names[0], b=results.names[side]
        )
    if found is None:
        return ""
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
    cut = sum(run.reason == "length" for run in results.runs.values())
    if not cut:
        return ""
    return _("{cut} of {n} answers were cut off before their end, which costs points.").format(
        cut=cut, n=len(results.runs)
    )


def _memory(results: Results) -> Iterator[str]:
    """Say what memory each side takes, where that differs."""
    if differs := _differing(results, lambda one: one.memory):
        yield _("Memory (RAM), at most: {sides}.").format(sides=differs)
    if differs := _differing(results, lambda one: one.card_memory):
        yield _("Memory of the card, at most: {sides}.").format(sides=differs)


def _differing(results: Results, take: Callable[[Measured], int | None]) -> str:
    """Return the names of all sides with their most memory, "" if one does not tell it or all have about the same."""
    sizes = [results.most(side, take) for side in range(len(results.names))]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes) or max(known) < _MORE_MEMORY * min(known):
        return ""
    return listed(f"{name} {size_text(size)}" for name, size in zip(results.names, known, strict=True))


def _energy(results: Results) -> str:
    told = {name: results.joules(side) for side, name in enumerate(results.names)}
    if not any(told.values()):
        return _("How much energy it takes, this PC does not tell.")
    sides = [
        _("{name} {joules:.2f} J").format(name=name, joules=median(found))
        if found
        else _("{name} not told").format(name=name)
        for name, found in told.items()
    ]
    return _("Energy for each token that was written, with the reading of the prompt: {sides}.").format(
        sides=listed(sides)
    )


def _advice(results: Results) -> str:
    """Say what follows for who has to choose between the sides, and nothing that was not seen."""
    differences = [speed_difference(results, side) for side in range(1, len(results.names))]
    if any(one.seen for one in results.compared.values()):
        return _weighed(results, differences[0]) if len(differences) == 1 else ""
    known = [one for one in differences if one]
    if known and all(one.is_chance for one in known):
        return _("So few answers speak for no side.")
    if not any(one.leads for one in known if not one.is_chance):
        if any(_memory(results)):
            return _("So far, memory alone decides.")
        return _("Nothing that was seen here speaks for one side.")
    speeds = {results.names[0]: known[0].first}
    speeds |= {results.names[side]: one.other for side, one in enumerate(differences, 1) if one}
    slowest = min(speeds, key=lambda name: speeds[name])
    if speeds[slowest] >= _READ_TPS:
        return _(
            "So far, speed and memory decide. {slowest}, too, writes faster than people read (about {n} tokens/s): for"
            " letters and questions it is enough."
        ).format(slowest=slowest, n=_READ_TPS)
    return _(
        "So far, speed and memory decide. {slowest} writes more slowly than people read (about {n} tokens/s)."
    ).format(slowest=slowest, n=_READ_TPS)


def _weighed(results: Results, speed: SpeedDifference | None) -> str:
    """Say what follows for two sides whose answers differ in quality."""
    found, names = _overall(results, 1), results.names
    if not found.seen:
        return _("The difference is in single checks: look at these answers before you choose.")
    better = int(found.difference > 0)
    if speed is None or speed.is_chance or not speed.leads:
        return _("By these checks, {better} answers better.").format(better=names[better])
    faster = int(speed.leads > 0)
    if faster == better:
        return _("By these checks, {better} answers better, and it is faster.").format(better=names[better])
    return _("By these checks, {better} answers better, and {faster} is faster: weigh that for your work.").format(
        better=names[better], faster=names[faster]
    )


def _doubts(results: Results) -> Iterator[str]:
    """Say what may have spoilt the comparison."""
    busy = max((one.busy or 0.0 for side in range(len(results.names)) for one in results.measured(side)), default=0.0)
    if busy > _BUSY:
        yield _("Other programs used {percent:.0f}% of the processor when it began: do not rely on the speeds.").format(
            percent=100 * busy
        )
    for name, told in zip(results.names, results.told, strict=True):
        if len(told.models) > 1:
            yield _("The server of {name} changed its model meanwhile: {models}.").format(
                name=name, models=listed(told.models)
            )
