"""The memory of this PC: the total, what is free, and what the kernel killed for lack of it; also in a container."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from qwen_tui.hardware import control_groups
from qwen_tui.hardware.control_groups import number


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of RAM. `limited` says that a control group (a container, a service) allows less than the PC has."""

    total: int
    free: int
    limited: bool = False


def memory(root: Path = Path("/")) -> Memory:
    """Return the memory for programs; memory that only caches files counts as free.

    `root` is the folder of `proc` and `sys`.
    """
    import psutil

    system = psutil.virtual_memory()
    total, free = int(system.total), int(system.available)
    limits = [*_limits(root)]
    least = min((limit for limit, _used in limits), default=total)
    left = min((limit - used for limit, used in limits), default=free)
    return Memory(total=min(total, least), free=max(0, min(free, left)), limited=least < total)


def available_memory() -> int:
    """Return how many bytes this program can still allocate without swapping."""
    return memory().free


def kills_so_far(root: Path = Path("/")) -> int | None:
    """Return how many programs the kernel has killed for lack of memory (Linux); None where that is not known.

    The count is that of this program's control group where there is one, else that of the whole PC.
    https://docs.kernel.org/admin-guide/cgroup-v2.html says of `oom_kill` that any kind of OOM killer counts.
    """
    groups = control_groups.folders("memory", root)
    files = [folder / ("memory.events" if version == 2 else "memory.oom_control") for version, folder in groups]
    counts = (_of(file, ("oom_kill",)) for file in (*files, root / "proc/vmstat"))
    return next((count for count in counts if count is not None), None)


def _limits(root: Path) -> Iterator[tuple[int, int]]:
    """Yield limit and use, in bytes, of each limited control group of this process; use excludes cached files."""
    for version, folder in control_groups.folders("memory", root):
        most, used, cache = _V2 if version == 2 else _V1
        limit = number(folder / most)
        if limit is not None:
            yield limit, max(0, (number(folder / used) or 0) - (_of(folder / "memory.stat", cache) or 0))


# The files of the limit and of the use, and the keys in memory.stat for the part of the use that caches files.
_Names = tuple[str, str, tuple[str, ...]]
_V2: _Names = ("memory.max", "memory.current", ("inactive_file", "active_file"))
_V1: _Names = (
    "memory.limit_in_bytes",
    "memory.usage_in_bytes",
    ("total_inactive_file", "total_active_file"),
)


def _of(file: Path, names: tuple[str, ...]) -> int | None:
    """Return the sum of the numbers that `file` gives under `names`; None if it has none of them."""
    try:
        lines = file.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    pairs = (line.split() for line in lines)
    numbers = [int(pair[1]) for pair in pairs if len(pair) == 2 and pair[0] in names and pair[1].isdecimal()]
    return sum(numbers) if numbers else None
