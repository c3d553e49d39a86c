"""What computing takes of this PC: energy, where it tells, and the memory of a card."""

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from qwen_tui.hardware import gpu

_POWERCAP = Path("/sys/class/powercap")


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """The counters of energy at one moment, in joules, by their names; a difference of two says what was used between.

    `wraps` says at which value a counter begins again at 0. `card_memory` are the bytes of cards that the processes
    asked about hold. None where the PC does not tell.
    """

    processor: dict[str, float] | None = None
    card: dict[str, float] | None = None
    wraps: dict[str, float] = {}
    card_memory: int | None = None


def counters(
    processes: Iterable[int] = (), root: Path = _POWERCAP, library: Callable[[], Any] | None = None
) -> Counters:
    """Read the counters; `processes` are the ids of those whose memory on cards is wanted. Raises nothing.

    The processor's are those of RAPL, which only root may read on most systems ("Platypus", CVE-2020-8694). `library`
    imports the module that asks the driver (pynvml).
    """
    processor, wraps = _packages(root)
    pids = frozenset(processes)
    found = gpu.answered(lambda nvml: _cards(nvml, pids), library)
    energy, memory = found or (None, None)
    return Counters(processor=processor, card=energy, wraps=wraps, card_memory=memory)


def used(before: dict[str, float] | None, after: dict[str, float] | None, wraps: dict[str, float]) -> float | None:
    """Return the joules between two readings of the same counters, None where one of them was not told."""
    if before is None or after is None or before.keys() != after.keys():
        return None
    spent = 0.0
    for name, value in after.items():
        difference = value - before[name]
        spent += difference if difference >= 0 else difference + wraps.get(name, 0.0)
    return spent if spent >= 0 else None


def _packages(root: Path) -> tuple[dict[str, float] | None, dict[str, float]]:
    """Return the counters of all packages of the processor; their parts, as the cores, are contained in them."""
    energy: dict[str, float] = {}
    wraps: dict[str, float] = {}
    try:
        for folder in sorted(root.glob("intel-rapl:*")):
            if folder.name.count(":") == 1 and (folder / "name").read_text().startswith("package"):
                energy[folder.name] = int((folder / "energy_uj").read_text()) / 1e6
                wraps[folder.name] = int((folder / "max_energy_range_uj").read_text()) / 1e6
    except (OSError, ValueError):
        return None, {}
    return energy or None, wraps


def _cards(nvml: Any, processes: frozenset[int]) -> tuple[dict[str, float] | None, int | None]:
    """Return the energy of each card since the driver was loaded, and the memory that `processes` hold on all cards."""
    energy: dict[str, float] = {}
    memory: int | None = None
    for index in range(nvml.nvmlDeviceGetCount()):
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        # Cards before Volta, and some mobile ones, count no energy.
        with contextlib.suppress(Exception):
            energy[str(index)] = nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3
        # Windows does not tell the memory of a process.
        with contextlib.suppress(Exception):
            for process in nvml.nvmlDeviceGetComputeRunningProcesses(handle):
                if process.pid in processes and process.usedGpuMemory is not None:
                    memory = (memory or 0) + int(process.usedGpuMemory)
    return energy or None, memory
