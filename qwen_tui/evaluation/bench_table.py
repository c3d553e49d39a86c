"""The figures of `qwen bench`: a table that a person can paste into an issue, or JSON for scripts."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from qwen_tui.columns import markdown_table
from qwen_tui.evaluation.bench import BenchReport, Speed
from qwen_tui.evaluation.measuring import spread
from qwen_tui.i18n import gettext as _


def text(report: BenchReport, conditions: Mapping[str, Any]) -> str:
    """Return the table in Markdown, and below it the conditions."""
    return "\n".join([table(report), "", *(f"- {name}: {value}" for name, value in conditions.items())])


def encoded(report: BenchReport, conditions: Mapping[str, Any]) -> str:
    """Return everything as one JSON object."""
    printed = {"conditions": conditions, **msgspec.to_builtins(report), "median_ratios": summary(report)}
    return msgspec.json.encode(printed).decode()


def table(report: BenchReport) -> str:
    """Return the table."""
    if any(speed.theirs for speed in report.speeds):
        head = [_("tokens/s: median (lowest–highest)"), "qwen-tui", "llama-bench", _("ratio")]
        rows = [[*_speed(speed), spread(speed.theirs), spread(speed.ratios(), ".3f")] for speed in report.speeds]
        empty = ["", ""]
    else:
        head = [_("tokens/s: median (lowest–highest)"), "qwen-tui"]
        rows = [_speed(speed) for speed in report.speeds]
        empty = []
    return markdown_table(head, [*rows, *([*row, *empty] for row in _rest(report))])


def summary(report: BenchReport) -> dict[str, float | None]:
    """Return median ratios by name: ours to llama-bench (None without it), and with lookup to without."""
    yardstick = {
        f"{speed.what}@{speed.depth}": statistics.median(speed.ratios()) if speed.theirs else None
        for speed in report.speeds
    }
    return yardstick | {
        f"lookup@{drafting.sample}": statistics.median(drafting.ratios()) for drafting in report.drafting
    }


def _speed(speed: Speed) -> list[str]:
    sentence = (
        _("reading {n} tokens at depth {depth}") if speed.what == "prompt" else _("writing {n} tokens at depth {depth}")
    )
    return [sentence.format(n=speed.tokens, depth=speed.depth), spread(speed.ours)]


def _rest(report: BenchReport) -> Iterable[Sequence[str]]:
    for drafting in report.drafting:
        yield (
            _("writing “{sample}”, {n} tokens").format(sample=drafting.sample, n=drafting.tokens),
            spread(drafting.off),
        )
        yield (
            _("… with prompt lookup, {accepted} of {drafted} drafts accepted").format(
                accepted=drafting.accepted, drafted=drafting.drafted
            ),
            f"{spread(drafting.on)} (×{statistics.median(drafting.ratios()):.2f})",
        )
    first = report.first_token
    yield _("loading, s"), f"{first.load_s:.2f}"
    yield _("first token of {n}, s").format(n=first.prompt_tokens), f"{first.cold_s:.2f}"
    yield (
        _("… from the store ({n} tokens restored), s").format(n=first.restored_tokens),
        f"{first.from_store_s:.2f}",
    )
    if report.peak_memory is not None:
        yield _("memory at its peak, MB"), f"{report.peak_memory / 1e6:,.0f}"
