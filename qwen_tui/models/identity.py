"""Which model a file is: its SHA-256, remembered for as long as the file stays as it was."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from qwen_tui.files import write_private

# A tenth of a second at the most between two looks at whether to go on.
_STEP = 16 << 20
# Files that are no longer used fall out of the list at some point.
_REMEMBERED = 50


class Facts(msgspec.Struct, frozen=True):
    """What tells that a file is still the one that was hashed."""

    size: int
    mtime_ns: int
    inode: int


class _Hashed(msgspec.Struct, frozen=True):
    facts: Facts
    sha256: str


def facts(path: bytes) -> Facts | None:
    """Return what the file system says of the file at `path`, None where it says nothing."""
    try:
        found = os.stat(path)  # noqa: PTH116 - the name may be no text
    except (OSError, ValueError):
        return None
    return Facts(found.st_size, found.st_mtime_ns, found.st_ino)


def remembered(path: bytes, seen: Facts, memory: Path) -> str | None:
    """Return the SHA-256 (hexadecimal) that `memory` holds of the file at `path`, None if it is not known."""
    entry = _read(memory).get(_name(path))
    return entry.sha256 if entry and entry.facts == seen else None


def find_out(path: bytes, seen: Facts, memory: Path, given_up: Callable[[], bool]) -> str | None:
    """Hash the file at `path` and note the result in `memory`.

    None if `given_up` says so on the way, the file cannot be read, or it is not, or no longer, the one that was `seen`.
    """
    digest = hashlib.sha256()
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - the name may be no text
            while step := file.read(_STEP):
                digest.update(step)
                if given_up():
                    return None
    except OSError:
        return None
    if facts(path) != seen:
        return None
    _note(path, _Hashed(seen, digest.hexdigest()), memory)
    return digest.hexdigest()


def _note(path: bytes, entry: _Hashed, memory: Path) -> None:
    entries = _read(memory)
    entries.pop(_name(path), None)
    entries = dict(list(entries.items())[1 - _REMEMBERED :]) | {_name(path): entry}
    try:
        write_private(memory, msgspec.json.format(msgspec.json.encode(entries)))
    except OSError:
        # Then it is found out again another time.
        return


def _read(memory: Path) -> dict[str, _Hashed]:
    try:
        return msgspec.json.decode(memory.read_bytes(), type=dict[str, _Hashed])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return {}


def _name(path: bytes) -> str:
    return os.path.realpath(path).decode("utf-8", "backslashreplace")
