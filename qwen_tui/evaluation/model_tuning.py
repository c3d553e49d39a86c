"""Searches the fastest plan for a model, stores or forgets it, and shows what was tried and what is used."""

import contextlib
from collections.abc import Callable

from qwen_tui import files
from qwen_tui.columns import markdown_table
from qwen_tui.engine import installed, variants
from qwen_tui.errors import QwenError
from qwen_tui.evaluation.gain import foretold
from qwen_tui.evaluation.tuning import Search
from qwen_tui.hardware.load import load_of_others
from qwen_tui.hardware.machine import this_machine
from qwen_tui.hardware.plan import Plan
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import labelled, listed
from qwen_tui.messages import Output
from qwen_tui.planning import tuned
from qwen_tui.planning.in_force import difference, memory_missing
from qwen_tui.planning.planner import Planner
from qwen_tui.planning.tuned import SearchResult, Trial

# If other programs use more than this share of the processor, the person is told.
_BUSY = 0.2


def tune(subject: Planner, start: Plan, seconds: float, output: Output) -> SearchResult:
    """Search from the plan `start` for about so many `seconds`, and store the result.

    `output` shows what is tried. A search that fails or is cancelled stores nothing, and raises the reason.
    """
    repacking = memory_missing(subject.header, start)
    search = Search(
        lambda plan: subject.open_engine(subject.load_options(plan)),
        start,
        this_machine(),
        budget=seconds,
        gpu=bool(subject.gpu_layers),
        may_repack=not repacking,
        avoid=subject.avoid,
        on_step=output.note,
        on_trial=lambda trial: output.note(_figures(trial)),
        on_failure=output.note,
        on_crash=lambda settings, by: subject.crashes.note(settings, by, gpu=bool(subject.gpu_layers)),
        on_event=output.show,
    )
    about = tuned.subject(subject.path, subject.gpu_layers)
    output.note(
        _("This takes about {seconds:.0f} s. Close what keeps the PC busy; Ctrl-C stops and keeps nothing.").format(
            seconds=seconds
        )
    )
    if gain := foretold(subject):
        output.note(gain)
    load = load_of_others()
    if load and load.share > _BUSY:
        output.note(
            _("Other programs keep {percent:.0f}% of the processor busy: the figures will be worth little.").format(
                percent=100 * load.share
            )
        )
    if repacking and not subject.gpu_layers:
        output.note(repacking)
    try:
        found = search.run()
    except (KeyboardInterrupt, QwenError):
        output.note(_("Nothing was saved."))
        raise
    tuned.keep(files.folders().tuned, tuned.tuned(found, about, subject.settings.ctx_size))
    subject.forget_worked()
    if found.untried:
        output.note(
            _("There was no time to try: {plans}. For more: {command}").format(
                plans=listed(difference(plan, start) for plan in found.untried),
                command=f"qwen tune --seconds {2 * seconds:.0f}",
            )
        )
    return found


def forget(find: Callable[[], Planner]) -> bool:
    """Forget the measurements and failures of a model, and the driver's faults; return whether there were any.

    `find` returns the model's planner. It is called after the driver's faults are forgotten: it asks the driver.
    """
    folders = files.folders()
    hung = folders.driver_hung.exists()
    with contextlib.suppress(OSError):
        folders.driver_hung.unlink(missing_ok=True)
    troubles, died = installed.forget_troubles(folders.engine), variants.forget()
    subject = find()
    measured = tuned.forget(folders.tuned, tuned.subject(subject.path, subject.gpu_layers))
    return any((hung, troubles, died, measured, subject.forget_worked(), subject.crashes.forget()))


def table(found: SearchResult, start: Plan) -> str:
    """Return a table of the trials, with what each is used for."""
    head = [_("tried"), _("reading, tokens/s"), _("writing, tokens/s"), _("loading, s"), _("used for")]
    rows = []
    for trial in found.trials:
        uses = [name for name, chosen in ((_("chats"), found.chat), ("qwen ask", found.ask)) if chosen == trial]
        figures = (trial.reading, trial.writing, trial.load_s)
        rows.append([difference(trial.plan, start), *(f"{figure:.1f}" for figure in figures), listed(uses)])
    return markdown_table(head, rows)


def in_force(subject: Planner) -> str:
    """Return the plans that are used from now on, for chats and for single questions."""
    chats, questions = subject.next_time("chat"), subject.next_time("ask")
    lines = [_("Chats: {plan}").format(plan=chats.describe()), labelled("qwen ask", questions.describe())]
    if chats.costs.batches:
        costs = listed(labelled(str(size), f"{chats.costs.batches[size - 1]:.2f}") for size in (2, 4, 8, 16))
        lines.append(_("The cost of a batch, as a multiple of one token's: {costs}.").format(costs=costs))
    return "\n".join(lines)


def _figures(trial: Trial) -> str:
    return _("  reading {reading:.1f} tokens/s, writing {writing:.1f} tokens/s, loading {load:.1f} s").format(
        reading=trial.reading, writing=trial.writing, load=trial.load_s
    )
