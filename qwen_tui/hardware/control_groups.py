"""The control groups (cgroups) of this process: Linux's limits for a container or a service."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

_MOUNTED_AT = "/sys/fs/cgroup"


class _Mount(NamedTuple):
    """A mounted hierarchy: the folder `point` shows the group `group` and the groups below it."""

    group: str
    point: str


def folders(controller: str, root: Path) -> Iterator[tuple[int, Path]]:
    """Yield the control groups of `controller` (as "memory") that limit this process: its own, and those above it.

    Each is a pair: the version of control groups (1 or 2), and the group's folder. `root` is the folder of `proc` and
    `sys`.
    """
    for line in _lines(root / "proc/self/cgroup"):
        _hierarchy, _colon, rest = line.partition(":")
        controllers, _colon, group = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        version = 1 if controllers else 2
        for mount in _mounts(version, controller, root):
            place = _below(PurePosixPath(group), PurePosixPath(mount.group))
            for part in (place, *place.parents):
                yield version, root / mount.point.lstrip("/") / part


def number(file: Path) -> int | None:
    """Return the number in a file of a group; None if the file is missing or holds no number, as "max"."""
    return numbers(file)[0]


def numbers(file: Path) -> list[int | None]:
    """Return the words of a file of a group as numbers, None for each word that is no number; at least one element."""
    words = " ".join(_lines(file)).split() or [""]
    return [int(word) if word.isdecimal() else None for word in words]


def _below(group: PurePosixPath, mounted: PurePosixPath) -> PurePosixPath:
    """Return the path of `group` relative to the group `mounted`."""
    if ".." in group.parts or not group.is_relative_to(mounted):
        # In a container only its own group is mounted, while `proc` names it by the host's path.
        return PurePosixPath()
    return group.relative_to(mounted)


def _mounts(version: int, controller: str, root: Path) -> list[_Mount]:
    """Return where the groups are mounted; the usual place if the system does not say."""
    found = []
    for line in _lines(root / "proc/self/mountinfo"):
        # The fields are: number parent device group point options … - kind source options
        before, _dash, after = line.partition(" - ")
        place, kind = before.split(" "), after.split(" ")
        if len(place) < 5 or len(kind) < 3:
            continue
        if (version == 2 and kind[0] == "cgroup2") or (kind[0] == "cgroup" and controller in kind[2].split(",")):
            found.append(_Mount(_unescaped(place[3]), _unescaped(place[4])))
    return found or [_Mount("/", _MOUNTED_AT if version == 2 else f"{_MOUNTED_AT}/{controller}")]


def _unescaped(path: str) -> str:
    r"""Return a path of `mountinfo` without its escapes: a space stands there as \040, in octal."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
