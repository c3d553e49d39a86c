"""Graphics cards, through the commands: which card is used, and how many layers of a model it gets."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qwen_tui.cli import wiring
from qwen_tui.config import Config
from qwen_tui.engine import installed
from qwen_tui.planning.planner import Planner
from tests.conftest import Run
from tests.faulty_llama import build_for, card, fault, install
from tests.program import environment
from tests.scripted_nvml import Driver

if not sys.platform.startswith("linux"):
    pytest.skip("names of libraries", allow_module_level=True)

GIB = 1 << 30
Cards = Callable[..., None]


@pytest.fixture
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cards:
    """Return a function that gives this computer graphics cards, and a llama.cpp whose files look built for them."""

    def give(*faults: dict[str, object], **options: object) -> None:
        install(tmp_path, monkeypatch, *faults, **options)  # type: ignore[arg-type]
        build_for("vulkan", tmp_path, monkeypatch)

    return give


def test_of_two_cards_the_larger_one_is_used_and_named(qwen: Run, tiny: Path, cards: Cards) -> None:
    cards(cards=[card("Small", GIB), card("Large", 2 * GIB)])
    report = json.loads(qwen("doctor", "-m", tiny, "--json").stdout)
    assert report["plan"]["gpu_layers"] == 3
    assert report["plan"]["room"]["device"] == "Large: Large"
    assert report["plan"]["room"]["gpu_free"] == 2 * GIB
    shown = qwen("doctor", "-m", tiny).stdout.decode()
    plan = shown[shown.index("\nPlan") : shown.index("\nSpeed")]
    assert "Large: Large" in plan
    assert "Small" not in plan


def test_named_layers_are_placed_in_the_same_way(tiny: Path, cards: Cards) -> None:
    cards(cards=[card("Card", 2 * GIB)])

    def of(layers: str) -> Planner:
        return wiring.planner(environment(), Config(model=str(tiny), gpu_layers=layers))

    assert of("all").ways() == of("99").ways() == of("auto").ways()
    two = of("2")
    assert two.ways()[0].plan.gpu_layers == 2
    placement = two.in_force().placement
    assert (placement.room.gpu_free, placement.measured, placement.fits) == (2 * GIB, True, True)
    # If there is no room for the named layers, the first try still has all of them, with the least other memory.
    small = wiring.planner(environment(), Config(model=str(tiny), gpu_layers="2", ctx_size=100_000)).ways()[0]
    assert small.plan.gpu_layers == 2


def test_named_layers_that_fail_to_load_are_reduced_with_one_line(qwen: Run, tiny: Path, cards: Cards) -> None:
    cards(fault("load", layers=1), cards=[card("Card", 2 * GIB)])
    done = qwen("ask", "-m", tiny, "-o", "max_tokens=3", "--gpu-layers", "2", "hello")
    assert done.returncode == 0
    (line,) = [line for line in done.stderr.decode().splitlines() if "graphics card" in line]
    assert "processor computes alone" in line


def test_llama_cpp_that_failed_to_look_at_the_card_is_not_asked_again(
    tiny: Path, cards: Cards, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards()

    def ask_again(*_arguments: object, **_options: object) -> None:
        raise AssertionError("this waits for half a minute")

    monkeypatch.setattr(installed, "describe", ask_again)
    subject = wiring.planner(environment(), Config(model=str(tiny)), "it does not answer")
    assert subject.gpu_layers == 0
    assert "it does not answer" in subject.in_force().note


def test_what_a_driver_says_when_it_is_first_looked_for_is_the_reason(
    process: Run, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = "ggml_cuda_init: failed to initialize CUDA: CUDA driver version is insufficient for CUDA runtime version"
    install(tmp_path, monkeypatch, cards=(), says=reason)
    build_for("cuda", tmp_path, monkeypatch)
    Driver(tmp_path, monkeypatch, free=3 * GIB)
    shown = " ".join(process("doctor", "-m", tiny).stdout.decode().split())
    assert f"llama.cpp cannot use the Card: {reason}" in shown
    said = " ".join(process("ask", "-m", tiny, "-o", "max_tokens=3", "hello").stderr.decode().split())
    assert f"cannot use the graphics card ({reason}): computing on the CPU" in said
