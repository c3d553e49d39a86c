"""Which model a file is: its SHA-256, remembered for as long as the file stays as it was, and a name until it is known.

Hashing gigabytes takes seconds. What the file system says of a file (place, device, inode, size, times) names what is
in it as safely as a remembered hash does, for that is believed on the same grounds.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from qwen_tui import learned
from qwen_tui.errors import InvalidModelError
from qwen_tui.models.hashing import reading

# Files that are no longer used fall out of the list at some point.
_REMEMBERED = 50
_STAMPS = 8


class Facts(msgspec.Struct, frozen=True):
    """What tells that a file is still the one that was hashed."""

    size: int
    mtime_ns: int
    inode: int


class _Hashed(msgspec.Struct, frozen=True):
    """`stamps` are the names that the file had before its hash was known, the last one last."""

    facts: Facts
    sha256: str
    stamps: tuple[str, ...] = ()


class Identity:
    """The names of a model: its SHA-256 once that is known, and those that its files had before."""

    def __init__(self, path: bytes, memory: Path) -> None:
        """To be made before the model is loaded: a file that is replaced meanwhile is then noticed.

        `memory` is the file in which hashes are remembered.
        """
        self._path = path
        self._memory = memory
        self._facts, self._stamp = facts(path), stamp(path)
        self._is_sure = False
        self._known: tuple[str, ...] = ()

    def names(self) -> tuple[str, ...]:
        """Return every name of the model, that for new things first; none if its file cannot be told from others."""
        if self._known or self._facts is None or self._stamp is None:
            return self._known
        # A file that was replaced while it was loaded is not the one that was loaded.
        if not self._is_sure and stamp(self._path) != self._stamp:
            self._facts = None
            return ()
        self._is_sure = True
        sha256 = remembered(self._path, self._facts, self._memory)
        if sha256 is None:
            return (self._stamp,)
        # Other files with this hash are copies, or this one at an earlier place.
        stamps = (stamp for entry in _read(self._memory).values() if entry.sha256 == sha256 for stamp in entry.stamps)
        self._known = tuple(dict.fromkeys((sha256, self._stamp, *stamps)))
        return self._known

    @property
    def is_hashed(self) -> bool:
        """Whether the SHA-256 is known."""
        return len(self.names()) != 1

    def find_out(self, given_up: Callable[[], bool]) -> None:
        """Hash the file, so that it is known at another place, too, unless `given_up` says to stop."""
        if self.names() and self._facts is not None and self._stamp is not None:
            find_out(self._path, self._facts, self._memory, given_up, self._stamp)


def facts(path: bytes) -> Facts | None:
    """Return what the file system says of the file at `path`, None where it says nothing."""
    found = _stat(path)
    return Facts(found.st_size, found.st_mtime_ns, found.st_ino) if found else None


def stamp(path: bytes) -> str | None:
    """Return a name for the file at `path` as it is now, None where the file system says nothing of it.

    Of a file that was written, moved, copied or replaced it is another one; it tells more than `Facts`, and so changes
    more easily.
    """
    found = _stat(path)
    if found is None:
        return None
    told = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return "file:" + hashlib.sha256(f"{_name(path)} {told}".encode()).hexdigest()


def remembered(path: bytes, seen: Facts, memory: Path) -> str | None:
    """Return the SHA-256 (hexadecimal) that `memory` holds of the file at `path`, None if it is not known."""
    entry = _read(memory).get(_name(path))
    return entry.sha256 if entry and entry.facts == seen else None


def find_out(
    path: bytes, seen: Facts, memory: Path, given_up: Callable[[], bool], stamp: str | None = None
) -> str | None:
    """Hash the file at `path` and note the result in `memory`, with the `stamp` that named it until now.

    None if `given_up` says so on the way, the file cannot be read, or it is not, or no longer, the one that was `seen`.
    """
    try:
        with reading(Path(os.fsdecode(path))) as reader:
            for _done in reader.steps():
                if given_up():
                    return None
            sha256 = reader.finish()
    except InvalidModelError:
        return None
    if facts(path) != seen:
        return None
    _note(path, _Hashed(seen, sha256, (stamp,) if stamp else ()), memory)
    return sha256


def _note(path: bytes, entry: _Hashed, memory: Path) -> None:
    entries = _read(memory)
    before = entries.get(_name(path))
    if before and before.sha256 == entry.sha256:
        # Only its times changed.
        stamps = tuple(dict.fromkeys((*before.stamps, *entry.stamps)))[-_STAMPS:]
        entry = msgspec.structs.replace(entry, stamps=stamps)
    learned.write(memory, learned.latest(entries, _name(path), entry, _REMEMBERED), indented=True)


def _read(memory: Path) -> dict[str, _Hashed]:
    return learned.read(memory, dict[str, _Hashed], {})


def _stat(path: bytes) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 - the name may be no text
    except (OSError, ValueError):
        return None


def _name(path: bytes) -> str:
    return os.path.realpath(path).decode("utf-8", "backslashreplace")
