"""The processor: its name, its cores, and the instruction sets that decide how fast llama.cpp computes."""

import os
import platform
import sys
from pathlib import Path
from typing import Literal

import msgspec

from qwen_tui.hardware import control_groups
from qwen_tui.hardware.control_groups import number

# The instruction sets that llama.cpp can be compiled for on x86, under the names of its own report, with Linux's.
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
# What Windows tells of them: PF_…_INSTRUCTIONS_AVAILABLE of IsProcessorFeaturePresent.
_WINDOWS = {"SSE3": 13, "SSSE3": 36, "AVX": 39, "AVX2": 40, "AVX512": 41}
# What keeps a program from cores that are there: it is bound to others, or a container may compute only so long.
Limit = Literal["affinity", "quota"]
X86 = ("x86_64", "amd64", "i386", "i686")


class Processor(msgspec.Struct, frozen=True, kw_only=True):
    """A processor; `cores` and `logical_cores` are those that this process may use.

    `instructions` are those of `AVX2`, `AVX512` and the like that it has, by llama.cpp's names; None where the system
    does not say. `architecture` is Python's word for it, as `x86_64`. Where there are more, `all_cores`, `limit` says
    what keeps this process from them.
    """

    name: str
    architecture: str
    cores: int
    logical_cores: int
    instructions: tuple[str, ...] | None = None
    all_cores: int | None = None
    limit: Limit | None = None

    def has(self, instruction: str) -> bool | None:
        """Whether it has an instruction set; None where that is not known."""
        if self.instructions is None or (sys.platform == "win32" and instruction not in _WINDOWS):
            return None
        return instruction in self.instructions


def processor(root: Path = Path("/")) -> Processor:
    """Describe this processor; `root` is where Linux's `proc` and `sys` are."""
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
    """Return the number of cores decoding should use: physical ones, within what this process may use.

    Two threads on one core wait for the same memory; more threads than allowed cores wait for each other.
    """
    return min(_all_cores(), logical_cores(root))


def logical_cores(root: Path = Path("/")) -> int:
    """Return how many threads of this process may compute all the time.

    Threads beyond a quota would use it up early, and then all of them would wait for the next period.
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


def _limit(root: Path) -> Limit | None:
    cores, bound = _all_cores(), _bound()
    if (quota := _quota(root)) is not None and quota < min(cores, bound):
        return "quota"
    return "affinity" if bound < cores else None


def _quota(root: Path) -> int | None:
    """Return how many cores the control groups of this process may keep busy, rounded up; None without such a limit.

    In each period (µs) they may compute for so long (µs), on all cores together.
    """
    quotas = []
    for version, folder in control_groups.folders("cpu", root):
        time, period = _version_2(folder) if version == 2 else _version_1(folder)
        if time and period:
            quotas.append(max(1, -(-time // period)))
    return min(quotas, default=None)


def _version_1(folder: Path) -> tuple[int | None, int | None]:
    # Without a limit the first says -1.
    return number(folder / "cpu.cfs_quota_us"), number(folder / "cpu.cfs_period_us")


def _version_2(folder: Path) -> tuple[int | None, int | None]:
    # "max 100000" is no limit.
    time, period = (*control_groups.numbers(folder / "cpu.max"), None, None)[:2]
    return time, period


def busy() -> float:
    """Return which share of the processor other programs use, from 0 to 1; looks for a third of a second."""
    import psutil

    return float(psutil.cpu_percent(interval=0.3)) / 100


def processor_name(root: Path = Path("/")) -> str:
    """Return what the maker calls it, or at least its kind."""
    return _linux(root, "model name") or platform.processor() or platform.machine()


def _instructions(root: Path) -> tuple[str, ...] | None:
    if platform.machine().lower() not in X86:
        return None
    if flags := set(_linux(root, "flags").split()):
        return tuple(name for name, flag in _FLAGS.items() if flag in flags)
    return _windows_instructions() if sys.platform == "win32" else None


def _windows_instructions() -> tuple[str, ...] | None:
    import ctypes

    # Reached by name: elsewhere than on Windows there is no such thing, for type checkers either.
    kernel = getattr(getattr(ctypes, "windll", None), "kernel32", None)
    if kernel is None:
        return None
    return tuple(name for name, number in _WINDOWS.items() if kernel.IsProcessorFeaturePresent(number))


def _linux(root: Path, key: str) -> str:
    """Return the first value of `key` in Linux's description of the processor, or an empty string."""
    try:
        lines = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == key), "")
