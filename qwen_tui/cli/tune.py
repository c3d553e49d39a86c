"""`qwen tune`: what is fastest on this PC is measured, kept, and used from then on."""

import contextlib
from contextlib import closing
from typing import Annotated

import typer

from qwen_tui import files
from qwen_tui.cli import options, screen, wiring
from qwen_tui.cli.environment import Environment
from qwen_tui.config import Config
from qwen_tui.engine import installed
from qwen_tui.errors import QwenError
from qwen_tui.hardware.machine import this_machine
from qwen_tui.hardware.plan import Plan
from qwen_tui.hardware.processor import busy
from qwen_tui.i18n import gettext as _
from qwen_tui.planning import tuned
from qwen_tui.planning.in_force import difference, memory_missing
from qwen_tui.planning.planner import Planner
from qwen_tui.planning.trial import Found, Trial

# From this share of the processor on, other programs are mentioned.
_BUSY = 0.2

Show = Annotated[bool, typer.Option("--show", help=_("Show what is in force, and measure nothing."))]
Reset = Annotated[bool, typer.Option("--reset", help=_("Forget what was measured for this model, and what failed."))]
Seconds = Annotated[
    float, typer.Option("--seconds", metavar="N", min=1, max=3600, help=_("About how long it may take (60)."))
]


def tune(
    context: typer.Context,
    model: options.Model = None,
    show: Show = False,
    reset: Reset = False,
    seconds: Seconds = 60.0,
    ctx_size: options.CtxSize = None,
    gpu_layers: options.GpuLayers = None,
    lang: options.Language = None,
) -> None:
    """Measure, keep what is best, and print the table."""
    environment = Environment.of(context)
    flags = {"model": model, "ctx_size": ctx_size, "gpu_layers": gpu_layers, "language": lang}
    settings = options.settings(environment, flags)
    if reset:
        environment.print(_("Forgotten.") if _forget(environment, settings) else _("Nothing was kept for this model."))
        return
    subject = wiring.planner(environment, settings, learning=not show)
    if not show:
        start = subject.start
        environment.print(_table(_measure(environment, subject, start, seconds), start) + "\n\n")
    environment.print(_in_force(subject))


def _forget(environment: Environment, settings: Config) -> bool:
    """Forget what was measured for the model, what of it failed, and what a driver did; whether there was anything."""
    folders = files.folders()
    hung = folders.driver_hung.exists()
    with contextlib.suppress(OSError):
        folders.driver_hung.unlink(missing_ok=True)
    troubles = installed.forget_troubles(folders.engine)
    # Only now: it would be told of these.
    subject = wiring.planner(environment, settings, learning=False)
    measured = tuned.forget(folders.tuned, tuned.subject(subject.path, subject.gpu_layers))
    return any((hung, troubles, measured, subject.forget_worked(), subject.crashes.forget()))


def _measure(environment: Environment, subject: Planner, start: Plan, seconds: float) -> Found:
    """Search with visible progress and keep what is found; interrupted, keep nothing."""
    from qwen_tui.evaluation.tuning import Search

    output = screen.output(environment, subject.settings, held=True)

    def tell(trial: Trial) -> None:
        figures = _("  reading {reading:.1f} tokens/s, writing {writing:.1f} tokens/s, loading {load:.1f} s")
        output.note(figures.format(reading=trial.reading, writing=trial.writing, load=trial.load_s))

    repacking = memory_missing(subject.header, start)
    search = Search(
        lambda plan: subject.open_engine(subject.load_options(plan)),
        start,
        this_machine(),
        budget=seconds,
        gpu=bool(subject.gpu_layers),
        may_repack=not repacking,
        doing=output.note,
        tell=tell,
        fail=output.note,
        avoid=subject.avoid,
        crash=lambda settings, by: subject.crashes.note(settings, by, gpu=bool(subject.gpu_layers)),
        show=output.show,
    )
    about = tuned.subject(subject.path, subject.gpu_layers)
    with closing(output):
        output.note(
            _("This takes about {seconds:.0f} s. Close what keeps the PC busy; Ctrl-C stops and keeps nothing.").format(
                seconds=seconds
            )
        )
        share = busy()
        if share > _BUSY:
            output.note(
                _("Other programs keep {percent:.0f}% of the processor busy: the figures will be worth little.").format(
                    percent=100 * share
                )
            )
        if repacking and not subject.gpu_layers:
            output.note(repacking)
        try:
            found = search.run()
        except (KeyboardInterrupt, QwenError):
            output.note(_("Nothing was kept."))
            raise
    tuned.keep(files.folders().tuned, tuned.tuned(found, about, subject.settings.ctx_size))
    subject.forget_worked()
    return found


def _table(found: Found, start: Plan) -> str:
    """Return what was tried, a line each, and what it is used for."""
    from qwen_tui.columns import markdown_table

    head = [_("tried"), _("reading, tokens/s"), _("writing, tokens/s"), _("loading, s"), _("used for")]
    rows = []
    for trial in found.trials:
        uses = [name for name, chosen in ((_("chats"), found.chat), ("qwen ask", found.ask)) if chosen == trial]
        figures = (trial.reading, trial.writing, trial.load_s)
        rows.append([difference(trial.plan, start), *(f"{figure:.1f}" for figure in figures), ", ".join(uses)])
    return markdown_table(head, rows)


def _in_force(subject: Planner) -> str:
    """Return what is used now, for chats and for single questions."""
    chats, questions = subject.next_time("chat"), subject.next_time("ask")
    lines = [_("Chats: {plan}").format(plan=chats.describe()), f"qwen ask: {questions.describe()}"]
    if chats.batch_costs:
        costs = ", ".join(f"{size}: {chats.batch_costs[size - 1]:.2f}" for size in (2, 4, 8, 16))
        lines.append(_("A batch costs so many times one token ({costs}).").format(costs=costs))
    return "\n".join(lines)
