"""An engine whose answers follow from the request, and the grid of an experiment on such engines."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from qwen_tui import files
from qwen_tui.config import Config
from qwen_tui.engine.protocol import ReplayOptions, Request
from qwen_tui.evaluation.compare.conditions import Conditions, Place, machinery
from qwen_tui.evaluation.compare.grid import Grid
from qwen_tui.evaluation.compare.results import Results, results
from qwen_tui.evaluation.compare.runs import KeptRuns, Settled
from qwen_tui.evaluation.compare.side import Side
from qwen_tui.evaluation.compare.task import Task
from qwen_tui.hardware.plan import Plan
from qwen_tui.messages import BestTwo, Event, Finished, Prefill, Text, Timings, Usage
from tests.scripted_engine import RecordingOutput, ScriptedEngine

Answer = Callable[[Request], str]
Speed = Callable[[Request], float]


class AnsweringEngine(ScriptedEngine):
    """Answers by a function, at `tps` tokens a second; every word is a token.

    Led through an answer, its likeliest tokens are those of the answer, but for those that it `prefers` at some places.
    """

    def __init__(self, answer: Answer, tps: Speed, prefers: Mapping[int, int]) -> None:
        super().__init__()
        self._answer, self._tps, self._prefers = answer, tps, prefers

    def stream(self, request: Request) -> Iterator[Event]:
        yield Prefill(10, 10)
        follows = isinstance(request.sampler, ReplayOptions)
        words = (request.sampler.text if isinstance(request.sampler, ReplayOptions) else self._answer(request)).split()
        for place, word in enumerate(words):
            best = (BestTwo((self._prefers.get(place, place), 999), (5.0, 4.5)),) if follows else ()
            yield Text(word if not place else f" {word}", (place,), best=best)
        timings = Timings(prefill_s=0.1, decode_s=1.0, ttft_s=0.1, prefill_tps=100.0, decode_tps=self._tps(request))
        yield Finished(Usage(prompt_tokens=10, completion_tokens=len(words)), timings, "stop")


def place_of(
    side: Side, answer: Answer, *, tps: float | Speed = 10.0, prefers: Mapping[int, int] | None = None, host: str = ""
) -> Place:
    """Return a side on such an engine; with a `host` it is one on a server."""
    speed: Speed = tps if callable(tps) else lambda _request: tps
    conditions = Conditions(
        name=side.name,
        given=side.given,
        model="scripted.gguf",
        files={},
        plan=None if host else Plan(),
        host=host,
        sampling={},
        system="",
        template=side.template,
    )
    return Place(side, conditions, lambda _plan: AnsweringEngine(answer, speed, prefers or {}))


def side_of(name: str, **given: Any) -> Side:
    """Return a side of this name."""
    return Side(name=name, given=(), settings=Config(), **given)


def grid_of(places: list[Place], tasks: list[Task], rounds: int, folder: Path) -> tuple[Grid, Settled]:
    """Return the grid of an experiment, and what is settled; nothing is worked through yet."""
    kept = KeptRuns(folder, [place.side.name for place in places])
    settled = kept.settle([place.conditions for place in places], machinery)
    grid = Grid(
        places=places,
        plans=[side.plan for side in settled.sides],
        tasks={task.name: task for task in tasks},
        seeds=tuple(range(1, rounds + 1)),
        order=1,
        kept=kept,
        folders=[files.packaged("templates") / "en"],
        output=RecordingOutput(),
    )
    return grid, settled


def worked(places: list[Place], tasks: list[Task], rounds: int, folder: Path) -> Results:
    """Work through an experiment, and return its results."""
    grid, settled = grid_of(places, tasks, rounds, folder)
    grid.work()
    return results(grid, settled, "qwen compare", "en", run_code=False)
