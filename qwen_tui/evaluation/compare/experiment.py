"""An experiment as it is asked for: the sides and tasks it has, and where its answers are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from qwen_tui import files, i18n
from qwen_tui.config import Config
from qwen_tui.errors import UsageError
from qwen_tui.evaluation.compare import conditions as under
from qwen_tui.evaluation.compare import side as sides
from qwen_tui.evaluation.compare import task as tasks
from qwen_tui.evaluation.compare import template_effect
from qwen_tui.evaluation.compare.conditions import Place, machinery, place
from qwen_tui.evaluation.compare.grid import Grid
from qwen_tui.evaluation.compare.results import Results, results
from qwen_tui.evaluation.compare.runs import KeptRuns, Settled
from qwen_tui.evaluation.compare.side import Side
from qwen_tui.evaluation.compare.task import Task
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Output
from qwen_tui.servers import on_server

ALL = "all"


class Doors(under.Doors, Protocol):
    """What an experiment needs of `cli`."""

    def choices(self) -> list[str]:
        """Return commands that compare what can be compared on this PC."""


class Asked(NamedTuple):
    """What the person wants. `sides` are pairs of an option and its settings, `command` is what brings it about again.

    Without `sides`, it is the processor against the card. `tasks` are names, folders, or `ALL`; none are the four of
    the published test. With `of_templates`, it is the built-in templates' effect.
    """

    sides: Sequence[tuple[str, Sequence[str]]]
    tasks: Sequence[str]
    seeds: tuple[int, ...]
    of_templates: bool
    command: str


@dataclass(slots=True)
class Experiment:
    """Places, tasks and seeds, and the folder `kept` with what is finished."""

    asked: Asked
    places: Sequence[Place]
    tasks: Sequence[Task]
    kept: KeptRuns
    folders: Sequence[Path]
    output: Output

    @property
    def hosts(self) -> list[str]:
        """The computers that are asked beside this one."""
        return sorted({place.elsewhere for place in self.places} - {""})

    @property
    def runs_programs(self) -> bool:
        """Whether a check wants to run what is answered."""
        return any(check.name == "computes" for task in self.tasks for check in task.checks)

    def settled(self) -> tuple[Grid, Settled]:
        """Return the grid, with each side loaded as at the first start; raises `WriteError`."""
        sides = [place.conditions for place in self.places]
        settled = self.kept.settle(
            sides, lambda: under.examined(machinery()) if any(side.plan for side in sides) else machinery()
        )
        grid = Grid(
            places=self.places,
            plans=[side.plan for side in settled.sides],
            tasks={task.name: task for task in self.tasks},
            seeds=self.asked.seeds,
            order=self.asked.seeds[0],
            kept=self.kept,
            folders=self.folders,
            output=self.output,
        )
        # A template that wants more than a task gives shows now, and not after an hour.
        grid.cells()
        return grid, settled

    def results(self, grid: Grid, settled: Settled, *, run_code: bool) -> Results:
        """Check and compare all answers of a finished grid; raises `CancelledError`."""
        return results(grid, settled, self.asked.command, i18n.language(), run_code=run_code)


def prepare(
    asked: Asked, settings: Config, doors: Doors, folders: Sequence[Path], output: Output, root: Path
) -> Experiment:
    """Find sides, models and tasks. `folders` have the templates, and in `root` experiments are kept.

    Where chance decides nothing in any answer, one round is all there is, and `output` is told so. Raises `UsageError`,
    `TaskError`, and what finding a model raises.
    """
    language = i18n.language()
    if asked.of_templates:
        chosen = template_effect.questions(language)
        found = sides.with_and_without_template(settings)
        # The claim is about the built-in templates, not about the person's own of the same name.
        folders = folders[-1:]
    else:
        chosen = _tasks(asked.tasks, language)
        found = sides.sides(asked.sides, settings) if asked.sides else _devices(settings, doors)
    places = [place(side, doors) for side in found]
    key = {
        "machinery": machinery(),
        "library": under.library_key() if any(one.conditions.plan for one in places) else "",
        # Neither the plan, which the first start settles, nor the name decides what is computed.
        "sides": [msgspec.structs.replace(one.conditions, plan=None, name="") for one in places],
    }
    if len(asked.seeds) > 1 and all(_is_greedy(one.side.settings) for one in places):
        # Copies of one pair of answers would pass for so many pairs.
        output.note(_("With these settings, every round has the same answers: one round is made."))
        asked = asked._replace(seeds=asked.seeds[:1])
    return Experiment(asked, places, chosen, KeptRuns(root, key), folders, output)


def _is_greedy(settings: Config) -> bool:
    return settings.temperature == 0 or settings.top_k == 1 or settings.top_p == 0


def _devices(settings: Config, doors: Doors) -> list[Side]:
    """Return processor and card; raises `UsageError` where there is none, with what can be compared instead."""
    reason = _("A server decides itself how it computes.")
    if not on_server(settings.model, settings.servers):
        planner = doors.planner(msgspec.structs.replace(settings, gpu_layers="auto"))
        if under.has_card(planner):
            return sides.devices(settings)
        reason = under.no_card(planner)
    examples = "\n".join(f"  {example}" for example in doors.choices())
    raise UsageError(
        _("The usual comparison is that of processor and card. {reason}").format(reason=reason),
        _("What can be compared here, for example:\n{examples}").format(examples=examples),
    )


def _tasks(asked: Sequence[str], language: str) -> list[Task]:
    """Return the tasks for names, folders, or `ALL`; raises `TaskError`."""
    own = [files.expand(name) for name in asked if files.is_folder(files.expand(name))]
    names = [name for name in asked if not files.is_folder(files.expand(name))]
    known: dict[str, Task] = dict(tasks.tasks(language))
    of_own: dict[str, Task] = {}
    for folder in own:
        found = {name: task for name, task in tasks.tasks(language, folder).items() if task.path.parent == folder}
        if not found:
            raise UsageError(
                _("There is no task in this language in {folder}.").format(folder=folder),
                _("A task is a Markdown file; the built-in ones are examples: {folder}").format(folder=tasks.BUILT_IN),
            )
        of_own |= found
    known |= of_own
    if ALL in names:
        return list(known.values())
    if not names:
        return list(of_own.values()) or tasks.select([], language)
    chosen = [*names, *of_own]
    if unknown := [name for name in chosen if name not in known]:
        # This raises, and says which there are.
        tasks.select(unknown, language)
    return [known[name] for name in dict.fromkeys(chosen)]
