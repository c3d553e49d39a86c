"""Identifies a model file: by its SHA-256, and until that is known by a stamp.

Hashing gigabytes takes seconds. So the program remembers the hash for as long as the file system reports the same facts
about the file. The stamp is made of such facts too (path, device, inode, size, times), and so it is as safe as a
remembered hash.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from qwen_tui import learned
from qwen_tui.errors import InvalidModelError
from qwen_tui.models.hashing import reading

# The list keeps this many files, so that files that are no longer used drop out; and of each, this many stamps.
_REMEMBERED = 50
_STAMPS = 8


class Facts(msgspec.Struct, frozen=True):
    """The facts by which the program decides that a file is still the one that it hashed."""

    size: int
    mtime_ns: int
    inode: int


class _Hashed(msgspec.Struct, frozen=True):
    """A remembered hash; `stamps` are the names that the file had before its hash was known, the latest last."""

    facts: Facts
    sha256: str
    stamps: tuple[str, ...] = ()


class Identity:
    """The names of a model: its SHA-256 once it is known, and the stamps of its files."""

    def __init__(self, path: bytes, hashes: Path) -> None:
        """Create this before the model is loaded, so that it notices if the file is replaced meanwhile.

        `hashes` is the JSON file of remembered hashes.
        """
        self._path = path
        self._hashes = hashes
        self._facts, self._stamp = facts(path), stamp(path)
        self._is_sure = False
        self._known: tuple[str, ...] = ()

    def names(self) -> tuple[str, ...]:
        """Return every name of the model, first the one for new things; none if its file is gone or was replaced."""
        if self._known or self._facts is None or self._stamp is None:
            return self._known
        # If the file was replaced during loading, its stamp does not name the loaded model.
        if not self._is_sure and stamp(self._path) != self._stamp:
            self._facts = None
            return ()
        self._is_sure = True
        sha256 = remembered(self._path, self._facts, self._hashes)
        if sha256 is None:
            return (self._stamp,)
        # Other files with this hash are copies, or this file at an earlier path.
        stamps = (stamp for entry in _read(self._hashes).values() if entry.sha256 == sha256 for stamp in entry.stamps)
        self._known = tuple(dict.fromkeys((sha256, self._stamp, *stamps)))
        return self._known

    @property
    def is_hashed(self) -> bool:
        """Whether the SHA-256 is known."""
        return len(self.names()) != 1

    def find_out(self, given_up: Callable[[], bool]) -> None:
        """Hash the file, so that the program recognises it at another path; stop if `given_up` returns True."""
        if self.names() and self._facts is not None and self._stamp is not None:
            find_out(self._path, self._facts, self._hashes, given_up, self._stamp)


def facts(path: bytes) -> Facts | None:
    """Return the file system's facts about the file at `path`, None if it cannot be reached."""
    found = _stat(path)
    return Facts(found.st_size, found.st_mtime_ns, found.st_ino) if found else None


def stamp(path: bytes) -> str | None:
    """Return a name for the file at `path` in its present state, None if the file cannot be reached.

    The name changes when the file is written, moved, copied or replaced. It covers more than `Facts`, so it changes
    more often.
    """
    found = _stat(path)
    if found is None:
        return None
    state = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return "file:" + hashlib.sha256(f"{_name(path)} {state}".encode()).hexdigest()


def remembered(path: bytes, seen: Facts, hashes: Path) -> str | None:
    """Return the SHA-256 (hexadecimal) in `hashes` for the file at `path`, if its facts are still those `seen`."""
    entry = _read(hashes).get(_name(path))
    return entry.sha256 if entry and entry.facts == seen else None


def find_out(
    path: bytes, seen: Facts, hashes: Path, given_up: Callable[[], bool], stamp: str | None = None
) -> str | None:
    """Hash the file at `path`, store the result in `hashes` with the `stamp` that named it so far, and return it.

    None if `given_up` returns True meanwhile, if the file cannot be read, or if its facts are not those `seen`.
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
    _remember(path, _Hashed(seen, sha256, (stamp,) if stamp else ()), hashes)
    return sha256


def _remember(path: bytes, entry: _Hashed, hashes: Path) -> None:
    entries = _read(hashes)
    before = entries.get(_name(path))
    if before and before.sha256 == entry.sha256:
        # The content is the same; only the file's times have changed.
        stamps = tuple(dict.fromkeys((*before.stamps, *entry.stamps)))[-_STAMPS:]
        entry = msgspec.structs.replace(entry, stamps=stamps)
    learned.write(hashes, learned.latest(entries, _name(path), entry, _REMEMBERED), indented=True)


def _read(hashes: Path) -> dict[str, _Hashed]:
    return learned.read(hashes, dict[str, _Hashed], {})


def _stat(path: bytes) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 - the name may be no text
    except (OSError, ValueError):
        return None


def _name(path: bytes) -> str:
    return os.path.realpath(path).decode("utf-8", "backslashreplace")
