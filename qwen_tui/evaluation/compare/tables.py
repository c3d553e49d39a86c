"""The tables of the report, for Markdown and HTML alike."""

from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

from qwen_tui.evaluation.compare.checks.catalogue import title
from qwen_tui.evaluation.compare.conditions import Conditions
from qwen_tui.evaluation.compare.results import OVERALL, Checked, Results, sha256
from qwen_tui.evaluation.compare.runs import Measured, Told
from qwen_tui.evaluation.compare.statistics import Comparison
from qwen_tui.evaluation.measuring import spread
from qwen_tui.files import size_text
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import in_a_row, labelled, listed, noted

# A smaller probability is told as smaller, and never as 0.
_LEAST_P = 0.01


class Table(NamedTuple):
    """A table: its head, and its rows; all columns but the first hold figures unless it is of `words`."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: bool = False


def speeds(results: Results) -> Table:
    """Return what the answers took: medians, lowest and highest, a column for each side."""
    sides = range(len(results.names))
    kinds: list[tuple[str, Callable[[Measured], float | None], str]] = [
        (_("writing, tokens/s"), lambda one: one.writing_tps, ".1f"),
        (_("reading, tokens/s"), lambda one: one.reading_tps, ".0f"),
        (_("to the first token, s"), lambda one: one.first_s, ".2f"),
        (_("to the end of the answer, s"), lambda one: one.seconds, ".1f"),
    ]
    rows = [
        [name, *(spread([take(one) for one in results.measured(side)], layout) for side in sides)]
        for name, take, layout in kinds
    ]
    rows.append([_("memory (RAM), most"), *(_most(results, side, lambda one: one.memory) for side in sides)])
    rows.append([_("memory of the card, most"), *(_most(results, side, lambda one: one.card_memory) for side in sides)])
    rows.append([_("energy for each token, J"), *(_energy(results, side) for side in sides)])
    return Table([_("median (lowest–highest)"), *results.names], rows)


def _most(results: Results, side: int, take: Callable[[Measured], int | None]) -> str:
    size = results.most(side, take)
    return _("not told") if size is None else size_text(size)


def _energy(results: Results, side: int) -> str:
    known = results.joules(side)
    return f"{median(known):.2f}" if known else _("not told")


def label(checked: Checked) -> str:
    """Return the name of a row: the check and its task."""
    if checked.check == OVERALL:
        return _("all checks together")
    return labelled(checked.task, title(checked.check)) if checked.task else title(checked.check)


def checks(results: Results, side: int) -> Table:
    """Return every check with the means of both sides, the difference and its interval, in points of 100."""
    rows = [
        [label(checked), *_figures(one), _conclusion(one)]
        for checked, one in results.compared.items()
        if checked.side == side
    ]
    head = [
        _("check (points of 100)"),
        results.names[0],
        results.names[side],
        _("difference"),
        _("95% interval"),
        _("p, corrected"),
        _("what was seen"),
    ]
    return Table(head, rows)


def _figures(one: Comparison) -> list[str]:
    if not one.rounds:
        return ["–"] * 5
    known = one.low is not None and one.high is not None
    return [
        f"{100 * one.mean_a:.1f}",
        f"{100 * one.mean_b:.1f}",
        f"{100 * one.difference:+.1f}",
        f"{100 * (one.low or 0):+.1f} … {100 * (one.high or 0):+.1f}" if known else _("too few rounds"),
        f"{one.adjusted:.2f}" if one.adjusted >= _LEAST_P else f"< {_LEAST_P}",
    ]


def _conclusion(one: Comparison) -> str:
    if not one.rounds:
        return _("cannot tell")
    if one.seen:
        return _("a difference")
    if one.needed is not None and one.needed > one.rounds:
        return _("none; {n} pairs would show {points:.0f} points").format(n=one.needed, points=100 * one.size)
    return _("none")


def findings(results: Results, task: str, seed: int) -> Table:
    """Return what each check found in the answers of one round."""
    sides = range(len(results.names))
    rows = []
    for check in results.tasks[task].checks:
        found = [results.findings[task, side, seed][check.name] for side in sides]
        cells = [
            labelled(_("cannot tell") if one.value is None else f"{100 * one.value:.0f}", one.sentence) for one in found
        ]
        rows.append([title(check.name), *cells])
    return Table([_("check"), *results.names], rows, words=True)


def _sampling(side: Conditions) -> str:
    """Return the settings of answers; where none limits them, the task does."""
    return listed(f"{name}={value}" for name, value in side.sampling.items() if value is not None)


def _model(side: Conditions, told: Told) -> str:
    """Return the model of a side; that of a server with what the server calls it."""
    return noted(side.model, listed(told.models)) if told.models else side.model


def places(results: Results) -> Table:
    """Return what arithmetic changes, at the places of greedy answers."""
    rows = [
        [
            results.names[side],
            str(one.count),
            f"{one.differing} ({one.differing / one.count:.1%})",
            f"{one.low:.1%} … {one.high:.1%}",
            f"{one.median_margin:.2f}",
            f"{one.margins[-1]:.2f}" if one.margins else "–",
            f"{one.shift:.4f}",
        ]
        for side, one in results.places.items()
    ]
    head = [
        _("beside {name}").format(name=results.names[0]),
        _("places"),
        _("another likeliest token"),
        _("95% interval"),
        _("lead of the likeliest, median"),
        _("largest lead where they differ"),
        _("change of the lead, median"),
    ]
    return Table(head, rows)


def repeating(results: Results) -> list[Table]:
    """Return all that is needed to repeat the experiment."""
    machinery = results.settled.machinery
    about = [
        [_("command"), results.command],
        [
            _("program"),
            f"qwen-tui {machinery.version}, llama-cpp-python {machinery.llama_cpp}, Python {machinery.python}",
        ],
        *([["llama.cpp", machinery.library]] if machinery.library else []),
        [_("PC"), f"{machinery.processor}, {machinery.cores}, {machinery.memory_gib} GiB, {machinery.system}"],
        *([[_("graphics card"), listed(machinery.devices)]] if machinery.devices else []),
        [_("seeds"), ", ".join(map(str, results.seeds))],
        [_("seed of the order"), str(results.order)],
        [_("code was run"), _("yes") if results.run_code else _("no")],
        *(
            [
                _("task {name}").format(name=name),
                _("at most {n} tokens; SHA-256 {hash}").format(n=f"{task.answer_tokens:,}", hash=sha256(task)),
            ]
            for name, task in results.tasks.items()
        ),
    ]
    sides = results.settled.sides
    rows = [
        [_("set for this side"), *(listed(f"{name}={value}" for name, value in side.given) or "–" for side in sides)],
        [_("model"), *(_model(side, told) for side, told in zip(sides, results.told, strict=True))],
        ["SHA-256", *(listed(side.files.values()) or _("not told") for side in sides)],
        [_("computing"), *(side.computing for side in sides)],
        [_("answers"), *(_sampling(side) for side in sides)],
        [_("system prompt"), *(side.system or "–" for side in sides)],
        [_("template"), *(side.template or "–" for side in sides)],
    ]
    if any(told.notes for told in results.told):
        rows.append([_("notes on the server"), *(in_a_row(*told.notes) or "–" for told in results.told)])
    return [Table([_("experiment"), ""], about, words=True), Table([_("side"), *results.names], rows, words=True)]
