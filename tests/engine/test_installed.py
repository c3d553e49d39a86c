"""Describing the installed llama.cpp from outside, also one that crashes or hangs when it is asked."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from qwen_tui.engine import installed, library, silence
from qwen_tui.engine.protocol import LoadOptions
from qwen_tui.hardware.device import Build, Device, parse_features
from qwen_tui.hardware.gpu import Card, Graphics
from qwen_tui.hardware.plan import Plan
from qwen_tui.messages import Loading, Note


@pytest.fixture
def options(tiny: Path) -> LoadOptions:
    return LoadOptions(path=os.fsencode(tiny), plan=Plan(ctx_size=2048, batch_size=64))


def test_the_library_describes_itself_and_the_buffers_of_a_model(options: LoadOptions) -> None:
    larger = options.planned(ctx_size=8192)
    build = installed.describe([options, larger])
    assert build.version
    assert build.features["CPU"]
    assert [device.kind for device in build.devices][-1] == "cpu"
    small, large = build.dry_runs
    assert (small.plan.ctx_size, large.plan.ctx_size) == (2048, 8192)
    assert 0 < small.buffers.ram < large.buffers.ram
    assert small.buffers.gpu == 0


def test_a_file_that_is_not_a_model_has_no_dry_run_and_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"nothing")
    assert installed.describe([LoadOptions(path=os.fsencode(tmp_path / "x.gguf"))]).dry_runs == ()


@pytest.mark.parametrize(
    ("program", "reason", "patience"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "another processor", 30),
        ("import os; os.abort()", "SIGABRT", 30),
        ("import sys; sys.exit('CUDA error: unknown error')", "CUDA error: unknown error", 30),
        ("import time; time.sleep(600)", "does not answer", 1),
    ],
)
def test_the_reason_why_a_worker_dies_or_hangs_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, reason: str, patience: float
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!{sys.executable}\n{program}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(installed.AskError, match=reason) as raised:
        installed.describe(patience=patience)
    assert not raised.value.passing, "no question after this one is to wait for it"


def test_a_driver_that_is_still_compiling_is_waited_for_and_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text(
        f"#!{sys.executable}\nimport sys, time\nend = time.monotonic() + 4\n"
        "while time.monotonic() < end: sum(range(100_000))\nsys.exit('compiled')\n"
    )
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(installed, "gpu_backends", lambda: ("cuda",))
    monkeypatch.setattr(silence, "_GPU_PATIENCE", 0.2)
    shown: list[Loading | Note] = []
    with pytest.raises(installed.AskError, match="compiled"):
        installed.describe(patience=3, show=shown.append)
    assert "may take a minute or two" in next(event.sentence for event in shown if isinstance(event, Note))
    assert sum(isinstance(event, Loading) for event in shown) > 2


def test_a_description_is_remembered_until_something_changes(
    tmp_path: Path, options: LoadOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Device(name="CUDA0", description="GTX 1650", kind="gpu", free=3 << 30, total=4 << 30)
    seen = Graphics(cards=(Card(name="RTX 3060", free=11 << 30), Card(name="GTX 1650", free=(3 << 30) + 150)))
    asked: list[Any] = []

    def answer(wanted: Any, **_show: Any) -> Build:
        asked.append(wanted)
        if len(asked) == 3:
            raise installed.AskError("the driver is broken")
        return Build(version="1", library="1", features={}, gpu_offload=True, devices=(card,))

    monkeypatch.setattr(installed, "describe", answer)
    memory = tmp_path / "engine.json"

    def known(driver: str) -> installed.Inspection:
        return installed.known([options], memory, driver, seen)

    assert known("550").gpu_taken == 150
    assert known("550") == known("550")
    assert len(asked) == 1
    known("560")
    assert len(asked) == 2
    # A failure is remembered, too, so that a broken driver is not asked at every start.
    assert known("570").trouble == known("570").trouble == "the driver is broken"
    assert len(asked) == 3
    memory.write_text("nonsense")
    assert known("550").build
    assert len(asked) == 4


def test_troubles_are_forgotten_after_an_hour_and_passing_ones_at_once(
    tmp_path: Path, options: LoadOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def fail(_options: Any, **_show: Any) -> Build:
        asked.append(True)
        raise installed.AskError("it does not answer", passing=len(asked) == 1)

    monkeypatch.setattr(installed, "describe", fail)
    memory = tmp_path / "engine.json"
    for times in (1, 2, 2):
        assert installed.known([options], memory, "550", Graphics()).trouble == "it does not answer"
        assert len(asked) == times
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3700)
    installed.known([options], memory, "550", Graphics())
    assert len(asked) == 3


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """A llama.cpp built for cards that finds none; the list has an entry for each time that it was asked."""
    asked: list[bool] = []

    def answer(_options: Any, **_show: Any) -> Build:
        asked.append(True)
        return Build(version="1", library="1", features={}, gpu_offload=True, notes=("cuda: libcublas.so.12",))

    monkeypatch.setattr(installed, "describe", answer)
    return asked


CARD_HERE = Graphics(cards=(Card(name="GTX 1650", free=3 << 30),))


def test_a_card_that_llama_cpp_does_not_find_is_looked_for_again_after_an_hour_or_at_once_if_asked(
    tmp_path: Path, options: LoadOptions, idle: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = tmp_path / "engine.json"

    def know(seen: Graphics = CARD_HERE) -> installed.Inspection:
        return installed.known([options], memory, f"{len(seen.cards)}", seen)

    assert know() == know()
    assert len(idle) == 1
    assert installed.forget_troubles(memory)
    assert not installed.forget_troubles(memory)
    know()
    assert len(idle) == 2
    # Where there is no card, nothing is missing.
    know(Graphics())
    assert len(idle) == 3
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3700)
    know(Graphics())
    assert len(idle) == 3
    know()
    assert len(idle) == 4


def test_a_cuda_library_that_was_just_installed_lets_llama_cpp_look_again(
    tmp_path: Path, options: LoadOptions, idle: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    libraries = tmp_path / "site" / "nvidia" / "cu13" / "lib"
    libraries.mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "site")
    for times, name in enumerate(("libcudart.so.13", "libcublas.so.13", "libcublas.so.13"), 1):
        (libraries / name).touch()
        os.utime(libraries / name, (0, 0))
        installed.known([options], tmp_path / "engine.json", "", CARD_HERE)
        assert len(idle) == min(times, 2)


@pytest.mark.parametrize(("free", "times", "taken"), [(None, 2, None), (16 << 30, 1, 600 << 20)])
def test_the_free_memory_of_a_card_is_asked_of_ggml_if_only_ggml_knows_it(
    tmp_path: Path, options: LoadOptions, monkeypatch: pytest.MonkeyPatch, free: int | None, times: int, taken: int
) -> None:
    card = Device(name="Vulkan0", description="RX 6400", kind="gpu", free=3 << 30, total=4 << 30)
    asked: list[bool] = []

    def answer(_options: Any, **_show: Any) -> Build:
        asked.append(True)
        return Build(version="1", library="1", features={}, gpu_offload=True, devices=(card,))

    monkeypatch.setattr(installed, "describe", answer)
    # The memory of another vendor's card does not count.
    seen = Graphics(cards=(Card(name="GTX 1650", free=1 << 30), Card(name="RX 6400", free=free)))
    for _time in range(2):
        assert installed.known([options], tmp_path / "engine.json", "", seen).gpu_taken == taken
    assert len(asked) == times


def test_gpu_backends_are_recognised_by_the_names_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert library.gpu_backends() is not None
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(tmp_path))
    assert library.gpu_backends() is None
    (tmp_path / "libggml-cpu.so").touch()
    assert library.gpu_backends() == ()
    (tmp_path / "libggml-cuda.so").touch()
    assert library.gpu_backends() == ("cuda",)


def test_the_cause_is_read_from_the_librarys_own_message() -> None:
    text = "CUDA : ARCHS = 610,800 | FORCE_MMQ = 1 | CPU : SSE3 = 1 | AVX2 = 1 | "
    assert parse_features(text) == {
        "CUDA": {"ARCHS": "610,800", "FORCE_MMQ": "1"},
        "CPU": {"SSE3": "1", "AVX2": "1"},
    }
