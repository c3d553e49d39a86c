"""The memory of this PC: the total and what is free, within the limits of a container or service."""

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


def _limits(root: Path) -> Iterator[tuple[int, int]]:
    """Yield limit and use, in bytes, of each limited control group of this process; use excludes cached files."""
    for version, folder in control_groups.folders("memory", root):
        most, used, cache = _V2 if version == 2 else _V1
        limit = number(folder / most)
        if limit is not None:
            yield limit, max(0, (number(folder / used) or 0) - _cached(folder / "memory.stat", cache))


# The files of the limit and of the use, and the keys in memory.stat for the part of the use that caches files.
_Names = tuple[str, str, tuple[str, ...]]
_V2: _Names = ("memory.max", "memory.current", ("inactive_file", "active_file"))
_V1: _Names = (
    "memory.limit_in_bytes",
    "memory.usage_in_bytes",
    ("total_inactive_file", "total_active_file"),
)


def _cached(file: Path, names: tuple[str, ...]) -> int:
    try:
        lines = file.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    pairs = (line.split() for line in lines)
    return sum(int(pair[1]) for pair in pairs if len(pair) == 2 and pair[0] in names and pair[1].isdecimal())
