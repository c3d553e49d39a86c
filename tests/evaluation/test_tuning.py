"""Searching for the best plan: with engines of known speeds, and through the command."""

import json
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qwen_tui.config import Config
from qwen_tui.engine.protocol import Request
from qwen_tui.errors import EngineError
from qwen_tui.evaluation.tuning import Search, relative
from qwen_tui.hardware.machine import Machine, default_plan
from qwen_tui.hardware.plan import Plan
from qwen_tui.hardware.processor import physical_cores
from qwen_tui.hardware.tensors import repack_bytes
from qwen_tui.messages import Event, Finished, Loading, Prefill, Timings, Usage
from qwen_tui.models.gguf import read_header
from qwen_tui.planning import in_force as planning
from qwen_tui.planning import tuned
from qwen_tui.planning.in_force import in_force
from qwen_tui.planning.tuned import SearchResult, Trial
from tests.conftest import COMMAND, Run
from tests.scripted_engine import ScriptedEngine
from tests.streams import Clock

OFFICE = Machine(cpu="six cores", cores=6, logical_cores=12, memory=16)
TWO_CORES = Machine(cpu="two cores", cores=2, logical_cores=2, memory=8)
Speeds = Callable[[Plan], tuple[float, float, float]]


class TimedEngine(ScriptedEngine):
    """An engine that takes the time given for its options: seconds to load, tokens a second of prefill and decode."""

    def __init__(self, clock: Clock, load_s: float, reading: float, writing: float) -> None:
        super().__init__(ctx_size=8192)
        self._clock = clock
        self._load_s, self._reading, self._writing = load_s, reading, writing
        self._cached = 0

    def load(self) -> Generator[Loading, None, bool]:
        self._clock.now += self._load_s
        yield Loading(1.0)
        return True

    def stream(self, request: Request) -> Iterator[Event]:
        total = self.count(request.messages)
        computed = 1 if self._cached == total else total
        self._cached = total
        decodes = (request.max_tokens or 2) - 1
        self._clock.now += computed / self._reading + decodes / self._writing
        yield Prefill(total, total)
        yield Finished(
            Usage(prompt_tokens=total, completion_tokens=decodes + 1),
            Timings(prefill_tps=self._reading, decode_tps=self._writing),
            "length",
        )

    def batch_seconds(self, sizes: Sequence[int], depth: int = 0) -> tuple[float, ...]:
        seconds = tuple((1 + 0.1 * (size - 1)) / self._writing for size in sizes)
        self._clock.now += sum(seconds)
        return seconds


def search(speeds: Speeds, machine: Machine = OFFICE, budget: float = 60, **options: Any) -> tuple[SearchResult, Clock]:
    clock = Clock()

    def open_engine(plan: Plan) -> TimedEngine:
        return TimedEngine(clock, *speeds(plan))

    found = Search(open_engine, default_plan(machine), machine, budget=budget, clock=clock, **options).run()
    return found, clock


def even(_plan: Plan) -> tuple[float, float, float]:
    return 1.0, 30.0, 4.0


def test_the_search_finds_the_best_plan() -> None:
    def speeds(plan: Plan) -> tuple[float, float, float]:
        reading = 30 * (1.5 if plan.batch_threads == 12 else 1)
        writing = 4 * (1.2 if plan.flash_attention else 1) * (1.1 if plan.kv_type == "q8_0" else 1)
        return 1.0, reading, writing * (0.6 if plan.threads != 6 else 1)

    found, _clock = search(speeds, budget=200)
    best = Plan(threads=6, batch_threads=12, flash_attention=True, kv_type="q8_0")
    assert found.chat.plan == found.ask.plan == best
    assert found.chat.writing == pytest.approx(4 * 1.2 * 1.1)
    assert found.chat_costs == pytest.approx([1 + 0.1 * n for n in range(32)], abs=0.001)


def test_without_a_clearly_better_plan_the_defaults_stay() -> None:
    def speeds(plan: Plan) -> tuple[float, float, float]:
        return 1.0, 30.6 if plan.batch_threads == 12 else 30.0, 4.08 if plan.repack else 4.0

    found, _clock = search(speeds, budget=200)
    assert found.chat.plan == found.ask.plan == default_plan(OFFICE)
    assert any(trial.plan.repack for trial in found.trials)


def test_what_is_quicker_in_a_long_conversation_is_chosen() -> None:
    class Deep(TimedEngine):
        def batch_seconds(self, sizes: Sequence[int], depth: int = 0) -> tuple[float, ...]:
            self._writing *= 1 - depth / 4096
            return super().batch_seconds(sizes)

    clock = Clock()

    def open_engine(plan: Plan) -> TimedEngine:
        if plan.flash_attention:
            return Deep(clock, 1.0, 30.0, 5.0)
        return TimedEngine(clock, 1.0, 30.0, 4.0)

    found = Search(open_engine, default_plan(OFFICE), OFFICE, budget=200, clock=clock).run()
    assert not found.chat.plan.flash_attention


def test_loading_counts_for_single_questions_only() -> None:
    def speeds(plan: Plan) -> tuple[float, float, float]:
        return (25.0, 28.0, 4.6) if plan.repack else (1.0, 30.0, 4.0)

    found, _clock = search(speeds, budget=200)
    assert found.chat.plan.repack
    assert not found.ask.plan.repack
    # The costs of batches differ between the two plans, so each has its own.
    assert found.chat_costs
    assert found.ask_costs


def test_a_minute_is_enough_for_a_4b_model_on_an_office_pc_and_repacking_is_among_what_is_tried() -> None:
    def speeds(plan: Plan) -> tuple[float, float, float]:
        return (4.7, 23.0, 4.4) if plan.repack else (1.0, 30.0, 2.9)

    found, clock = search(speeds)
    assert clock.now <= 63
    assert found.chat.plan.repack
    assert found.chat_costs
    assert len(found.trials) >= 4


def test_a_first_load_that_waits_for_the_disk_keeps_nothing_from_being_tried() -> None:
    loads = iter([9.0])

    def speeds(plan: Plan) -> tuple[float, float, float]:
        return next(loads, 2.5 if plan.repack else 0.5), 16.0, 5.0

    found, clock = search(speeds, TWO_CORES)
    assert clock.now <= 63
    assert {(trial.plan.flash_attention, trial.plan.repack) for trial in found.trials} >= {(True, False), (False, True)}
    assert found.chat_costs


def test_what_there_was_no_time_for_is_told() -> None:
    found, _clock = search(even, budget=25)
    assert found.untried
    assert not {trial.plan for trial in found.trials} & set(found.untried)
    assert not search(even, budget=1000)[0].untried


@pytest.mark.parametrize("budget", [1, 30, 40])
def test_the_budget_is_kept_and_the_defaults_are_measured_in_any_case(budget: float) -> None:
    def slow(_plan: Plan) -> tuple[float, float, float]:
        return 3.0, 15.0, 4.0

    found, clock = search(slow, budget=budget)
    least = search(slow, budget=1)[1].now
    assert clock.now <= max(budget * 1.05, least)
    assert found.trials[0].plan == default_plan(OFFICE)
    assert bool(found.chat_costs) == (budget > 1)


def test_without_enough_memory_repacking_is_not_tried() -> None:
    found, _clock = search(even, may_repack=False)
    assert not any(trial.plan.repack for trial in found.trials)


def test_a_short_disturbance_does_not_decide() -> None:
    disturbed = iter([2.0])

    def speeds(_plan: Plan) -> tuple[float, float, float]:
        # The PC is busy during the first measurement.
        return 1.0, 30.0, next(disturbed, 4.0)

    found, _clock = search(speeds, budget=200)
    assert found.chat.plan == default_plan(OFFICE)


def test_a_plan_that_fails_is_skipped() -> None:
    class Refusing(TimedEngine):
        def load(self) -> Generator[Loading, None, bool]:
            raise EngineError("no quantised KV cache here")

    clock = Clock()

    def open_engine(plan: Plan) -> TimedEngine:
        kind = Refusing if plan.kv_type == "q8_0" else TimedEngine
        return kind(clock, 1.0, 30.0, 4.0)

    found = Search(open_engine, default_plan(OFFICE), OFFICE, budget=200, clock=clock).run()
    assert found.chat.plan == default_plan(OFFICE)
    assert len(found.trials) > 3


class Failing(TimedEngine):
    """Fails when it is loaded."""

    def load(self) -> Generator[Loading, None, bool]:
        raise EngineError("no memory now\nits log")


@pytest.mark.parametrize("at", ["the start", "the best plan"])
def test_what_was_found_is_kept_if_it_cannot_be_measured_once_more(at: str) -> None:
    clock, told = Clock(), list[str]()
    failing = {"the start": False, "the best plan": True}[at]

    def open_engine(plan: Plan) -> TimedEngine:
        again = bool(told) and told[-1].startswith("Once more")
        kind = Failing if again and plan.flash_attention == failing else TimedEngine
        return kind(clock, 1.0, 30.0, 5.0 if plan.flash_attention else 4.0)

    start = default_plan(TWO_CORES)
    assert not start.flash_attention
    said: list[str] = []
    found = Search(
        open_engine, start, TWO_CORES, budget=200, clock=clock, on_step=told.append, on_failure=said.append
    ).run()
    assert found.chat.plan.flash_attention
    assert (found.trials[0].writing, found.chat.writing) == (4.0, 5.0)
    assert said == ["  This failed, so the first figures count: no memory now"]


def test_what_was_found_is_kept_if_the_batches_cannot_be_timed() -> None:
    clock, told, said = Clock(), list[str](), list[str]()

    def open_engine(_plan: Plan) -> TimedEngine:
        kind = Failing if told[-1].startswith("Timing") else TimedEngine
        return kind(clock, 1.0, 30.0, 4.0)

    found = Search(
        open_engine, default_plan(OFFICE), OFFICE, budget=200, clock=clock, on_step=told.append, on_failure=said.append
    ).run()
    assert found.trials
    assert found.chat_costs == ()
    assert said == ["  The batches could not be timed: no memory now"]


def test_costs_between_the_measured_batches_are_interpolated() -> None:
    assert relative((1, 2, 4), (0.2, 0.3, 0.5)) == (1.0, 1.5, 2.0, 2.5)
    # The measurement of the smallest batch was disturbed.
    assert relative((1, 2, 4), (0.4, 0.3, 0.8)) == (1.0, 1.0, 1.5, 2.0)
    # A measurement that was cut short gives no costs.
    assert relative((1, 2, 4), (0.2,)) == ()


# What is stored, and when it is used.


@pytest.fixture
def kept(home: Path) -> Path:
    return home / "tuned.json"


def remember(file: Path, kept: Path, *, repack: bool = False, **changes: Any) -> Plan:
    """Store a plan that no rule would make."""
    plan = Plan(threads=3, batch_threads=5, batch_size=64, repack=repack)
    trial = Trial(plan=plan, load_s=1, reading=30, writing=4)
    found = SearchResult((trial,), trial, trial, (1.0, 1.3), ())
    about = msgspec.structs.replace(tuned.subject(file), **changes)
    tuned.keep(kept, tuned.tuned(found, about, 8192))
    return plan


def test_a_measured_plan_is_used_but_an_explicit_setting_wins(tiny: Path, kept: Path) -> None:
    header = read_header(tiny)
    by_rule = in_force(Config(), tiny, header, kept)
    assert by_rule.plan.threads == physical_cores()
    plan = remember(tiny, kept)
    assert in_force(Config(), tiny, header, kept).plan == plan
    assert in_force(Config(), tiny, header, kept).costs.batches == (1.0, 1.3)
    assert in_force(Config(), tiny, header, kept, purpose="ask").costs.batches == ()
    threads = in_force(Config(threads=2), tiny, header, kept).plan
    assert (threads.threads, threads.batch_threads, threads.batch_size) == (2, 2, 64)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "changes",
    [{"machine": OFFICE}, {"size": 1}, {"modified": 1}, {"library": "0.0.1"}, {"gpu_layers": 5}, {"model": "x.gguf"}],
)
def test_figures_of_another_machine_model_or_library_are_not_used(
    tiny: Path, kept: Path, changes: dict[str, Any]
) -> None:
    remember(tiny, kept, **changes)
    assert in_force(Config(), tiny, read_header(tiny), kept).plan.batch_size == 128


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"version": 3', '"version": 2'),
        lambda text: text.replace('"threads": 3', '"threads": "three"'),
        lambda text: text.replace('"threads": 3', '"threads": -3'),
        lambda text: text.replace('"f16"', '"q8_0"'),
        lambda _text: "\udcff[]",
        lambda _text: "",
    ],
)
def test_a_damaged_file_counts_as_none(tiny: Path, kept: Path, damage: Callable[[str], str]) -> None:
    remember(tiny, kept)
    kept.write_bytes(damage(kept.read_text()).encode("utf-8", "surrogateescape"))
    assert in_force(Config(), tiny, read_header(tiny), kept).plan.batch_size == 128
    # A new measurement replaces the damaged file.
    plan = remember(tiny, kept)
    assert in_force(Config(), tiny, read_header(tiny), kept).plan == plan


def test_several_models_are_remembered_and_a_changed_one_is_replaced(tiny: Path, kept: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(tiny.read_bytes())
    remember(tiny, kept)
    remember(other, kept, size=5)
    remember(other, kept)
    assert [entry["subject"]["model"] for entry in json.loads(kept.read_text())["tuned"]] == ["other.gguf", tiny.name]
    assert tuned.forget(kept, tuned.subject(other))
    assert not tuned.forget(kept, tuned.subject(other))
    assert tuned.read(kept, tiny)


def test_with_little_memory_weights_are_not_repacked_and_the_program_says_so(
    tiny: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = read_header(tiny)
    plan = remember(tiny, kept, repack=True)
    needed = repack_bytes(header, plan)
    monkeypatch.setattr(planning, "available_memory", lambda: needed)
    assert in_force(Config(), tiny, header, kept).plan.repack
    monkeypatch.setattr(planning, "available_memory", lambda: needed - 1)
    short = in_force(Config(), tiny, header, kept)
    assert not short.plan.repack
    assert "free memory" in short.describe()


# The command `qwen tune`.


def test_tune_measures_shows_and_forgets(qwen: Run, tiny: Path, kept: Path) -> None:
    done = qwen("tune", "-m", tiny, "--seconds", "3")
    assert done.returncode == 0, done.stderr.decode()
    assert b"Trying: the defaults" in done.stderr
    assert b"tokens/s" in done.stderr
    table = done.stdout.decode()
    assert table.startswith("| tried")
    assert "| the defaults" in table
    assert "chats" in table
    assert len(json.loads(kept.read_text())["tuned"]) == 1
    shown = qwen("tune", "-m", tiny, "--show").stdout.decode()
    assert table.endswith(shown)
    assert "measured 20" in shown
    assert qwen("ask", "-m", tiny, "-o", "max_tokens=4", "hello").returncode == 0
    assert qwen("tune", "-m", tiny, "--reset").stdout == b"What was measured for this model is removed.\n"
    assert b"by rule" in qwen("tune", "-m", tiny, "--show").stdout


def test_a_cancelled_search_stores_nothing(tiny: Path, kept: Path, tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "tune", "-m", str(tiny)], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        assert program.stderr is not None
        while b"Trying" not in program.stderr.readline():
            assert program.poll() is None
        time.sleep(0.05)
        program.send_signal(signal.SIGINT)
        stdout, stderr = program.communicate(timeout=60)
    assert program.returncode == 130
    assert stdout == b""
    assert b"Nothing was saved." in stderr
    assert b"Traceback" not in stderr
    assert not kept.exists()
