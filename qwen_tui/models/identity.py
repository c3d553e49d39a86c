"""Which model a file is: its SHA-256, remembered for as long as the file stays as it was."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from qwen_tui.errors import InvalidModelError
from qwen_tui.files import write_private
from qwen_tui.models.hashing import reading

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
    _note(path, _Hashed(seen, sha256), memory)
    return sha256


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
