"""The processor: its name, its cores, and the instruction sets that decide how fast llama.cpp computes."""

import os
import platform
import sys
from pathlib import Path
from typing import Literal

import msgspec

from qwen_tui.hardware import control_groups
from qwen_tui.hardware.control_groups import number

# The x86 instruction sets that llama.cpp can be compiled for: llama.cpp's name, and Linux's flag in /proc/cpuinfo.
_FLAGS = {
    "SSE3": "pni",
    "SSSE3": "ssse3",
    "AVX": "avx",
    "AVX2": "avx2",
    "F16C": "f16c",
    "FMA": "fma",
    "BMI2": "bmi2",
    "AVX_VNNI": "avx_vnni",
    "AVX512": "avx512f",
    "AVX512_VBMI": "avx512vbmi",
    "AVX512_VNNI": "avx512_vnni",
    "AVX512_BF16": "avx512_bf16",
    "AMX_INT8": "amx_int8",
}
# Those that Windows reports: the numbers of PF_…_INSTRUCTIONS_AVAILABLE for IsProcessorFeaturePresent.
_WINDOWS = {"SSE3": 13, "SSSE3": 36, "AVX": 39, "AVX2": 40, "AVX512": 41}
# Why this process may not use all cores: it is bound to some of them, or a control group limits its computing time.
CoreLimit = Literal["affinity", "quota"]
X86 = ("x86_64", "amd64", "i386", "i686")


class Processor(msgspec.Struct, frozen=True, kw_only=True):
    """A processor; `cores` and `logical_cores` are those that this process may use.

    `instructions` are its instruction sets by llama.cpp's names, as `AVX2`; None if the system does not tell.
    `architecture` is Python's name for it, as `x86_64`. `all_cores` are all physical cores; if this process may use
    only some of them, `limit` says why.
    """

    name: str
    architecture: str
    cores: int
    logical_cores: int
    instructions: tuple[str, ...] | None = None
    all_cores: int | None = None
    limit: CoreLimit | None = None

    def has(self, instruction: str) -> bool | None:
        """Whether the processor has an instruction set; None if unknown."""
        if self.instructions is None or (sys.platform == "win32" and instruction not in _WINDOWS):
            return None
        return instruction in self.instructions


def processor(root: Path = Path("/")) -> Processor:
    """Describe this processor; `root` is the folder of Linux's `proc` and `sys`."""
    return Processor(
        name=processor_name(root),
        architecture=platform.machine(),
        cores=physical_cores(root),
        logical_cores=logical_cores(root),
        instructions=_instructions(root),
        all_cores=_all_cores(),
        limit=_limit(root),
    )


def physical_cores(root: Path = Path("/")) -> int:
    """Return how many cores decoding should use: the physical ones, but no more than this process may use.

    Two threads on one core would wait for the same memory; more threads than allowed cores would wait for each other.
    """
    return min(_all_cores(), logical_cores(root))


def logical_cores(root: Path = Path("/")) -> int:
    """Return how many threads of this process can compute all the time.

    With more threads, a control group's quota would be used up early, and all threads would wait for the next period.
    """
    bound = _bound()
    quota = _quota(root)
    return bound if quota is None else min(bound, quota)


def _all_cores() -> int:
    import psutil

    return psutil.cpu_count(logical=False) or os.cpu_count() or 1


def _bound() -> int:
    """Return on how many logical cores this process may run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _limit(root: Path) -> CoreLimit | None:
    cores, bound = _all_cores(), _bound()
    if (quota := _quota(root)) is not None and quota < min(cores, bound):
        return "quota"
    return "affinity" if bound < cores else None


def _quota(root: Path) -> int | None:
    """Return how many cores the control groups let this process keep busy, rounded up; None without a limit.

    The limit is a time of computing (µs) for each period (µs), on all cores together; cores = time / period.
    """
    quotas = []
    for version, folder in control_groups.folders("cpu", root):
        time, period = _version_2(folder) if version == 2 else _version_1(folder)
        if time and period:
            quotas.append(max(1, -(-time // period)))
    return min(quotas, default=None)


def _version_1(folder: Path) -> tuple[int | None, int | None]:
    # Without a limit, cpu.cfs_quota_us holds -1.
    return number(folder / "cpu.cfs_quota_us"), number(folder / "cpu.cfs_period_us")


def _version_2(folder: Path) -> tuple[int | None, int | None]:
    # Without a limit, the file holds "max 100000".
    time, period = (*control_groups.numbers(folder / "cpu.max"), None, None)[:2]
    return time, period


def processor_name(root: Path = Path("/")) -> str:
    """Return the maker's name of the processor, or at least its architecture."""
    return _linux(root, "model name") or platform.processor() or platform.machine()


def _instructions(root: Path) -> tuple[str, ...] | None:
    if platform.machine().lower() not in X86:
        return None
    if flags := set(_linux(root, "flags").split()):
        return tuple(name for name, flag in _FLAGS.items() if flag in flags)
    return _windows_instructions() if sys.platform == "win32" else None


def _windows_instructions() -> tuple[str, ...] | None:
    import ctypes

    # getattr, because ctypes.windll exists on Windows alone, also for type checkers.
    kernel = getattr(getattr(ctypes, "windll", None), "kernel32", None)
    if kernel is None:
        return None
    return tuple(name for name, number in _WINDOWS.items() if kernel.IsProcessorFeaturePresent(number))


def _linux(root: Path, key: str) -> str:
    """Return the first value of `key` in /proc/cpuinfo, or an empty string."""
    try:
        lines = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == key), "")
