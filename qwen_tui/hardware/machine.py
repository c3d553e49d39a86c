"""What this PC has that decides how to compute."""

import os
import platform
from pathlib import Path

import msgspec

_GIB = 1 << 30


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What tells one PC from another where speed is concerned; `memory` is in whole GiB, which kernels agree about."""

    cpu: str
    cores: int
    logical_cores: int
    memory: int
    gpu: str = ""


def this_machine() -> Machine:
    """Describe this PC; the cores are those that this process may use."""
    import psutil

    return Machine(
        cpu=_cpu_name(),
        cores=physical_cores(),
        logical_cores=logical_cores(),
        memory=round(psutil.virtual_memory().total / _GIB),
    )


def physical_cores() -> int:
    """Return the number of cores decoding should use: physical ones, within what this process may run on.

    Two threads on one core wait for the same memory; more threads than allowed cores wait for each other.
    """
    import psutil

    physical = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    return max(1, min(physical, logical_cores()))


def logical_cores() -> int:
    """Return how many threads this process may run at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_memory() -> int:
    """Return the bytes that programs can still take without swapping; what only caches files counts as free."""
    import psutil

    return int(psutil.virtual_memory().available)


def busy() -> float:
    """Return which share of the processor other programs use, from 0 to 1; looks for a third of a second."""
    import psutil

    return float(psutil.cpu_percent(interval=0.3)) / 100


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
