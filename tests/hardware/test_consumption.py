"""Energy and memory of cards, read from what Linux and NVIDIA's driver tell: here a folder and a module of the test."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from qwen_tui.hardware.consumption import counters, used


@pytest.fixture
def powercap(tmp_path: Path) -> Path:
    """Two packages, and the cores of the first one, as Linux shows them."""
    for name, said, energy in (
        ("0", "package-0", 5_000_000),
        ("0:0", "core", 3_000_000),
        ("1", "package-1", 1_000_000),
    ):
        folder = tmp_path / f"intel-rapl:{name}"
        folder.mkdir()
        (folder / "name").write_text(f"{said}\n")
        (folder / "energy_uj").write_text(f"{energy}\n")
        (folder / "max_energy_range_uj").write_text("262143328850\n")
    return tmp_path


def no_library() -> Any:
    raise ImportError


def driver(**changed: Any) -> Any:
    """A driver with one card that has used 12.5 J, and on which the processes 7 and 8 hold memory."""
    processes = [SimpleNamespace(pid=7, usedGpuMemory=300), SimpleNamespace(pid=8, usedGpuMemory=5)]
    functions = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetTotalEnergyConsumption": lambda _card: 12_500,
        "nvmlDeviceGetComputeRunningProcesses": lambda _card: processes,
    }
    return SimpleNamespace(**{**functions, **changed})


def test_the_packages_count_and_not_their_parts_again(powercap: Path) -> None:
    before = counters(root=powercap, library=no_library)
    (powercap / "intel-rapl:0" / "energy_uj").write_text("7500000\n")
    after = counters(root=powercap, library=no_library)
    assert used(before.processor, after.processor, after.wraps) == pytest.approx(2.5)
    assert after.card is None and after.card_memory is None


def test_a_counter_that_begins_again_loses_nothing(powercap: Path) -> None:
    (powercap / "intel-rapl:0" / "energy_uj").write_text("262143000000\n")
    before = counters(root=powercap, library=no_library)
    (powercap / "intel-rapl:0" / "energy_uj").write_text("671150\n")
    after = counters(root=powercap, library=no_library)
    assert used(before.processor, after.processor, after.wraps) == pytest.approx(1.0)


def test_where_nothing_is_told_nothing_is_invented(tmp_path: Path) -> None:
    nothing = counters(root=tmp_path, library=no_library)
    assert used(nothing.processor, nothing.processor, nothing.wraps) is None
    assert used(nothing.card, nothing.card, {}) is None


def test_the_card_tells_its_energy_and_what_the_worker_holds(tmp_path: Path) -> None:
    found = counters([7], root=tmp_path, library=driver)
    assert found.card == {"0": 12.5} and found.card_memory == 300


def test_a_card_that_counts_no_energy_still_tells_its_memory(tmp_path: Path) -> None:
    def old() -> Any:
        return driver(nvmlDeviceGetTotalEnergyConsumption=None)

    found = counters([7, 8], root=tmp_path, library=old)
    assert found.card is None and found.card_memory == 305
