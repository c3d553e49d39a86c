"""Counts the programs that the kernel has killed because memory ran out (only Linux reports that)."""

from pathlib import Path

_CGROUPS, _CGROUP_OF_THIS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_WHOLE_MACHINE = Path("/proc/vmstat")


def kills_so_far() -> int | None:
    """Return how many programs the kernel has killed for lack of memory; None where that is not known.

    The count is that of this program's control group where there is one, else that of the whole machine.
    https://docs.kernel.org/admin-guide/cgroup-v2.html says of `oom_kill` that any kind of OOM killer counts.
    """
    return next((kills for file in [*_of_group(), _WHOLE_MACHINE] if (kills := _count(file)) is not None), None)


def _of_group() -> list[Path]:
    """Return the files that may count the kills of this program's control group: version 2, then version 1."""
    try:
        lines = _CGROUP_OF_THIS.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    files = []
    for line in lines:
        _number, controllers, group = (*line.split(":", 2), "", "")[:3]
        if not controllers:
            folder, name = _CGROUPS, "memory.events"
        elif "memory" in controllers.split(","):
            folder, name = _CGROUPS / "memory", "memory.oom_control"
        else:
            continue
        # A container may see its own group at the place of the root group.
        files += [folder / group.lstrip("/") / name, folder / name]
    return files


def _count(file: Path) -> int | None:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
