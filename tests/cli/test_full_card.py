"""A card that other programs fill for now: the program says so, and uses the card again as soon as there is room."""

import json
import os
import shutil
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from qwen_tui.engine import leaving
from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import LoadOptions, ReplayOptions, Request, StoreOptions
from qwen_tui.hardware.plan import Plan
from qwen_tui.messages import Message
from tests.conftest import COMMAND, Run
from tests.engine.workers import worker_of
from tests.faulty_llama import build_for, card, install
from tests.scripted_nvml import Driver
from tests.terminal_screen import PATIENCE, Terminal

if not sys.platform.startswith("linux"):
    pytest.skip("names of libraries", allow_module_level=True)

MIB = 1 << 20
# The memory that a start of llama.cpp was seen to take on a large card.
START = 506 * MIB


@pytest.fixture
def qwen(process: Run) -> Run:
    """The program as a process of its own: its Python has to find the driver that the test has written."""
    return process


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """A card with 4 GiB and its driver, and a llama.cpp built for CUDA whose start takes 506 MiB."""
    install(tmp_path, monkeypatch, cards=[card("Card", 4 << 30)], start=START)
    build_for("cuda", tmp_path, monkeypatch)
    monkeypatch.setenv("QWEN_TUI_DEBUG", "1")
    return Driver(tmp_path, monkeypatch, free=3500 * MIB)


def ask(qwen: Run, tiny: Path, *options: str) -> tuple[bool, str]:
    """Ask; return whether a model was loaded onto the card, even only for a look, and stderr."""
    done = qwen("ask", "-m", tiny, "-o", "max_tokens=3", *options, "hello")
    said = done.stderr.decode()
    assert done.returncode == 0, said
    return "using device Card" in said, said


def card_answers(qwen: Run, tiny: Path, *options: str) -> bool:
    """Look at the card once, then return whether it is used."""
    ask(qwen, tiny, *options)
    return ask(qwen, tiny, *options)[0]


def filled(free: int) -> str:
    return f"Another program fills the graphics card: {free} MiB of 4096 are free."


@pytest.mark.parametrize("options", [(), ("--gpu-layers", "2")])
def test_llama_cpp_is_not_asked_if_the_card_has_less_than_a_start_takes(
    qwen: Run, tiny: Path, home: Path, driver: Driver, options: tuple[str, ...]
) -> None:
    driver.has(100 * MIB)
    used, said = ask(qwen, tiny, *options)
    assert not used
    assert said.count(filled(100)) == 1
    assert "CUDA error" not in said
    assert not (home / "cache" / "engine.json").exists()
    driver.has(3500 * MIB)
    assert "Another program" not in ask(qwen, tiny, *options)[1]
    assert ask(qwen, tiny, *options)[0]
    # The program knows now how much a start takes, so it can say that the card has less.
    driver.has(START - MIB)
    used, said = ask(qwen, tiny, *options)
    assert not used
    assert filled(505) in said
    assert "CUDA error" not in said


def test_a_failed_look_at_a_full_card_is_not_taken_for_a_broken_driver(
    qwen: Run, tiny: Path, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver.has(350 * MIB)
    used, said = ask(qwen, tiny)
    assert not used
    assert filled(350) in said
    assert "ggml-cuda.cu:103" in said, "it is in the log"
    _used, said = ask(qwen, tiny)
    assert "ggml-cuda.cu" not in said, "with no more free it is not asked again"
    assert filled(350) in said
    driver.has(3500 * MIB)
    assert card_answers(qwen, tiny)


def test_a_source_location_is_only_in_the_log(
    qwen: Run, tiny: Path, driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, cards=[card("Card", 4 << 30)], start=4 << 30)
    monkeypatch.delenv("QWEN_TUI_DEBUG")
    said = ask(qwen, tiny)[1]
    assert "CUDA error: out of memory" in said
    assert ".cu:" not in said
    assert "See: qwen doctor" in said
    report = qwen("doctor", "-m", tiny).stdout.decode()
    assert ".cu:" not in report


def test_if_others_leave_no_room_for_a_layer_the_program_says_so(qwen: Run, tiny: Path, driver: Driver) -> None:
    driver.has(700 * MIB)
    assert filled(700) in ask(qwen, tiny)[1]
    assert not card_answers(qwen, tiny)


@pytest.mark.parametrize("free", [100, 350])
def test_doctor_says_so_and_not_that_the_driver_is_broken(qwen: Run, tiny: Path, driver: Driver, free: int) -> None:
    driver.has(free * MIB)
    done = qwen("doctor", "-m", tiny, "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 0
    (problem,) = report["problems"]
    assert problem["code"] == "card_full"
    assert filled(free) in problem["message"]
    assert "Restart" not in problem["remedy"]
    assert report["plan"]["gpu_layers"] == 0
    assert "leaves room" in report["advice"]
    shown = " ".join(qwen("doctor", "-m", tiny, "--lang", "zh").stdout.decode().split())
    assert f"{free} MiB" in shown
    assert "未接显示器" in shown


def test_what_a_leaving_worker_holds_counts_as_free_and_a_sign_without_one_does_not(
    qwen: Run, tiny: Path, home: Path, driver: Driver
) -> None:
    assert ask(qwen, tiny)[0]
    driver.has(300 * MIB)
    folder = home / "cache" / "leaving"
    sign = leaving.announce(folder, os.getpid(), 3000 * MIB)
    assert sign is not None

    def planned() -> int:
        return int(json.loads(qwen("doctor", "-m", tiny, "--json").stdout)["plan"]["gpu_layers"])

    assert planned() == 3
    sign.write_text(sign.read_text().replace('"begun":', '"begun":1'))
    assert planned() == 0, "the number is that of another process by now"
    sign.rename(folder / "999999999.json")
    assert planned() == 0


def test_a_worker_that_leaves_says_what_it_holds_until_it_has_gone(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, cards=[card("Card", 2e9)], layer=100e6)
    folder = tmp_path / "leaving"
    store = StoreOptions(folder=os.fsencode(tmp_path / "states"), limit=100_000_000, worth_s=0.0)
    options = LoadOptions(path=os.fsencode(tiny), plan=Plan(ctx_size=2048, gpu_layers=-1), store=store)
    with closing(LocalEngine(options, leaving=folder)) as engine:
        request = Request(
            messages=(Message("user", "hello " * 100),), sampler=ReplayOptions(text="x"), conversation="aaa"
        )
        list(engine.stream(request))
        assert engine.held == 300_000_000
        worker = worker_of(engine)
        worker.suspend()
        engine.close()
        assert leaving.still_held(folder) == 300_000_000
        worker.resume()
    assert not psutil.wait_procs([worker], timeout=30)[1]
    deadline = time.monotonic() + PATIENCE
    while leaving.still_held(folder) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert leaving.still_held(folder) == 0


def test_another_model_gets_the_memory_of_the_one_in_use(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, cards=[card("Card", 4 << 30)], layer=1e9)
    build_for("cuda", tmp_path, monkeypatch)
    driver = Driver(tmp_path, monkeypatch, free=3500 * MIB)
    other = Path(shutil.copy(tiny, tmp_path / "other.gguf"))
    terminal = Terminal(*COMMAND, "chat", "-m", str(tiny), "-o", "max_tokens=3")
    terminal.wait_for("tiny.gguf · context")
    terminal.enter("one")
    terminal.wait_for("tiny.gguf · GPU")
    driver.has(300 * MIB)
    terminal.enter(f"/model {other}")
    terminal.wait_for("From here on")
    terminal.enter("two")
    terminal.wait_for("other.gguf · GPU")
    assert "Another program" not in terminal.text
    assert terminal.leave() == 0


def test_doctor_reports_a_remembered_failure_of_a_card_that_works_now(
    qwen: Run, tiny: Path, home: Path, driver: Driver
) -> None:
    (home / "cache").mkdir(parents=True, mode=0o700)
    (home / "cache" / "driver-hung").touch()
    report = json.loads(qwen("doctor", "-m", tiny, "--json").stdout)
    (problem,) = (each for each in report["problems"] if each["code"] == "trouble_remembered")
    assert "qwen tune --reset" in problem["remedy"]
    assert "qwen tune --reset" in report["advice"]
    assert report["plan"]["gpu_layers"] == 0
    assert qwen("tune", "-m", tiny, "--reset").stdout == b"What was measured for this model is removed.\n"
    assert json.loads(qwen("doctor", "-m", tiny, "--json").stdout)["plan"]["gpu_layers"] == 3
