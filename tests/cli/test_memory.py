"""`qwen ask` with too little memory, and what it tries then."""

import bisect
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from qwen_tui import files
from qwen_tui.cli import wiring
from qwen_tui.config import Config
from qwen_tui.engine.ladder import Worked
from qwen_tui.engine.protocol import LoadOptions
from qwen_tui.hardware.plan import Plan
from qwen_tui.planning import tuned
from qwen_tui.planning.tuned import SearchResult, Trial
from tests.conftest import Run
from tests.program import environment

if sys.platform == "win32":
    pytest.skip("needs RLIMIT_AS", allow_module_level=True)

import resource

# All that the program imports before it prints anything.
STARTING = """
import hashlib, logging, random, subprocess, threading
from qwen_tui.cli.main import main
main(["ask", "--help"])
"""


def within(megabytes: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))


@pytest.fixture(scope="session")
def least() -> int:
    """The megabytes that Python needs on this machine to import these modules without an error."""

    def suffices(megabytes: int) -> bool:
        done = subprocess.run([sys.executable, "-P", "-c", STARTING], preexec_fn=within(megabytes), capture_output=True)
        return not (done.returncode or done.stderr)

    sizes = range(32, 1056, 4)
    return sizes[bisect.bisect_left(sizes, True, key=suffices)]


@pytest.mark.parametrize("more", [2, 8, 20, 36, 52, 4000])
def test_too_little_memory_ends_in_an_answer_or_in_one_message(qwen: Run, tiny: Path, least: int, more: int) -> None:
    done = qwen("ask", "-m", tiny, "-o", "max_tokens=5", "hello", preexec_fn=within(least + more))
    errors = done.stderr.decode()
    assert "Traceback" not in errors
    if done.returncode:
        assert done.returncode == 1
        assert errors.count("qwen: ") == 1
        assert len(errors.splitlines()) <= 6
    else:
        assert done.stdout
    assert more < 1000 or done.returncode == 0


def remember_tuned(model: Path, **changes: object) -> Plan:
    """Store a plan for the processor that no rule would make."""
    plan = msgspec.structs.replace(Plan(threads=3, batch_threads=5, batch_size=96), **changes)
    trial = Trial(plan=plan, load_s=1, reading=30, writing=4)
    found = SearchResult((trial,), trial, trial, (1.0, 1.3), (1.0, 1.3))
    tuned.keep(files.folders().tuned, tuned.tuned(found, tuned.subject(model), 8192))
    return plan


def test_without_the_card_the_processor_computes_as_it_was_tuned(tiny: Path) -> None:
    plan = remember_tuned(tiny)
    ways = wiring.planner(environment(), Config(model=str(tiny), gpu_layers="all")).ways()
    assert ways[0].plan.gpu_layers
    on_cpu = next(way for way in ways if not way.plan.gpu_layers)
    assert (on_cpu.plan.threads, on_cpu.plan.batch_threads, on_cpu.plan.batch_size) == (3, 5, plan.batch_size)
    assert on_cpu.costs.batches == (1.0, 1.3)


def test_smaller_steps_keep_the_measured_costs(tiny: Path) -> None:
    remember_tuned(tiny)
    first, smaller, cache, *_rest = wiring.planner(environment(), Config(model=str(tiny), gpu_layers="0")).ways()
    assert (first.plan.batch_size, smaller.plan.batch_size) == (96, 64)
    assert smaller.costs.batches == first.costs.batches == (1.0, 1.3)
    assert cache.plan.kv_type != first.plan.kv_type
    assert cache.costs.batches == (), "nothing was measured with it"


def test_a_remembered_plan_counts_only_for_the_same_settings_and_library(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    libraries = tmp_path / "lib"
    libraries.mkdir()
    (libraries / "libggml-cpu.so").write_bytes(b"one")
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(libraries))
    subject = wiring.planner(environment(), Config(model=str(tiny), gpu_layers="0"))

    def worked() -> Worked:
        return Worked(files.folders().worked, lambda: subject.circumstances(subject.ways()[0]))

    plan = subject.ways()[1].plan
    worked().keep(plan)
    assert worked().recall() == plan.without_threads()
    (libraries / "libggml-cpu.so").write_bytes(b"another")
    assert worked().recall() is None, "a new build may need less"
    worked().keep(plan)
    remember_tuned(tiny)
    assert worked().recall() is None, "it was tuned since"


@pytest.mark.parametrize("options", [("--seconds", "1"), ("--reset",)])
def test_tuning_has_the_best_way_tried_again_for_this_model_alone(
    qwen: Run, tiny: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    other = Path(shutil.copy(tiny, tmp_path / "other.gguf"))

    def worked(model: Path) -> Worked:
        return wiring.planner(environment(), Config(model=str(model), gpu_layers="0")).worked(ways(model)[0])

    def ways(model: Path) -> list[LoadOptions]:
        return wiring.planner(environment(), Config(model=str(model), gpu_layers="0")).ways()

    for model in (tiny, other):
        worked(model).keep(ways(model)[1].plan)
    shown = qwen("tune", "-m", tiny, "--show", "--gpu-layers", "0").stdout.decode()
    assert shown.count("What asked for more failed") == 2
    assert shown.count("batches of 64 tokens") == 2
    assert qwen("tune", "-m", tiny, *options, "--gpu-layers", "0").returncode == 0
    kept = files.folders().worked.read_text()
    assert "other.gguf" in kept
    assert "tiny.gguf" not in kept
    assert worked(other).recall()


def test_layers_without_a_card_are_reported(qwen: Run, tiny: Path) -> None:
    for _time in range(2):
        done = qwen("ask", "-m", tiny, "-o", "max_tokens=3", "--gpu-layers", "all", "hello")
        errors = done.stderr.decode()
        assert done.returncode == 0
        assert "llama.cpp sees no graphics card" in errors, "the second time too: nothing is remembered"
        assert "memory" not in errors
        assert "--ctx-size" not in errors
    assert not files.folders().worked.exists()
