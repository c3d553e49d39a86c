"""The memory of this PC: what there is, and what can still be taken, within what a container or service may have."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import msgspec


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of RAM. `limited` says that a control group (a container, a service) allows less than the PC has."""

    total: int
    free: int
    limited: bool = False


def memory(root: Path = Path("/")) -> Memory:
    """Return the memory for programs; what only caches files counts as free. `root` is where `proc` and `sys` are."""
    import psutil

    system = psutil.virtual_memory()
    total, free = int(system.total), int(system.available)
    limits = [*_limits(root)]
    least = min((limit for limit, _used in limits), default=total)
    left = min((limit - used for limit, used in limits), default=free)
    return Memory(total=min(total, least), free=max(0, min(free, left)), limited=least < total)


def available_memory() -> int:
    """Return the bytes that this program can still take without swapping."""
    return memory().free


def _limits(root: Path) -> Iterator[tuple[int, int]]:
    """Yield limit and use, in bytes, of each control group with a limit that this process is in."""
    for folder, (most, used, cache) in _groups(root):
        limit = _number(folder / most)
        if limit is not None:
            yield limit, max(0, (_number(folder / used) or 0) - _cached(folder / "memory.stat", cache))


# The names of the files: the limit, what is used, and in memory.stat what of it caches files.
_Names = tuple[str, str, tuple[str, ...]]
_V2: _Names = ("memory.max", "memory.current", ("inactive_file", "active_file"))
_V1: _Names = (
    "memory.limit_in_bytes",
    "memory.usage_in_bytes",
    ("total_inactive_file", "total_active_file"),
)


def _groups(root: Path) -> Iterator[tuple[Path, _Names]]:
    """Yield the folders of the control groups that count: this process's own and those above."""
    mount = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        _number_of_hierarchy, _colon, rest = line.partition(":")
        controllers, _colon, path = rest.partition(":")
        if controllers == "":
            base, names = mount, _V2
        elif "memory" in controllers.split(","):
            base, names = mount / "memory", _V1
        else:
            continue
        # In a container the path may be the host's, and only what lies above it be there.
        place = PurePosixPath(path.lstrip("/"))
        for part in (place, *place.parents):
            yield base / part, names


def _number(file: Path) -> int | None:
    """Return the number in `file`; None where there is none, as "max" is none."""
    try:
        text = file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def _cached(file: Path, names: tuple[str, ...]) -> int:
    try:
        lines = file.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    pairs = (line.split() for line in lines)
    return sum(int(pair[1]) for pair in pairs if len(pair) == 2 and pair[0] in names and pair[1].isdecimal())
