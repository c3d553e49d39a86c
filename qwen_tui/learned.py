"""Small files of what the program learned: each saves time or bytes, and the program works without any of them."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from qwen_tui.files import write_private

T = TypeVar("T")


def read(path: Path, kind: type[T], nothing: T) -> T:
    """Return what the file at `path` holds, `nothing` where it cannot be read or is not of this `kind`.

    A `kind` whose meaning may change has a field `version: Literal[N]`, so that files of other versions are not of it.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return nothing


def write(path: Path, content: object, *, indented: bool = False) -> None:
    """Write `content` as `save` does. Where it cannot be written, the program learns it again another time."""
    with contextlib.suppress(OSError):
        save(path, content, indented=indented)


def save(path: Path, content: object, *, indented: bool = False) -> None:
    """Write `content` as JSON, whole or not at all, readable for its owner alone; raises `OSError`.

    `indented` is for people who look into the file.
    """
    encoded = msgspec.json.encode(content)
    write_private(path, msgspec.json.format(encoded) + b"\n" if indented else encoded)


def latest(entries: Mapping[str, T], key: str, value: T, most: int) -> dict[str, T]:
    """Return `entries` with `value` as the last one, and without the first ones beyond `most`."""
    others = [(name, entry) for name, entry in entries.items() if name != key]
    return dict(others[max(0, len(others) - most + 1) :]) | {key: value}
