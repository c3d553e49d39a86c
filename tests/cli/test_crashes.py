"""Settings that crash on this processor: the program reports them once, remembers them, and does not use them again."""

import json
from pathlib import Path

import msgspec
import pytest

from qwen_tui import files
from qwen_tui.cli import wiring
from qwen_tui.config import Config
from qwen_tui.engine.library import library_files
from qwen_tui.hardware.machine import default_plan, this_machine
from qwen_tui.hardware.plan import Plan
from qwen_tui.planning import tuned
from qwen_tui.planning.tuned import SearchResult, Trial
from tests.conftest import Run
from tests.faulty_llama import fault, install
from tests.program import environment

# The message when a worker dies during a conversation.
OF_TALKS = ("started again", "the answer goes on", "Nothing of the conversation is lost")


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process and the program see the same llama.cpp; the program finds it behind the one with faults."""
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(library_files()[0].parent))


def remember_tuned(model: Path, **changes: object) -> None:
    """Store a plan of another processor, as in a home folder that was copied from another PC."""
    plan = msgspec.structs.replace(default_plan(this_machine()), **changes)
    trial = Trial(plan=plan, load_s=1, reading=30, writing=4)
    found = SearchResult((trial,), trial, trial, (), ())
    tuned.keep(files.folders().tuned, tuned.tuned(found, tuned.subject(model), 8192))


def plan_of(model: Path) -> Plan:
    return wiring.planner(environment(), Config(model=str(model), gpu_layers="0")).in_force().plan


def crashes() -> list[dict[str, object]]:
    return [crash["settings"] for crash in json.loads(files.folders().crashes.read_text())["crashes"]]


def ask(qwen: Run, model: Path, *options: str) -> str:
    """Ask, and return stderr."""
    done = qwen("ask", "-m", model, "-o", "max_tokens=3", "--gpu-layers", "0", *options, "hello")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    return done.stderr.decode()


@pytest.mark.parametrize("signal", ["SIGILL", "SIGSEGV"])
def test_tune_says_what_crashes_and_goes_on_without_it(
    qwen: Run, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signal: str
) -> None:
    install(tmp_path, monkeypatch, fault("decode", signal, repack=0), cards=())
    done = qwen("tune", "-m", tiny, "--gpu-layers", "0")
    said = done.stderr.decode()
    assert done.returncode == 0, said
    trying, failing = said.index("repacked weights"), said.index("This does not work here")
    assert trying < failing
    assert signal in said[failing:].splitlines()[0]
    assert not any(words in said for words in OF_TALKS)
    assert "repacked" not in done.stdout.decode()
    assert crashes() == [{"repack": True}]
    assert "repacked" not in qwen("tune", "-m", tiny, "--gpu-layers", "0", "--seconds", "5").stderr.decode()


@pytest.mark.parametrize("signal", ["SIGILL", "SIGSEGV"])
def test_a_plan_of_another_processor_that_crashes_is_replaced(
    qwen: Run, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signal: str
) -> None:
    remember_tuned(tiny, repack=True)
    install(tmp_path, monkeypatch, fault("decode", signal, repack=0), cards=())
    said = ask(qwen, tiny)
    assert f"({signal}). The model is loaded in another way, and the answer goes on." in said
    assert not plan_of(tiny).repack
    assert "The engine" not in ask(qwen, tiny) + ask(qwen, tiny, "--ctx-size", "1024")
    assert "the engine crashes with it here: repacked weights" in qwen("tune", "-m", tiny, "--show").stdout.decode()
    assert qwen("tune", "-m", tiny, "--reset").stdout == b"What was measured for this model is removed.\n"
    remember_tuned(tiny, repack=True)
    assert plan_of(tiny).repack


def test_weights_that_crash_while_they_are_repacked_are_mapped(
    qwen: Run, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember_tuned(tiny, repack=True)
    install(tmp_path, monkeypatch, fault("load", "SIGILL", repack=0), cards=())
    assert "It is loaded in another way." in ask(qwen, tiny)
    assert crashes() == [{"repack": True}]
    assert "The engine" not in ask(qwen, tiny)


def test_after_a_crash_the_setting_is_that_of_the_rule(
    qwen: Run, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember_tuned(tiny, repack=True, flash_attention=True)
    install(tmp_path, monkeypatch, fault("decode", "SIGILL", flash=0), cards=())
    assert "SIGILL" in ask(qwen, tiny)
    assert crashes() == [{"flash_attention": True}]
    assert (plan_of(tiny).flash_attention, plan_of(tiny).repack) == (False, True)
    assert "The engine" not in ask(qwen, tiny)


def test_a_single_crash_is_not_remembered(
    qwen: Run, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember_tuned(tiny, repack=True)
    install(tmp_path, monkeypatch, fault("decode", "SIGSEGV", once=True), cards=())
    assert "started again" in ask(qwen, tiny)
    assert plan_of(tiny).repack
    assert not files.folders().crashes.exists()


def test_bench_measures_what_works(qwen: Run, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember_tuned(tiny, repack=True)
    install(tmp_path, monkeypatch, fault("decode", "SIGILL", repack=0), cards=())
    done = qwen("bench", "-m", tiny, "--quick", "--json", "--gpu-layers", "0")
    said = done.stderr.decode()
    assert done.returncode == 0, said
    assert "This does not work here" in said
    assert not any(words in said for words in OF_TALKS)
    assert "mapped weights" in json.loads(done.stdout)["conditions"]["computing"]
    assert crashes() == [{"repack": True}]


@pytest.mark.parametrize("command", [("tune", "--seconds", "1"), ("bench", "--quick")])
def test_if_nothing_works_the_message_does_not_speak_of_conversations(
    qwen: Run, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    install(tmp_path, monkeypatch, fault("decode", "SIGILL"), cards=())
    done = qwen(*command, "-m", tiny, "--gpu-layers", "0")
    said = done.stderr.decode()
    assert done.returncode == 1
    assert "SIGILL" in said
    assert "qwen doctor" in said
    assert not any(words in said for words in OF_TALKS)
