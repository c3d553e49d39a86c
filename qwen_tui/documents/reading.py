"""Reads a file of any format that the program knows. Its content tells the format, and not its name."""

from collections.abc import Callable
from typing import BinaryIO, NamedTuple

from qwen_tui import cancellation
from qwen_tui.documents import archive, pdf, zipped
from qwen_tui.documents.document import Document, Options, Section
from qwen_tui.documents.text import decode
from qwen_tui.errors import InputError
from qwen_tui.i18n import gettext as _

# A text may have this many bytes at most: tokenising more would take too long, and no context holds as much.
MOST_BYTES = 8 * 2**20
# A document may have this many: pictures make it large, and its text is limited besides.
MOST_DOCUMENT_BYTES = 200 * 2**20
# The signature of a format stands within this many bytes.
_HEAD = 1024


class _Format(NamedTuple):
    """A format: whether the first bytes of a file are of it, and what reads such a file."""

    recognises: Callable[[bytes], bool]
    read: Callable[[bytes, str, Options], Document]


_FORMATS = (_Format(pdf.is_pdf, pdf.read), _Format(archive.is_zip, zipped.read))


def read(stream: BinaryIO, name: str, options: Options) -> Document:
    """Read `stream` to its end; raises `InputError`, and `OSError` if the system refuses to read."""
    return parsed(read_bytes(stream, name), name, options)


def read_bytes(stream: BinaryIO, name: str) -> bytes:
    """Return all bytes of `stream`; raises `InputError` if there are more than may be read of such a file."""
    data = stream.read(_HEAD)
    most = MOST_BYTES if _format(data) is None else MOST_DOCUMENT_BYTES
    data += stream.read(most + 1 - len(data))
    if len(data) > most:
        raise InputError(
            _("{name} is larger than {limit} MB, the most that is read.").format(name=name, limit=most >> 20),
            _("Give a part of it, for example with: head -c 30000")
            if most == MOST_BYTES
            else _("Save a part of it as a file of its own."),
        )
    return data


def parsed(data: bytes, name: str, options: Options) -> Document:
    """Return what the bytes of a file say; raises `InputError`."""
    found = _format(data)
    if found is None:
        with cancellation.current().interruptible():
            text, notes = decode(data, name, options.encoding, options.say_otherwise)
        return Document(name, (Section(text),), notes=notes)
    document = found.read(data, name, options)
    if sum(len(section.text.encode("utf-8", "replace")) for section in document.sections) > MOST_BYTES:
        raise InputError(
            _("{name} holds more than {limit} MB of text, the most that is read.").format(
                name=name, limit=MOST_BYTES >> 20
            ),
            _("Save a part of it as a file of its own."),
        )
    return document


def _format(data: bytes) -> _Format | None:
    head = data[:_HEAD]
    return next((known for known in _FORMATS if known.recognises(head)), None)
