"""`qwen compare`: the same tasks on two sides or more, checked and counted, and a report that says what was seen."""

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qwen_tui import files
from qwen_tui.cli import options, screen, wiring
from qwen_tui.cli.arguments import SIDES, WRITTEN, LinePart
from qwen_tui.cli.asking import Asker
from qwen_tui.cli.environment import Environment
from qwen_tui.config import Config
from qwen_tui.durations import duration
from qwen_tui.engine.protocol import Engine
from qwen_tui.errors import CancelledError, QwenError, UsageError, WriteError, how_to_write, why
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import labelled, listed, ngettext
from qwen_tui.models.locking import locked
from qwen_tui.planning.planner import Planner
from qwen_tui.quoting import command_line
from qwen_tui.typed_text import as_text

if TYPE_CHECKING:
    from qwen_tui.evaluation.compare.experiment import Asked, Experiment
    from qwen_tui.evaluation.compare.grid import Grid
    from qwen_tui.evaluation.compare.results import Results

_MOST_SEED = 2**32 - 2
# Options that decide nothing about what is computed.
_NOT_OF_EXPERIMENT = ("-y", "--yes", "--fresh", "--json", "--output")

Given = list[str] | None
SideA = Annotated[
    Given, typer.Option("--a", metavar="NAME=VALUE…", help=_("The first side: device=cpu, threads=2, kv_type=q8_0 …"))
]
SideB = Annotated[
    Given, typer.Option("--b", metavar="NAME=VALUE…", help=_("The second side; --c to --f for more of them."))
]
More = Annotated[Given, typer.Option(metavar="NAME=VALUE…", hidden=True)]
Tasks = Annotated[
    Given,
    typer.Option(
        "--tasks", metavar="NAME,…|FOLDER", help=_("Which tasks: names, all, or a folder of your own; repeatable.")
    ),
]
Rounds = Annotated[int | None, typer.Option("--rounds", metavar="N", min=1, max=1000, help=_("How often (3)."))]
Seeds = Annotated[
    str | None, typer.Option("--seeds", metavar="N,…", help=_("One round with each of these seeds (1,2,3)."))
]
RunCode = Annotated[
    bool, typer.Option("--run-code", help=_("Run programs of the answers, in a sandbox without a network."))
]
Effect = Annotated[
    bool, typer.Option("--template-effect", help=_("Compare the built-in templates with plain questions."))
]
Yes = Annotated[bool, typer.Option("-y", "--yes", help=_("Do not ask before it starts."))]
Fresh = Annotated[bool, typer.Option("--fresh", help=_("Forget the answers that are kept of this comparison."))]
Output = Annotated[
    str | None, typer.Option("--output", metavar="FOLDER", help=_("Where to write the report (beside the answers)."))
]
AsJson = Annotated[bool, typer.Option("--json", help=_("Print everything as one JSON object."))]


def compare(
    context: typer.Context,
    a: SideA = None,
    b: SideB = None,
    c: More = None,
    d: More = None,
    e: More = None,
    f: More = None,
    tasks: Tasks = None,
    rounds: Rounds = None,
    seeds: Seeds = None,
    run_code: RunCode = False,
    template_effect: Effect = False,
    yes: Yes = False,
    fresh: Fresh = False,
    output: Output = None,
    as_json: AsJson = False,
    model: options.Model = None,
    system: options.System = None,
    option: options.Option = None,
    ctx_size: options.CtxSize = None,
    threads: options.Threads = None,
    gpu_layers: options.GpuLayers = None,
    lang: options.Language = None,
    offline: options.Offline = False,
) -> None:
    """Say how long it takes, ask, work through the grid, and write the report."""
    from qwen_tui.evaluation.compare import experiment, report, summary

    environment = Environment.of(context)
    flags = {"model": model, "system": system, "ctx_size": ctx_size, "threads": threads, "gpu_layers": gpu_layers}
    settings = options.settings(environment, {**flags, "language": lang, **options.sampling_flags(option)})
    sides = [(name, list(map(as_text, given))) for name, given in zip(SIDES, (a, b, c, d, e, f), strict=True) if given]
    asked = _asked(context, sides, tasks or (), _seeds(seeds, rounds, settings.seed), of_templates=template_effect)
    chosen = files.expand(output) if output is not None else None
    if chosen is not None:
        _check_writable(chosen)
    doors, root = _Doors(environment, settings, offline), files.folders().comparisons
    with closing(screen.output(environment, settings, held=True)) as shown:
        prepared = experiment.prepare(asked, settings, doors, wiring.template_folders(), shown, root)
        for host in prepared.hosts:
            shown.note(_("The questions go to {host}.").format(host=host))
        found = _found(environment, prepared, run_code=run_code, fresh=fresh, yes=yes)
    folder = chosen or prepared.kept.folder
    _write(folder, report.files_of(found), chosen=chosen is not None)
    if as_json:
        environment.print(found.encoded().decode())
        return
    screen.print_markdown(environment, settings, summary.markdown(found))
    environment.note(_("The report: {path}").format(path=folder / report.HTML))


def _asked(
    context: typer.Context,
    sides: list[tuple[str, list[str]]],
    tasks: Sequence[str],
    seeds: tuple[int, ...],
    *,
    of_templates: bool,
) -> "Asked":
    from qwen_tui.evaluation.compare.experiment import Asked

    if of_templates and (sides or tasks):
        raise UsageError(_("--template-effect has its own sides and questions: leave out the sides and --tasks."))
    named = [name for one in tasks for name in _parts(as_text(one))]
    return Asked(sides=sides, tasks=named, seeds=seeds, of_templates=of_templates, command=_command(context))


def _found(environment: Environment, prepared: "Experiment", *, run_code: bool, fresh: bool, yes: bool) -> "Results":
    """Do what is left of an experiment, and return its results; raises what engines raise, and `CancelledError`."""
    from qwen_tui.evaluation.compare import sandbox

    files.private_folder(prepared.kept.folder)
    with locked(prepared.kept.folder / ".lock", lambda: prepared.output.note(_another())):
        if fresh:
            prepared.kept.forget()
        grid, settled = prepared.settled()
        if run_code and prepared.runs_programs and (obstacle := sandbox.obstacle()):
            grid.output.note(labelled(_("Programs cannot be run here, so that check will tell nothing"), obstacle))
        if left := len(grid.left()):
            _agree(environment, grid, left, yes=yes)
            try:
                grid.work()
            except (CancelledError, QwenError):
                grid.output.note(_("Stopped. What is finished is kept, and the same command goes on from there."))
                raise
        return prepared.results(grid, settled, run_code=run_code)


def _agree(environment: Environment, grid: "Grid", left: int, *, yes: bool) -> None:
    """Say what is to be done and how long that takes, and ask; raises `UsageError` where nobody can be asked."""
    total, sides, rounds = len(grid.cells()), len(grid.places), len(grid.seeds)
    grid.output.note(
        ngettext(
            "{sides} sides × {tasks} × {rounds} round: {names}",
            "{sides} sides × {tasks} × {rounds} rounds: {names}",
            rounds,
        ).format(
            sides=sides,
            tasks=ngettext("{n} task", "{n} tasks", len(grid.tasks)).format(n=len(grid.tasks)),
            rounds=rounds,
            names=listed(place.side.name for place in grid.places),
        )
    )
    if left < total:
        done = total - left
        grid.output.note(
            ngettext(
                "Of {total} answers, {done} is kept from before.",
                "Of {total} answers, {done} are kept from before.",
                done,
            ).format(total=total, done=done)
        )
    foretold = grid.foretell()
    grid.output.note(
        _("That takes about {time} if every answer becomes as long as it may.").format(time=duration(foretold.seconds))
        if not foretold.unknown
        else _("How long that takes is not known before the first answers of: {names}.").format(
            names=listed(foretold.unknown)
        )
    )
    if yes:
        return
    asker = Asker(environment)
    if not asker.can_answer:
        raise UsageError(
            _("Nothing was begun: there is no terminal on which to ask first."),
            _("To begin without being asked, add --yes."),
        )
    if not asker.confirm(_("Begin?"), default=True):
        raise typer.Abort


@dataclass(frozen=True, slots=True)
class _Doors:
    """Where models come from, with this command's progress: the `Doors` of `evaluation`."""

    environment: Environment
    settings: Config
    offline: bool

    def planner(self, settings: Config) -> Planner:
        return wiring.planner(self.environment, settings, learning=False)

    def on_server(self, settings: Config) -> Engine:
        return wiring.engine(self.environment, settings, offline=self.offline)

    def hashing(self, name: str) -> AbstractContextManager[Callable[[int, int], None]]:
        return wiring.TerminalWatcher(self.environment, self.settings).hashing(name)

    def choices(self) -> list[str]:
        """Return examples of what can be compared here."""
        models = [name for name, _about in wiring.models(self.settings)]
        pair = [["--a", f"model={models[0]}", "--b", f"model={models[1]}"]] if len(models) > 1 else []
        return [
            command_line("qwen", "compare", *words)
            for words in (
                ["--a", "threads=1", "--b", "threads=2"],
                ["--a", "kv_type=f16", "--b", "kv_type=q8_0"],
                *pair,
                ["--a", "template=none", "--b", "template=task", "--tasks", "all"],
            )
        ]


def _another() -> str:
    return _("A comparison of the same sides runs in another window: waiting until it is done …")


def _command(context: typer.Context) -> str:
    """Return the command that brings the same about again, for the report."""
    line: list[LinePart] = context.meta[WRITTEN]
    words = [word for part in line if part.option not in _NOT_OF_EXPERIMENT for word in part.arguments]
    return command_line("qwen", "compare", *words)


def _parts(text: str) -> list[str]:
    """Return the names of tasks in `ages,http`; a folder may have a comma in its name."""
    return [text] if files.is_folder(files.expand(text)) else [part.strip() for part in text.split(",") if part.strip()]


def _seeds(listed_seeds: str | None, rounds: int | None, first: int | None) -> tuple[int, ...]:
    """Return the seed of each round."""
    if listed_seeds is None:
        begin = 1 if first is None else first
        return tuple((begin + number) % (_MOST_SEED + 1) for number in range(rounds or 3))
    numbers = [part.strip() for part in listed_seeds.split(",")]
    if rounds is not None and rounds != len(numbers):
        raise UsageError(_("--seeds lists the rounds: leave out --rounds."))
    if not all(number.isdecimal() and int(number) <= _MOST_SEED for number in numbers) or len(set(numbers)) < len(
        numbers
    ):
        raise UsageError(
            _("--seeds {text} is not understood.").format(text=listed_seeds),
            _("Write different whole numbers, such as: --seeds 1,2,3"),
        )
    return tuple(map(int, numbers))


def _check_writable(folder: Path) -> None:
    """Raise `WriteError` for a folder in which the report could not be written: better now than hours later."""
    there = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not files.is_folder(there):
        raise _not_written(there, NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)), chosen=True)
    if not os.access(there, os.W_OK):
        raise _not_written(there, PermissionError(errno.EACCES, os.strerror(errno.EACCES)), chosen=True)


def _write(folder: Path, contents: dict[str, bytes], *, chosen: bool) -> None:
    for name, content in contents.items():
        try:
            files.write_private(folder / name, content)
        except OSError as error:
            raise _not_written(folder / name, error, chosen=chosen) from error


def _not_written(path: Path, error: OSError, *, chosen: bool) -> WriteError:
    return WriteError(
        _("{path} could not be written: {reason}").format(path=path, reason=why(error)),
        how_to_write(error, chosen=chosen),
    )
