"""Reads material: the files and streams that a question is about."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

from qwen_tui import cancellation
from qwen_tui.documents.document import Options, as_text
from qwen_tui.documents.encodings import Encoding
from qwen_tui.documents.reading import parsed, read_bytes
from qwen_tui.errors import InputError, how_to_read, why
from qwen_tui.files import is_folder
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Material, MaterialKind


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
            data = read_bytes(stream, name or str(path))
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
    return from_bytes(read_bytes(stream, name), name, reading, kind)


def from_bytes(data: bytes, name: str, reading: Reading, kind: MaterialKind = "file") -> Material:
    """Return what the bytes of a file say as a text of that name; raises `InputError`."""
    with cancellation.current().interruptible():
        document = parsed(data, name, Options(reading.encoding, reading.say_otherwise))
    for note in document.notes:
        reading.report(note)
    return Material(name, as_text(document), kind)
