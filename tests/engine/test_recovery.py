"""The table of what is done when a worker fails, with workers that fail by a script and compute nothing."""

import os
import signal
from collections.abc import Iterator
from typing import cast, get_args

import pytest

from qwen_tui.engine import wire
from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.process import WorkerProcess
from qwen_tui.engine.protocol import EngineInfo, LoadOptions, Request
from qwen_tui.engine.recovery import POLICY, Cause, Phase
from qwen_tui.errors import QwenError
from qwen_tui.hardware.plan import Plan
from qwen_tui.messages import Finished, Message, Note, Prefill, Text, Timings, Usage

# A worker's last words: a reply, or the code that it ends with; and its log.
FAULTS: dict[Cause, tuple[wire.Failed | int, str]] = {
    "no memory": (wire.Failed("memory"), ""),
    "died of memory": (-signal.SIGABRT, "CUDA error: out of memory"),
    "refused": (wire.Failed("context"), ""),
    "killed": (-9, ""),
    "crashed": (-signal.SIGSEGV, ""),
    "illegal instruction": (-signal.SIGILL, ""),
    "other signal": (-signal.SIGTERM, ""),
    "card gone": (0, ""),
    "bad file": (wire.Failed("model"), "invalid magic"),
    "no library": (wire.Failed("library", "libggml.so"), ""),
    "bad request": (wire.Failed("too_long"), ""),
    "ended": (1, ""),
}
WAYS = [
    Plan(gpu_layers=3),
    Plan(gpu_layers=2),
    Plan(gpu_layers=1),
    Plan(gpu_layers=1, batch_size=64),
    Plan(repack=True),
    Plan(),
    Plan(batch_size=64),
]


class Workers:
    """Starts workers that fail for a `cause` in a `phase`, so many times, and keeps the plans that they load."""

    def __init__(self, cause: Cause, phase: Phase, times: int, variants: int = 0) -> None:
        self.cause, self.phase, self.left = cause, phase, times
        # How many further variants the portable llama.cpp has for this processor.
        self.variants = variants
        self.plans: list[Plan] = []

    def __call__(self, _log: object) -> WorkerProcess:
        return cast(WorkerProcess, ScriptedWorker(self))


class ScriptedWorker:
    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._fault, self._log = FAULTS[workers.cause]
        self._replies: Iterator[wire.Reply] = iter(())
        self.loaded = 0.0

    def send(self, command: wire.WorkerCommand) -> None:
        workers = self._workers
        if isinstance(command, wire.Load):
            plan = command.options.plan
            workers.plans.append(plan)
            layers = 0 if workers.cause == "card gone" else plan.gpu_layers
            info = EngineInfo(model="model", device="CPU", ctx_size=8192, threads=1, gpu_layers=layers, layers=3)
            self._replies = self._until("loading", [wire.Loaded(info, 0.0)])
        elif isinstance(command, wire.Generate):
            replies: list[wire.Reply] = [Prefill(0, 9), Prefill(9, 9), Text("yes", (1,))]
            end = Finished(Usage(), Timings(), "stop")
            if workers.phase == "first decode":
                self._replies = self._until("first decode", [*replies, end])
            else:
                self._replies = iter([*replies, *self._until("answering", [end])])

    def _until(self, phase: Phase, replies: list[wire.Reply]) -> Iterator[wire.Reply]:
        workers = self._workers
        if workers.phase != phase or not workers.left or workers.cause == "card gone":
            return iter(replies)
        workers.left -= 1
        return iter([self._fault] if isinstance(self._fault, wire.Failed) else [])

    def receive(self, _timeout: float) -> wire.Reply:
        try:
            return next(self._replies)
        except StopIteration:
            raise EOFError from None

    def wait(self) -> int:
        assert isinstance(self._fault, int)
        return self._fault

    def steps_down(self, _code: int) -> bool:
        workers = self._workers
        workers.variants -= 1
        return workers.variants >= 0

    def memory_ran_out(self) -> bool:
        return False

    def last_lines(self, _count: int = 3) -> str:
        return self._log

    def is_alive(self) -> bool:
        return True

    def close(self) -> None:
        return None


def ask(workers: Workers, ways: list[Plan] = WAYS) -> tuple[str, list[str]]:
    """Return the answer, and what was noted."""
    engine = LocalEngine([LoadOptions(path=os.fsencode("/m.gguf"), plan=plan) for plan in ways], start_worker=workers)
    events = list(engine.stream(Request(messages=(Message("user", "Is it?"),))))
    assert isinstance(events[-1], Finished)
    return (
        "".join(event.piece for event in events if isinstance(event, Text)),
        [event.sentence for event in events if isinstance(event, Note)],
    )


def cases() -> list[tuple[Phase, Cause]]:
    return [(phase, cause) for phase in get_args(Phase) for cause in POLICY[phase]]


def test_the_table_names_every_cause() -> None:
    assert {cause for _phase, cause in cases()} == set(get_args(Cause)) == set(FAULTS)


@pytest.mark.parametrize(("phase", "cause"), cases())
def test_what_fails_every_time_ends_in_one_error_after_few_workers(phase: Phase, cause: Cause) -> None:
    workers = Workers(cause, phase, times=1000)
    if cause == "card gone":
        assert ask(workers)[0] == "yes"
        assert [plan.gpu_layers for plan in workers.plans] == [3, 0]
        return
    with pytest.raises(QwenError) as raised:
        ask(workers)
    assert raised.value.remedy
    # Each way once, and the same one a second time at most once.
    assert len(workers.plans) <= len(WAYS) + 1
    assert len(set(workers.plans)) >= len(workers.plans) - 1


@pytest.mark.parametrize(("phase", "cause"), cases())
def test_what_fails_once_ends_in_an_answer_if_the_table_has_an_action(phase: Phase, cause: Cause) -> None:
    for_the_cpu = {"no repacking", "other code", "older instructions"}
    for_a_card = {"less on the card", "without the card", "older instructions"}
    for ways, not_there in ((WAYS, for_the_cpu), ([plan for plan in WAYS if not plan.gpu_layers], for_a_card)):
        workers = Workers(cause, phase, times=1)
        if cause == "card gone" or set(POLICY[phase][cause]) - not_there:
            assert ask(workers, ways)[0].endswith("yes")
        else:
            with pytest.raises(QwenError):
                ask(workers, ways)
            assert len(workers.plans) == 1


@pytest.mark.parametrize("phase", get_args(Phase))
def test_a_portable_build_answers_with_older_instructions_where_the_newest_are_forbidden(phase: Phase) -> None:
    workers = Workers("illegal instruction", phase, times=2, variants=3)
    answer, notes = ask(workers)
    assert answer.endswith("yes")
    assert workers.plans == [WAYS[0]] * 3, "the plan stays"
    assert len(notes) == 2
