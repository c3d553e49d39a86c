"""What is said of PCs that are not this one: cards, drivers and builds of every kind, in lines that fit."""

from pathlib import Path

import msgspec
import pytest
from wcwidth import width

from qwen_tui import i18n
from qwen_tui.evaluation import findings
from qwen_tui.evaluation.expectation import expected
from qwen_tui.evaluation.report import Folder, ModelState, Report
from qwen_tui.evaluation.report_text import text
from qwen_tui.hardware.device import Build, Device
from qwen_tui.hardware.gpu import Card, Graphics
from qwen_tui.hardware.machine import Computer
from qwen_tui.hardware.memory import Memory
from qwen_tui.hardware.placement import Placement, Room, place
from qwen_tui.hardware.plan import Plan
from qwen_tui.hardware.processor import Processor
from qwen_tui.models.reach import Place, places, reach
from tests.hardware.real_shape import real_header

GIB = 1 << 30
AVX2 = ("SSE3", "SSSE3", "AVX", "AVX2", "F16C", "FMA", "BMI2")
OFFICE = Processor(name="Core i5-10400", architecture="x86_64", cores=6, logical_cores=12, instructions=AVX2)
CARD = Card(name="GTX 1650", total=4 * GIB, free=int(3.6 * GIB), display=True, bandwidth=128_000_000_000)
SEEN = Graphics(driver="550.54", cuda="12.4", cards=(CARD,))


def build(*features: str, gpu_offload: bool = False, notes: tuple[str, ...] = (), gpu: bool = False) -> Build:
    card = Device(name="CUDA0", description="GTX 1650", kind="gpu", free=int(3.4 * GIB), total=4 * GIB)
    return Build(
        version="0.3.36",
        library="0.25.3",
        features={"CPU": dict.fromkeys(features or AVX2, "1")},
        gpu_offload=gpu_offload,
        devices=(card,) if gpu else (),
        notes=notes,
    )


def plan(gpu: float | None, ram: float = 12) -> Placement:
    room = Room(
        ram_free=int(ram * GIB),
        ram_total=16 * GIB,
        gpu_free=None if gpu is None else int(gpu * GIB),
        gpu_total=4 * GIB,
        device="GTX 1650",
    )
    cpu = Plan(threads=6, batch_threads=6)
    fast = msgspec.structs.replace(cpu, batch_size=512, flash_attention=True)
    return place(real_header(), room, ctx_size=8192, gpu=fast, cpu=cpu)


def report(placed: Placement | None, seen: Graphics = SEEN, engine: Build | None = None) -> Report:
    computer = Computer(
        system="Linux 6.1", processor=OFFICE, memory=Memory(total=16 * GIB, free=12 * GIB), graphics=seen
    )
    problems = (*findings.of_build(engine or build(), OFFICE), *findings.of_graphics(engine, ("cuda",), seen))
    return Report(
        version="0",
        usable=True,
        machine=computer,
        build=engine,
        plan=placed,
        origin="by rule",
        speed=expected(placed, None, 20e9, seen.card),
        model=ModelState(name="qwen3-4b-instruct", path="/models/qwen.gguf", size=2_497_281_120, usable=True),
        folders=(Folder(name="data", path="/data", exists=True, writable=True, private=True, free=9 * GIB),),
        network=None,
        problems=problems,
        advice=findings.advice(computer, engine, placed),
    )


def codes(found: Report) -> list[str]:
    return [problem.code for problem in found.problems]


def test_a_card_of_four_gigabytes_shows_what_fills_it() -> None:
    shown = text(report(plan(3.6), engine=build(gpu_offload=True, gpu=True)))
    assert "37 of 37 layers on the graphics card" in shown
    bar = next(line for line in shown.splitlines() if line.startswith("  [x"))
    # Used by others, weights, KV cache, buffers, margin, free; in this order.
    assert [mark for mark in "x#=+-." if mark in bar] == list("x#=+-.")
    assert bar.count("#") > bar.count("=") > bar.count("+")
    assert "2.32 GiB  weights" in shown
    assert "Use the graphics card" in shown
    assert "Nothing is wrong." in shown


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_lines_fit_whatever_the_language(language: str, columns: int) -> None:
    i18n.use_language(language)
    for placed, engine in ((plan(3.6), build(gpu_offload=True, gpu=True)), (plan(None), build()), (None, None)):
        for line in text(report(placed, engine=engine), columns).splitlines():
            assert width(line) <= columns + 5, line


def test_the_bar_holds_more_than_there_is() -> None:
    shown = text(report(plan(None, ram=1), engine=build()))
    bar = next(line for line in shown.splitlines() if line.startswith("  ["))
    assert len(bar) == 64
    assert "#" in bar


@pytest.mark.parametrize(
    ("engine", "seen", "code"),
    [
        pytest.param(build(*AVX2, "AVX512"), SEEN, "built_for_another_processor", id="AVX-512 build"),
        pytest.param(build("SSE3"), SEEN, "build_without_avx2", id="slow build"),
        pytest.param(build(), SEEN, "build_without_gpu", id="CPU build beside a card"),
        pytest.param(build(gpu_offload=True, notes=("too old",)), SEEN, "card_not_usable", id="old driver"),
        pytest.param(
            build(gpu_offload=True), Graphics(trouble="broken", detail="mismatch"), "driver_broken", id="broken driver"
        ),
        pytest.param(build(gpu_offload=True), Graphics(trouble="no_driver"), "driver_missing", id="no driver"),
    ],
)
def test_each_trouble_is_told_with_its_remedy(engine: Build, seen: Graphics, code: str) -> None:
    found = report(plan(None), seen, engine)
    assert codes(found) == [code] or code in codes(found)
    assert all(problem.message and problem.remedy for problem in found.problems)
    assert next(problem for problem in found.problems if problem.code == code).message.split()[0] in text(found, 200)


def test_an_estimate_says_so_and_stays_near_what_was_measured() -> None:
    # 13 GB/s and this model: 4.2 to 4.4 tokens/s were measured.
    slow = expected(plan(None), None, 13e9, None)
    assert (slow.source, slow.writing) == ("estimated", pytest.approx(4.2, abs=0.3))
    fast = expected(plan(3.6), None, 20e9, CARD)
    assert fast.writing == pytest.approx(25, abs=4)
    part = expected(plan(2.0), None, 20e9, CARD)
    assert slow.writing and part.writing and fast.writing
    assert slow.writing < part.writing < fast.writing
    assert expected(plan(None), None, None, None).source == "unknown"


def test_the_network_is_asked_where_the_environment_points() -> None:
    assert places({"HF_ENDPOINT": "https://mirror.example/"})[0] == "https://mirror.example"

    def ask(address: str) -> None:
        if "mirror" not in address:
            raise OSError("no route")

    good, *others = reach(places({"HF_ENDPOINT": "https://mirror.example"}), ask)
    assert good.reachable
    assert [place.reason for place in others] == ["no route"]
    assert [problem.code for problem in findings.of_network([good, *others])] == ["not_reachable"]
    assert isinstance(good, Place)


def test_an_address_that_is_none_is_told_and_not_opened(tmp_path: Path) -> None:
    (place,) = reach((f"file://{tmp_path}",))
    assert not place.reachable
