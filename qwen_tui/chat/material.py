"""Reads material: the files and streams that a question is about."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from qwen_tui import cancellation, files, typed_paths
from qwen_tui.documents import whole_file
from qwen_tui.documents.document import Options, Password, as_text
from qwen_tui.documents.encodings import Encoding
from qwen_tui.documents.reading import parsed, read_bytes
from qwen_tui.errors import InputError, UsageError, how_to_read, why
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import FileRead, Loss, Material, MaterialKind

# A sentence names at most so many materials.
MOST_NAMED = 8
# A password has this many bytes at most.
_LONGEST_PASSWORD = 1024


class Reading(NamedTuple):
    """How bytes become text.

    - `report` is told what the person should know about it, such as an encoding that had to be guessed.
    - `encoding`, `say_otherwise`, `password` and `say_password` are as in `documents.document.Options`.
    - `show` is told how far a document is read.
    """

    report: Callable[[str], None]
    encoding: Encoding | None = None
    say_otherwise: str = "--encoding {name}"
    password: Password | None = None
    say_password: str = "--password-file FILE"  # noqa: S105 - it is none
    show: Callable[[FileRead], None] = lambda _event: None


def from_file(path: Path, reading: Reading, name: str) -> Material:
    """Return the text of a file that the person calls `name`; raises `InputError`."""
    try:
        # A pipe gives nothing until another process writes to it.
        with cancellation.current().interruptible():
            data = whole_file.read(path, name, reading.report)
    except OSError as error:
        raise unreadable(error, name) from error
    return from_bytes(data, name, reading)


def unreadable(error: OSError, name: str) -> InputError:
    """Return what to say of a file or folder that the system refuses to read."""
    return InputError(_("{path} cannot be read: {reason}").format(path=name, reason=why(error)), how_to_read(error))


def from_stream(stream: BinaryIO, name: str, reading: Reading, kind: MaterialKind) -> Material:
    """Return the text of a stream; raises `InputError` and `OSError`."""
    return from_bytes(read_bytes(stream, name), name, reading, kind)


def from_bytes(data: bytes, name: str, reading: Reading, kind: MaterialKind = "file") -> Material:
    """Return what the bytes of a file say as a text of that name; raises `InputError`."""
    options = Options(
        reading.encoding,
        reading.say_otherwise,
        reading.password,
        reading.say_password,
        lambda done, total, _unit: reading.show(FileRead(name, done, total)),
    )
    try:
        document = parsed(data, name, options)
    finally:
        reading.show(FileRead(name, 0, 0))
    for note in document.notes:
        reading.report(note)
    return Material(name, as_text(document), kind)


def report_blank(materials: Iterable[Material], report: Callable[[str], None]) -> None:
    """Name the materials without a text to `report`: the model gets nothing of them."""
    for one in materials:
        if not one.text.strip():
            report(Loss(_("There is nothing in {name}: the model answers without it.").format(name=one.name)))


def some_names(materials: Sequence[Material]) -> list[str]:
    """Return the names of the materials, or the first of them and how many there are more."""
    names = list(dict.fromkeys(one.name for one in materials))
    more = len(names) - MOST_NAMED
    return [*names[:MOST_NAMED], _("{n} more").format(n=f"{more:,}")] if more > 0 else names


def password_in(path: str) -> Password:
    """Return the password that is the first line of a file; raises `UsageError`."""
    try:
        with cancellation.current().interruptible(), files.expand(typed_paths.meant(path)).open("rb") as file:
            line = file.readline(_LONGEST_PASSWORD).rstrip(b"\r\n")
    except OSError as error:
        raise UsageError(
            _("{path} cannot be read: {reason}").format(path=path, reason=why(error)), how_to_read(error)
        ) from error
    password = line.decode("utf-8-sig", "replace")
    return lambda _name, wrong: None if wrong else password
