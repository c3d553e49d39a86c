"""Reads material: limits its size, and takes its text from the bytes."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

from qwen_tui import cancellation
from qwen_tui.documents.encodings import Encoding
from qwen_tui.documents.text import decode
from qwen_tui.errors import InputError, how_to_read, why
from qwen_tui.files import is_folder
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Material, MaterialKind

# An input may have this many bytes at most: tokenising more would take too long, and no context holds as much.
MOST_BYTES = 8 * 2**20


class Reading(NamedTuple):
    """How bytes become text.

    `report` is told what the person should know about it, such as an encoding that had to be guessed. `encoding` is
    the one that the person has named. `say_otherwise` shows how to name another, with `{name}` in its place.
    """

    report: Callable[[str], None]
    encoding: Encoding | None = None
    say_otherwise: str = "--encoding {name}"


def from_file(path: Path, reading: Reading, name: str = "") -> Material:
    """Return the text of a file, named `name` or by its path; raises `InputError`."""
    try:
        # To open a named pipe blocks until another process writes to it.
        with cancellation.current().interruptible(), path.open("rb") as stream:
            data = read(stream, name or str(path))
    except OSError as error:
        if is_folder(path):
            raise InputError(
                _("{path} is a folder, not a file.").format(path=path), _("Name the files in it, one after the other.")
            ) from error
        raise InputError(
            _("{path} cannot be read: {reason}").format(path=path, reason=why(error)),
            how_to_read(error),
        ) from error
    return from_bytes(data, name or str(path), reading)


def from_stream(stream: BinaryIO, name: str, reading: Reading, kind: MaterialKind) -> Material:
    """Return the text of a stream; raises `InputError` and `OSError`."""
    return from_bytes(read(stream, name), name, reading, kind)


def from_bytes(data: bytes, name: str, reading: Reading, kind: MaterialKind = "file") -> Material:
    """Return `data` as a text of that name; raises `InputError`."""
    with cancellation.current().interruptible():
        decoded = decode(data, name, reading.encoding, reading.say_otherwise)
    for note in decoded.notes:
        reading.report(note)
    return Material(name, decoded.text, kind)


def read(stream: BinaryIO, name: str) -> bytes:
    """Read all of `stream`; raises `InputError` if it has more than `MOST_BYTES`."""
    data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise InputError(
            _("{name} is larger than {limit} MB, the most that is read.").format(name=name, limit=MOST_BYTES >> 20),
            _("Give a part of it, for example with: head -c 30000"),
        )
    return data
