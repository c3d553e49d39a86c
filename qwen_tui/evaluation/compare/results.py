"""All results of an experiment: the answers with what the checks found, the statistics, the speeds."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

import msgspec

from qwen_tui import cancellation
from qwen_tui.evaluation.compare import statistics
from qwen_tui.evaluation.compare.grid import Cell, Grid
from qwen_tui.evaluation.compare.places import Places, places
from qwen_tui.evaluation.compare.runs import Measured, Run, Settled, Told
from qwen_tui.evaluation.compare.sample import Finding
from qwen_tui.evaluation.compare.statistics import Comparison
from qwen_tui.evaluation.compare.task import Task
from qwen_tui.messages import Step

# The check that stands for all: the mean of what the checks of an answer found.
OVERALL = ""


class Checked(NamedTuple):
    """One check of one task, compared between the first side and the side `side`; `task` is "" over all tasks."""

    task: str
    check: str
    side: int


class Results(NamedTuple):
    """What a report is made of.

    `runs` and `findings` are by task, side and seed. In `compared`, the pairs of `OVERALL` are answers to all tasks,
    and those of a check are the rounds of its task. `places` are by the number of the other side; `other_tokens` are
    the sides that have none because their model splits the same answer in another way. `told` has what the server of
    each side told of itself.
    """

    settled: Settled
    command: str
    language: str
    tasks: Mapping[str, Task]
    seeds: tuple[int, ...]
    order: int
    runs: Mapping[tuple[str, int, int], Run]
    findings: Mapping[tuple[str, int, int], Mapping[str, Finding]]
    pairs: Mapping[Checked, Sequence[statistics.Pair]]
    compared: Mapping[Checked, Comparison]
    places: Mapping[int, Places]
    other_tokens: Sequence[int]
    told: Sequence[Told]
    run_code: bool

    @property
    def names(self) -> list[str]:
        """The names of the sides."""
        return [side.name for side in self.settled.sides]

    @property
    def of_templates(self) -> bool:
        """Whether the experiment is that of the templates' effect."""
        return _is_of_templates(self.tasks)

    def answer(self, task: str, side: int, seed: int) -> Run:
        """Return the answer of a side in a round."""
        return self.runs[task, side, seed]

    def answers(self, side: int) -> list[Run]:
        """Return the answers of a side in the order of tasks and rounds: those of two sides are pairs."""
        return [self.runs[task, side, seed] for task in self.tasks for seed in self.seeds]

    def measured(self, side: int) -> list[Measured]:
        """Return what the answers of a side took, in the same order."""
        return [run.measured for run in self.answers(side)]

    def most(self, side: int, take: Callable[[Measured], int | None]) -> int | None:
        """Return the largest of what the answers of a side took, None where nobody tells."""
        return max((size for one in self.measured(side) if (size := take(one)) is not None), default=None)

    def joules(self, side: int) -> list[float]:
        """Return the energy for each written token, of processor and cards together, of the answers that tell it."""
        found = []
        for run in self.answers(side):
            told = [j for j in (run.measured.processor_j, run.measured.card_j) if j is not None]
            if told and run.answer_tokens:
                found.append(sum(told) / run.answer_tokens)
        return found

    def tried(self) -> int:
        """Return how many comparisons are corrected for: those that had a pair to compare."""
        return sum(bool(one.rounds) for one in self.compared.values())

    def encoded(self) -> bytes:
        """Return everything as one JSON object; scripts rely on the names."""
        findings: list[dict[str, Any]] = [
            {"task": task, "side": side, "seed": seed, "check": check, "value": one.value, "sentence": one.sentence}
            for (task, side, seed), found in self.findings.items()
            for check, one in found.items()
        ]
        compared = [{**checked._asdict(), **_plain(one)} for checked, one in self.compared.items()]
        return msgspec.json.format(
            msgspec.json.encode(
                {
                    "command": self.command,
                    "machinery": self.settled.machinery,
                    "sides": self.settled.sides,
                    "servers": [
                        {"side": side, **msgspec.to_builtins(one)} for side, one in enumerate(self.told) if one.models
                    ],
                    "language": self.language,
                    "seeds": self.seeds,
                    "order": self.order,
                    "run_code": self.run_code,
                    "tasks": [{"name": name, "sha256": sha256(task)} for name, task in self.tasks.items()],
                    "runs": list(self.runs.values()),
                    "findings": findings,
                    "compared": compared,
                    "places": [{"side": side, **msgspec.to_builtins(one)} for side, one in self.places.items()],
                }
            )
        )


def _plain(one: Comparison) -> dict[str, Any]:
    return {name: getattr(one, name) for name in (*Comparison.__dataclass_fields__, "seen")}


def sha256(task: Task) -> str:
    """Return the hash of the file of a task, "" if it is gone."""
    try:
        return hashlib.sha256(task.path.read_bytes()).hexdigest()
    except OSError:
        return ""


def results(grid: Grid, settled: Settled, command: str, language: str, *, run_code: bool) -> Results:
    """Check all answers of a finished grid, and compare; raises `CancelledError`, because checks may run programs."""
    sides = range(len(grid.places))
    runs = {
        (task, side, seed): _run(grid, task, side, seed) for task in grid.tasks for side in sides for seed in grid.seeds
    }
    findings: dict[tuple[str, int, int], Mapping[str, Finding]] = {}
    for done, (place, run) in enumerate(runs.items()):
        cancellation.check()
        # To run a program takes seconds.
        grid.output.show(Step(done, len(runs)))
        findings[place] = grid.tasks[run.task].judge(run.answer, run_code=run_code)
    grid.output.show(Step(len(runs), len(runs)))
    pairs, led = _pairs(grid, findings), dict(_places(grid))
    return Results(
        settled=settled,
        command=command,
        language=language,
        tasks=grid.tasks,
        seeds=tuple(grid.seeds),
        order=grid.order,
        runs=runs,
        findings=findings,
        pairs=pairs,
        compared=statistics.compare(pairs, seed=grid.order),
        places={side: found for side, found in led.items() if found is not None},
        other_tokens=[side for side, found in led.items() if found is None],
        told=[grid.kept.told(side) for side in sides],
        run_code=run_code,
    )


def _run(grid: Grid, task: str, side: int, seed: int) -> Run:
    run = grid.run(Cell("answer", task, side, seed))
    assert run is not None, "the grid is finished"
    return run


def _pairs(
    grid: Grid, findings: Mapping[tuple[str, int, int], Mapping[str, Finding]]
) -> dict[Checked, list[statistics.Pair]]:
    """Return for each check and each side but the first the values of both in each round."""
    found: dict[Checked, list[statistics.Pair]] = {}
    for side in range(1, len(grid.places)):
        if not _is_of_templates(grid.tasks):
            # What filler and the first sentence say of templates are two things, and their mean is none.
            found[Checked("", OVERALL, side)] = [
                _overall(findings[task, 0, seed], findings[task, side, seed])
                for task in grid.tasks
                for seed in grid.seeds
            ]
        for name, task in grid.tasks.items():
            for check in task.checks:
                values = [
                    (findings[name, 0, seed][check.name].value, findings[name, side, seed][check.name].value)
                    for seed in grid.seeds
                ]
                key = Checked("" if _is_of_templates(grid.tasks) else name, check.name, side)
                found.setdefault(key, []).extend(values)
    return found


def _is_of_templates(tasks: Mapping[str, Task]) -> bool:
    return any(task.values is not None for task in tasks.values())


def _overall(first: Mapping[str, Finding], other: Mapping[str, Finding]) -> statistics.Pair:
    """Return the means of the checks that could judge both answers."""
    both = [
        (a.value, other[check].value)
        for check, a in first.items()
        if a.value is not None and other[check].value is not None
    ]
    if not both:
        return None, None
    return fmean(a for a, _b in both if a is not None), fmean(b for _a, b in both if b is not None)


def _places(grid: Grid) -> Iterator[tuple[int, Places | None]]:
    """Yield the sides that were led through an answer, with what was seen; None if they have other tokens."""
    alike = [task for task in grid.tasks if grid.compares_places(task)]
    for side in range(1, len(grid.places)):
        pairs = [(grid.led(Cell("led", task, 0)), grid.led(Cell("led", task, side))) for task in alike]
        led = [(first, other) for first, other in pairs if first is not None and other is not None and first.tokens]
        if led:
            yield side, places(led)
