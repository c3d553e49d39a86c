"""Goes through all tasks, sides and rounds of an experiment, keeps each answer, and tells how long the rest takes."""

import random
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from qwen_tui.durations import duration
from qwen_tui.engine.protocol import LEAST_ROOM, Engine, Request
from qwen_tui.errors import CancelledError, PromptTooLongError, QwenError
from qwen_tui.evaluation.compare import requests
from qwen_tui.evaluation.compare.answering import answered, followed, not_here
from qwen_tui.evaluation.compare.conditions import Place
from qwen_tui.evaluation.compare.runs import Followed, KeptRuns, Run
from qwen_tui.evaluation.compare.task import Task
from qwen_tui.hardware.consumption import counters
from qwen_tui.hardware.load import load_of_others
from qwen_tui.hardware.plan import Plan
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Event, Finished, Note, Output, Step, Text

# To find the two most likely tokens takes about as long as a token of its own.
_LOOKING = 2.0


class Cell(NamedTuple):
    """One piece of work: an answer with a seed, the greedy answer, or to lead a side through that."""

    kind: Literal["answer", "greedy", "led"]
    task: str
    side: int
    seed: int | None = None


class Foretold(NamedTuple):
    """What is left to do: how many cells, and for how long in seconds; `unknown` are sides that do not tell."""

    cells: int
    seconds: float
    unknown: tuple[str, ...]


def shuffled(sides: int, tasks: Sequence[str], seeds: Sequence[int], order: int) -> list[Cell]:
    """Return the answers with seeds in a random order that `order` decides.

    Round by round, both the sides and the tasks of each side are shuffled. So a PC that grows warm, or is used by
    others for a while, does not favour a side, and a model is loaded once for each side and round. More rounds change
    nothing in the order of those before.
    """
    cells = []
    for seed in seeds:
        chance = random.Random(f"{order} {seed}")  # noqa: S311 - no secret
        for side in chance.sample(range(sides), sides):
            cells += [Cell("answer", task, side, seed) for task in chance.sample(list(tasks), len(tasks))]
    return cells


@dataclass(slots=True)
class Grid:
    """All cells of an experiment; `plans` say how each side is loaded, `folders` have the templates."""

    places: Sequence[Place]
    plans: Sequence[Plan | None]
    tasks: Mapping[str, Task]
    seeds: Sequence[int]
    order: int
    kept: KeptRuns
    folders: Sequence[Path]
    output: Output
    _expected: dict[Cell, float] = field(default_factory=dict)
    _load_s: dict[int, float] = field(default_factory=dict)
    _busy: float | None = None

    def cells(self) -> list[Cell]:
        """Return all cells in the order in which they are worked through; raises as `requests.seeded`."""
        cells = shuffled(len(self.places), list(self.tasks), self.seeds, self.order)
        alike = [name for name in self.tasks if self.compares_places(name)]
        greedy = [Cell("greedy", name, 0) for name in alike]
        return [*cells, *greedy, *(Cell("led", name, side) for side in range(len(self.places)) for name in alike)]

    def compares_places(self, task: str) -> bool:
        """Whether the sides can be led through the same answer: all are on this computer, and read the same."""
        asked = {requests.messages(self.tasks[task], place.side, self.folders) for place in self.places}
        return len(asked) == 1 and all(plan is not None for plan in self.plans)

    def request(self, cell: Cell) -> Request | None:
        """Return what is asked in a cell, None while the answer is missing through which a side is to be led."""
        side, task = self.places[cell.side].side, self.tasks[cell.task]
        if cell.kind == "answer" and cell.seed is not None:
            return requests.seeded(task, side, cell.seed, self.folders)
        if cell.kind == "greedy":
            return requests.greedy(task, side, self.folders)
        first = self.run(Cell("greedy", cell.task, 0))
        return None if first is None else requests.led(task, side, first.answer, self.folders)

    def run(self, cell: Cell) -> Run | None:
        """Return the finished answer of a cell, None if it is not finished."""
        request = self.request(cell)
        return self.kept.run(request, cell.task, cell.side, cell.seed) if request else None

    def led(self, cell: Cell) -> Followed | None:
        """Return what is known of a side at the places of the greedy answer, None if that is not finished."""
        request = self.request(cell)
        return self.kept.followed(request, cell.task, cell.side) if request else None

    def left(self) -> list[Cell]:
        """Return the cells that are not finished."""
        return [cell for cell in self.cells() if not (self.led(cell) if cell.kind == "led" else self.run(cell))]

    def foretell(self) -> Foretold:
        """Load each side that has work left, and return how long everything will take at most.

        Raises what engines raise: a side that does not work shows now, and not after an hour.
        """
        left, unknown = self.left(), []
        for side in sorted({cell.side for cell in left}):
            begun = time.perf_counter()
            with closing(self._opened(side)) as engine:
                self._load_s[side] = time.perf_counter() - begun
                for event in engine.try_out(()):
                    self.output.show(event)
                for cell in left:
                    if cell.side == side and (seconds := self._foretold(engine, cell)) is not None:
                        self._expected[cell] = seconds
                    elif cell.side == side and self._name(side) not in unknown:
                        unknown.append(self._name(side))
        loads = [self._load_s[cell.side] for cell, before in _with_before(left) if before != cell.side]
        return Foretold(len(left), sum(loads) + sum(self._expected.values()), tuple(unknown))

    def _foretold(self, engine: Engine, cell: Cell) -> float | None:
        """Return the seconds of a cell; raises `PromptTooLongError`. A server does not tell them, and is sent nothing.

        Some servers count tokens, and for that they get the text. The person has not agreed to that yet.
        """
        if engine.estimate(0, written=1) is None:
            return None
        request = self.request(cell) if cell.kind != "led" else self.request(Cell("greedy", cell.task, cell.side))
        assert request is not None
        assert request.max_tokens is not None
        tokens, holds = engine.count(request.messages), engine.info().ctx_size
        if tokens + LEAST_ROOM > holds:
            said = _("{task}, {side}: the prompt has {tokens} tokens, and the context holds {size}.")
            raise PromptTooLongError(
                said.format(task=cell.task, side=self._name(cell.side), tokens=f"{tokens:,}", size=f"{holds:,}"),
                _("Give this side a larger context: ctx_size={size}").format(size=tokens + request.max_tokens),
            )
        seconds = engine.estimate(tokens, written=request.max_tokens)
        return None if seconds is None else seconds * (_LOOKING if cell.kind == "led" else 1.0)

    def _name(self, side: int) -> str:
        return self.places[side].side.name

    def work(self) -> None:
        """Work through what is left, and keep each result; raises what engines raise, and `CancelledError`."""
        left, load = self.left(), load_of_others()
        self._busy = round(load.share, 2) if load else None
        pace = _Pace(self._expected, self._load_s, left)
        for side, block in _blocks(left):
            with closing(self._opened(side)) as engine:
                for number, cell in block:
                    self._cell(engine, cell, number, pace)

    def _cell(self, engine: Engine, cell: Cell, number: int, pace: "_Pace") -> None:
        request = self.request(cell)
        assert request is not None, "the greedy answers come first"
        total, written, begun, left = len(pace.cells), 0, time.perf_counter(), pace.left_s(number)
        notes: list[str] = []

        def show(event: Event) -> None:
            nonlocal written
            if isinstance(event, Note):
                notes.append(event.sentence)
            if isinstance(event, Text):
                written += max(1, len(event.tokens))
                gone = time.perf_counter() - begun
                self.output.show(Step(number, total, None if left is None else max(0.0, left - gone), written))
            elif not isinstance(event, Finished):
                self.output.show(event)

        self.output.show(Step(number, total, left))
        name = cell.task
        result: Run | Followed
        if cell.kind == "led":
            result = followed(engine, request, name, cell.side, show)
        else:
            read = counters if self.plans[cell.side] else not_here
            result = answered(engine, request, name, cell.side, cell.seed, show, read, self._busy)
        if self.plans[cell.side] is None:
            self.kept.tell(cell.side, engine.info().model, notes)
        self.kept.keep(request, result)
        pace.took(cell, time.perf_counter() - begun)
        self.output.show(Step(total, total))
        left = pace.left_s(number + 1)
        self.output.note(
            f"[{number + 1}/{total}] {self._told(cell, result)}"
            + (_(", {time} left").format(time=duration(left)) if left and number + 1 < total else "")
        )

    def _told(self, cell: Cell, result: Run | Followed) -> str:
        side = self._name(cell.side)
        if isinstance(result, Followed):
            return _("{task}, {side}: {n} places of the greedy answer compared").format(
                task=cell.task, side=side, n=len(result.tokens)
            )
        what = _("seed {seed}").format(seed=cell.seed) if cell.seed is not None else _("greedy")
        return _("{task}, {side}, {what}: {n} tokens in {time}").format(
            task=cell.task, side=side, what=what, n=result.answer_tokens, time=f"{result.measured.seconds:.1f} s"
        )

    def _opened(self, side: int) -> Engine:
        engine = self.places[side].open(self.plans[side])
        try:
            loading = engine.load()
            while True:
                try:
                    self.output.show(next(loading))
                except StopIteration as ended:
                    if not ended.value:
                        raise CancelledError from None
                    return engine
        except BaseException as failure:
            engine.close()
            if isinstance(failure, QwenError):
                # The error itself does not know of sides.
                self.output.note(_("The side {name} does not work here:").format(name=self._name(side)))
            raise


def _with_before(cells: Sequence[Cell]) -> Iterator[tuple[Cell, int | None]]:
    yield from zip(cells, [None, *(cell.side for cell in cells)], strict=False)


def _blocks(cells: Sequence[Cell]) -> Iterator[tuple[int, list[tuple[int, Cell]]]]:
    """Yield the numbered cells that follow each other on the same side: one loading of the model for each block."""
    block: list[tuple[int, Cell]] = []
    for number, cell in enumerate(cells):
        if block and block[-1][1].side != cell.side:
            yield block[-1][1].side, block
            block = []
        block.append((number, cell))
    if block:
        yield block[-1][1].side, block


class _Pace:
    """Learns how long cells take beside what was foretold, and so how long the rest of the grid takes."""

    def __init__(self, expected: Mapping[Cell, float], load_s: Mapping[int, float], cells: Sequence[Cell]) -> None:
        self.cells = cells
        self._expected = expected
        self._load_s = load_s
        # By side: the seconds of finished cells, those that were foretold for them, and their number.
        self._took: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])

    def took(self, cell: Cell, seconds: float) -> None:
        """Take note of a finished cell."""
        for place, value in enumerate((seconds, self._expected.get(cell, 0.0), 1.0)):
            self._took[cell.side][place] += value

    def left_s(self, number: int) -> float | None:
        """Return the seconds from the cell `number` on; None if nobody knows."""
        total = 0.0
        for cell, before in list(_with_before(self.cells))[number:]:
            seconds = self._seconds(cell)
            if seconds is None:
                return None
            total += seconds + (self._load_s.get(cell.side, 0.0) if before != cell.side else 0.0)
        return total

    def _seconds(self, cell: Cell) -> float | None:
        took, foretold, count = self._took[cell.side]
        if cell in self._expected:
            return self._expected[cell] * (took / foretold if foretold else 1.0)
        return took / count if count else None
