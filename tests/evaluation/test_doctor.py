"""What doctor says about simulated PCs, with cards, drivers and builds of every kind, in lines that fit."""

import ctypes
import dataclasses
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from wcwidth import width

from qwen_tui import i18n
from qwen_tui.engine.installed import AskError
from qwen_tui.engine.protocol import Costs
from qwen_tui.errors import InvalidModelError
from qwen_tui.evaluation import findings
from qwen_tui.evaluation.advice import advice
from qwen_tui.evaluation.doctor import Patient, examine
from qwen_tui.evaluation.expectation import expected
from qwen_tui.evaluation.report import FolderState, ModelState, Report
from qwen_tui.evaluation.report_text import text
from qwen_tui.files import Folders
from qwen_tui.hardware import bandwidth
from qwen_tui.hardware.device import Build, Device
from qwen_tui.hardware.gpu import Card, Graphics
from qwen_tui.hardware.machine import Computer
from qwen_tui.hardware.memory import Memory
from qwen_tui.hardware.placement import Placement, Room, place
from qwen_tui.hardware.plan import Plan
from qwen_tui.hardware.processor import Processor
from qwen_tui.models.fetching.reach import Reachability, addresses, reach
from qwen_tui.planning.in_force import InForce
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


def plan(gpu: float | None, ram: float = 12, total: int = 4) -> Placement:
    room = Room(
        ram_free=int(ram * GIB),
        ram_total=16 * GIB,
        gpu_free=None if gpu is None else int(gpu * GIB),
        gpu_total=total * GIB,
        device="GTX 1650",
    )
    cpu = Plan(threads=6, batch_threads=6)
    fast = msgspec.structs.replace(cpu, batch_size=512, flash_attention=True)
    return place(real_header(), room, gpu=fast, cpu=cpu)


def report(placed: Placement | None, seen: Graphics = SEEN, engine: Build | None = None) -> Report:
    computer = Computer(
        system="Linux 6.1", processor=OFFICE, memory=Memory(total=16 * GIB, free=12 * GIB), graphics=seen
    )
    speed = expected(placed, None, 20e9, seen.card)
    problems = (
        *findings.of_build(engine or build(), OFFICE),
        *findings.of_graphics(engine, ("cuda",), seen),
        *findings.of_layers(engine, placed),
    )
    return Report(
        version="0",
        usable=True,
        machine=computer,
        build=engine,
        plan=placed,
        origin="by rule",
        speed=speed,
        model=ModelState(name="qwen3-4b-instruct", path="/models/qwen.gguf", size=2_497_281_120, usable=True),
        folders=(FolderState(name="data", path="/data", exists=True, writable=True, private=True, free=9 * GIB),),
        network=None,
        problems=problems,
        advice=advice(computer, engine, placed, speed),
    )


def codes(found: Report) -> list[str]:
    return [problem.code for problem in found.problems]


def test_a_card_of_four_gigabytes_shows_what_fills_it() -> None:
    shown = text(report(plan(3.6), engine=build(gpu_offload=True, gpu=True)))
    assert "37 of 37 layers on the graphics card" in shown
    bar = next(line for line in shown.splitlines() if line.startswith("  [x"))
    # The order is: in use by others, weights, KV cache, buffers, margin, free.
    assert [mark for mark in "x#=+-." if mark in bar] == list("x#=+-.")
    assert bar.count("#") > bar.count("=") > bar.count("+")
    assert "2.32 GiB  weights" in shown
    assert "Use the graphics card" in shown
    assert "Nothing is wrong." in shown


def test_a_portable_build_suits_every_processor() -> None:
    amx = build(*AVX2, "AVX512", "AMX_INT8")
    assert codes(report(None, engine=amx))[0] == "built_for_another_processor"
    portable = msgspec.structs.replace(amx, variant="sapphirerapids")
    assert codes(report(None, engine=portable)) == codes(report(None, engine=build()))
    # After several steps down, the variant in use may know less than the processor.
    old = msgspec.structs.replace(build("AVX"), variant="sandybridge", died=("sapphirerapids", "haswell"))
    found = report(None, engine=old)
    assert "build_without_avx2" not in codes(found)
    shown = " ".join(text(found).split())
    assert "sapphirerapids, haswell crashed here on an instruction that the system forbids, so sandybridge is" in shown
    assert "suits this one best" not in shown


def test_a_variant_whose_file_was_not_copied_to_its_end_is_told() -> None:
    broken = ("zen4: /lib/libggml-cpu-zen4.so: file too short", "haswell: /lib/libggml-cpu-haswell.so: file too short")
    found = report(None, engine=msgspec.structs.replace(build("AVX"), variant="sandybridge", broken=broken))
    assert codes(found)[0] == "variant_broken"
    shown = " ".join(text(found).split())
    assert "cannot be loaded (zen4: /lib/libggml-cpu-zen4.so: file too short); another is used" in shown
    assert "Install it again with: " in shown


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_lines_fit_whatever_the_language(language: str, columns: int) -> None:
    i18n.use_language(language)
    for placed, engine in ((plan(3.6), build(gpu_offload=True, gpu=True)), (plan(None), build()), (None, None)):
        for line in text(report(placed, engine=engine), columns).splitlines():
            assert width(line) <= columns + 5, line


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_command_stays_on_one_line_to_be_copied(columns: int) -> None:
    missing = build(gpu_offload=True, notes=("cuda: libcudart.so.13: cannot open shared object file",))
    shown = text(report(plan(None), SEEN, missing), columns)
    assert 'pip install "nvidia-cuda-runtime==13.*" "nvidia-cublas==13.*".' in shown


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
def test_each_problem_is_reported_with_its_remedy(engine: Build, seen: Graphics, code: str) -> None:
    found = report(plan(None), seen, engine)
    assert codes(found) == [code] or code in codes(found)
    assert all(problem.message and problem.remedy for problem in found.problems)
    assert next(problem for problem in found.problems if problem.code == code).message.split()[0] in text(found, 200)


def test_cuda_libraries_that_are_missing_are_named_with_their_packages() -> None:
    def remedy(note: str) -> str:
        return report(plan(None), SEEN, build(gpu_offload=True, notes=(note,))).problems[0].remedy

    gone = "cannot open shared object file: No such file or directory"
    assert "pip install nvidia-cuda-runtime-cu12 nvidia-cublas-cu12" in remedy(f"cuda: libcublas.so.12: {gone}")
    assert 'pip install "nvidia-cuda-runtime==13.*" "nvidia-cublas==13.*"' in remedy(f"cuda: libcudart.so.13: {gone}")


@pytest.mark.parametrize(
    ("note", "remedy", "advised"),
    [
        pytest.param(
            "cuda: libcublas.so.12: cannot open shared object file: No such file or directory",
            "pip install nvidia-cuda-runtime-cu12 nvidia-cublas-cu12. Until then",
            "with NVIDIA's CUDA libraries",
            id="CUDA libraries missing",
        ),
        pytest.param("cuda: libggml-cuda.so: file too short", "Install it again with", "once it can", id="half a file"),
        pytest.param("cuda: libggml-cuda.so: invalid ELF header", "Install it again with", "once it can", id="no file"),
        pytest.param(
            "cuda: /x/libggml-cuda.so: undefined symbol: ggml_new", "Install it again with", "once it can", id="mixed"
        ),
        pytest.param(
            "cuda: /lib/libc.so.6: version `GLIBC_2.38' not found (required by /x/libggml-cuda.so)",
            "Install it again with",
            "once it can",
            id="built on a newer system",
        ),
        pytest.param(
            "cuda: [WinError 193] %1 不是有效的 Win32 应用程序。", "Install it again with", "once it can", id="Windows"
        ),
        pytest.param(
            "vulkan: libvulkan.so.1: cannot open shared object file: No such file or directory",
            "Install libvulkan.so.1",
            "once it can",
            id="Vulkan missing",
        ),
        pytest.param(
            "CUDA driver version is insufficient for CUDA runtime version",
            "Install a newer driver",
            "with a newer driver",
            id="an old driver",
        ),
        pytest.param(
            "failed to initialize CUDA: no CUDA-capable device is detected",
            "CUDA_VISIBLE_DEVICES hides",
            "once it can",
            id="hidden",
        ),
        pytest.param("failed to initialize CUDA: unknown error", "Restart the PC", "once it can", id="something else"),
    ],
)
def test_remedy_and_advice_for_an_idle_card_fit_the_reason(
    note: str, remedy: str, advised: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    found = report(plan(None), SEEN, build(gpu_offload=True, notes=(note,)))
    (problem,) = found.problems
    assert note in problem.message
    assert remedy in problem.remedy
    assert advised in found.advice


def test_without_a_driver_nobody_is_sent_for_libraries_or_a_newer_one() -> None:
    note = "cuda: libcublas.so.12: cannot open shared object file: No such file or directory"
    found = report(plan(None), NOTHING_SEEN, build(gpu_offload=True, notes=(note,)))
    assert codes(found) == ["driver_missing"]
    said = found.problems[0].remedy + found.advice
    assert "pip install" not in said
    assert "newer" not in said


def test_nothing_is_wrong_where_there_is_no_card() -> None:
    found = report(plan(None), Graphics(trouble="no_card"), build(gpu_offload=True))
    assert codes(found) == []
    assert "no NVIDIA card\n" in text(found)
    # What cannot be loaded without a driver cannot compute on the processor either.
    assert codes(report(None, Graphics(trouble="no_card"), None)) == ["driver_missing"]


NOTHING_SEEN = Graphics(trouble="no_driver")
WITH_CARD = build(gpu_offload=True, gpu=True)


@pytest.mark.parametrize(
    ("engine", "seen", "placed", "words"),
    [
        pytest.param(WITH_CARD, SEEN, None, "Fetch a model", id="a card, before the first model"),
        pytest.param(build(gpu_offload=True), SEEN, plan(None), "once it can use the card", id="an idle card"),
        pytest.param(build(), SEEN, plan(None), "with a build", id="a build for the CPU beside a card"),
        pytest.param(build(), SEEN, plan(3.6), "with a build", id="layers asked of a build for the CPU"),
        pytest.param(WITH_CARD, SEEN, plan(3.6), "Use the graphics card", id="all on the card"),
        pytest.param(WITH_CARD, SEEN, plan(2.2), "closed windows", id="a part of 4 GB"),
        pytest.param(WITH_CARD, SEEN, plan(1.8, total=2), "too small", id="a part of 2 GB"),
        pytest.param(WITH_CARD, SEEN, plan(0.2), "too little", id="a card that is full"),
        pytest.param(None, NOTHING_SEEN, None, "First solve", id="no llama.cpp"),
        pytest.param(None, SEEN, plan(None), "can look at the graphics card again", id="a driver that ends llama.cpp"),
        pytest.param(build(), NOTHING_SEEN, plan(None), "as fast as one reads", id="the processor"),
        pytest.param(build("SSE3"), NOTHING_SEEN, plan(None), "Short letters", id="no AVX2"),
        pytest.param(build(), NOTHING_SEEN, None, "Short letters", id="no model, no card"),
    ],
)
def test_the_advice_fits_the_pc(engine: Build | None, seen: Graphics, placed: Placement | None, words: str) -> None:
    assert words in report(placed, seen, engine).advice


def test_layers_without_a_card_are_a_problem() -> None:
    assert "layers_without_gpu" in codes(report(plan(3.6), engine=build()))
    assert "layers_without_gpu" not in codes(report(plan(3.6), engine=WITH_CARD))


def test_layers_for_which_the_card_is_too_small_are_a_problem() -> None:
    room = Room(ram_free=12 * GIB, ram_total=16 * GIB, gpu_free=GIB, gpu_total=4 * GIB, device="CUDA0: GTX 1650")
    cpu = Plan(threads=6, batch_threads=6)
    forced = place(real_header(), room, gpu=cpu, cpu=cpu, layers=30)
    found = report(forced, engine=WITH_CARD)
    assert codes(found) == ["layers_too_many"]
    assert "30 layers take" in text(found)
    assert "CUDA0: GTX 1650" in text(found)


def test_the_estimated_speed_names_the_memory() -> None:
    on_card = expected(plan(3.6), None, None, CARD)
    assert on_card.writing
    assert on_card.bandwidth == CARD.bandwidth
    assert "from 128.0 GB/s of the graphics card's memory" in text(report(plan(3.6), engine=WITH_CARD))
    assert "from 20.0 GB/s of memory" in text(report(plan(None), engine=build()))


def test_unfulfilled_wishes_are_shown_below_the_plan() -> None:
    noted = msgspec.structs.replace(report(plan(None), engine=build()), note="Not repacked: no memory.", offline=True)
    shown = text(noted)
    assert shown.index("by rule") < shown.index("Not repacked") < shown.index("Speed")
    assert "HF_HUB_OFFLINE" in shown


def patient(tmp_path: Path, model: Path, **changes: Any) -> Patient:
    def refuse(_trouble: str) -> InForce:
        raise InvalidModelError("It has changed.", "qwen pull")

    asked = Patient(
        model="tiny",
        folders=Folders(config=tmp_path, data=tmp_path, cache=tmp_path / "cache"),
        locate=lambda _name: model,
        describe=build,
        backends=tuple,
        in_force=refuse,
    )
    return dataclasses.replace(asked, **changes)


def test_a_model_that_is_refused_only_at_loading_is_reported(tmp_path: Path, tiny: Path) -> None:
    found = examine(patient(tmp_path, tiny))
    assert (found.usable, found.model.usable, found.plan) == (False, False, None)
    (problem,) = (each for each in found.problems if each.code == "model_not_usable")
    assert (problem.message, problem.remedy) == ("It has changed.", "qwen pull")


@pytest.mark.parametrize(("backends", "usable"), [(("cuda",), True), ((), False)])
def test_a_driver_that_ends_llama_cpp_leaves_the_cpu(
    tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch, backends: tuple[str, ...], usable: bool
) -> None:
    # The measurement would raise the memory peak of this process, which other tests look at.
    monkeypatch.setattr("qwen_tui.evaluation.expectation.memory_bandwidth", lambda *_: None)

    def die() -> Build:
        raise AskError("it ended at once (SIGABRT)", looking=True)

    def placed(trouble: str) -> InForce:
        assert trouble == "it ended at once (SIGABRT)", "to be told, that nobody finds it out again"
        return InForce(Plan(threads=6, batch_threads=6), Costs(), "by rule", plan(None), note="as said")

    found = examine(patient(tmp_path, tiny, describe=die, backends=lambda: backends, in_force=placed))
    assert found.usable is usable
    assert (found.plan is not None) is usable
    assert "SIGABRT" in text(found, 200)
    assert not usable or "as said" in text(found)


def test_folders_with_impossible_names_are_reported(tmp_path: Path, tiny: Path) -> None:
    endless = tmp_path / ("x" * 300)
    found = examine(patient(tmp_path, tiny, folders=Folders(config=endless, data=endless, cache=endless)))
    assert not any(folder.exists for folder in found.folders)


def test_a_bandwidth_for_which_there_is_no_memory_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(ctypes, "create_string_buffer", fail)
    assert bandwidth.memory_bandwidth(1, 16 * GIB) is None


def test_a_thread_that_cannot_be_started_leaves_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[threading.Thread] = []
    start = threading.Thread.start

    def once(thread: threading.Thread) -> None:
        if begun:
            raise RuntimeError("can't start new thread")
        begun.append(thread)
        start(thread)

    monkeypatch.setattr(bandwidth, "_BLOCK", 1 << 10)
    monkeypatch.setattr(threading.Thread, "start", once)
    assert bandwidth.memory_bandwidth(2, 16 * GIB) is None
    begun[0].join(30)
    assert not begun[0].is_alive()


def test_a_card_that_only_ggml_sees_lacks_no_driver() -> None:
    assert codes(report(plan(3.6), NOTHING_SEEN, WITH_CARD)) == []


def test_an_estimate_says_so_and_stays_near_what_was_measured() -> None:
    # With 13 GB/s and this model, 4.2 to 4.4 tokens/s were measured.
    slow = expected(plan(None), None, 13e9, None)
    assert slow.source == "estimated"
    assert slow.writing == pytest.approx(4.2, abs=0.3)
    fast = expected(plan(3.6), None, 20e9, CARD)
    assert fast.writing == pytest.approx(25, abs=4)
    # 241 to 306 tokens/s were measured; the time to read the weights alone would allow 966.
    server = msgspec.structs.replace(CARD, bandwidth=4_800_000_000_000)
    assert expected(plan(3.6), None, 20e9, server).writing == pytest.approx(272, abs=34)
    part = expected(plan(2.0), None, 20e9, CARD)
    assert slow.writing and part.writing and fast.writing
    assert slow.writing < part.writing < fast.writing
    assert expected(plan(None), None, None, None).source == "unknown"


def test_the_network_is_asked_where_the_environment_points() -> None:
    assert addresses({"HF_ENDPOINT": "https://mirror.example/"})[0] == "https://mirror.example"

    def ask(address: str) -> None:
        if "mirror" not in address:
            raise TimeoutError

    good, *others = reach(addresses({"HF_ENDPOINT": "https://mirror.example"}), ask)
    assert good.reachable
    assert [place.reason for place in others] == ["it does not answer"]
    assert [problem.code for problem in findings.of_network([good, *others])] == ["not_reachable"]
    assert isinstance(good, Reachability)


def test_an_invalid_address_is_reported_and_not_opened(tmp_path: Path) -> None:
    (place,) = reach((f"file://{tmp_path}",))
    assert place.reason == "its address is not valid"
