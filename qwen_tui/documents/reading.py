"""Reads a file of any format that the program knows. Its content tells the format, and not its name."""

from collections.abc import Callable
from functools import cache
from typing import BinaryIO, NamedTuple

from qwen_tui import cancellation
from qwen_tui.documents import other_kinds
from qwen_tui.documents.document import MOST_TEXT, Document, Options, Section, too_much_text
from qwen_tui.documents.text import decode
from qwen_tui.errors import InputError
from qwen_tui.i18n import gettext as _

# A document may have this many: pictures make it large, and its text is limited besides.
MOST_DOCUMENT_BYTES = 200 * 2**20
# The signature of a format stands within this many bytes.
HEAD = 4096


class _Format(NamedTuple):
    """A format of files.

    - `recognises` tells from the first bytes whether a file is of it. Where a text may look the same, the name decides.
    - `read` reads such a file. It returns None for one that is a text after all.
    - A file may have `most_bytes`.
    """

    recognises: Callable[[bytes, str], bool]
    read: Callable[[bytes, str, Options], Document | None]
    most_bytes: int = MOST_DOCUMENT_BYTES


@cache
def _formats() -> tuple[_Format, ...]:
    """Return the formats, in the order in which they are tried."""
    # Imported only here, because the import takes time, and most questions have no documents.
    from qwen_tui.documents import archive, pdf, rich_text, separated, web_archive, web_page, zipped
    from qwen_tui.documents.office import old
    from qwen_tui.documents.open_document import package as open_document

    return (
        _Format(lambda head, _name: pdf.is_pdf(head), pdf.read),
        _Format(lambda head, _name: archive.is_zip(head), zipped.read),
        _Format(lambda head, _name: old.is_old(head), old.read),
        _Format(lambda head, _name: rich_text.is_rich_text(head), rich_text.read),
        _Format(web_page.is_web_page, web_page.read, web_page.MOST_BYTES),
        _Format(web_archive.is_archive, web_archive.read, web_archive.MOST_BYTES),
        _Format(lambda head, _name: open_document.is_flat(head), open_document.read_flat),
        _Format(separated.is_separated, separated.read, MOST_TEXT),
    )


def read(stream: BinaryIO, name: str, options: Options) -> Document:
    """Read `stream` to its end; raises `InputError`, and `OSError` if the system refuses to read."""
    return parsed(read_bytes(stream, name), name, options)


def read_bytes(stream: BinaryIO, name: str, size: int = 0) -> bytes:
    """Return all bytes of `stream`; raises `InputError` if there are more than may be read of such a file.

    If the system tells the `size`, in bytes, a file that is too large is refused before it is read.
    """
    data = stream.read(HEAD)
    most = most_bytes(data, name)
    if size <= most:
        data += stream.read(most + 1 - len(data))
    if max(size, len(data)) > most:
        raise InputError(
            _("{name} is larger than {limit} MB, the most that is read.").format(name=name, limit=most >> 20),
            _("Give a part of it, for example with: head -c 30000")
            if most == MOST_TEXT
            else _("Save a part of it as a file of its own."),
        )
    return data


def most_bytes(head: bytes, name: str) -> int:
    """Return how many bytes a file may have that begins with `head`: `MOST_TEXT`, or more if it is a document."""
    found = _format(head, name)
    return MOST_TEXT if found is None else found.most_bytes


def parsed(data: bytes, name: str, options: Options) -> Document:
    """Return what the bytes of a file say; raises `InputError`."""
    found = _format(data, name)
    document = found.read(data, name, options) if found else None
    if document is None:
        kind = other_kinds.promised(name)
        if kind and not data.strip():
            raise other_kinds.empty(name, kind)
        with cancellation.current().interruptible():
            text, notes = decode(data, name, options.encoding, options.say_otherwise)
        if kind:
            notes = (*notes, _("{name} is not a {kind} file; it was read as text.").format(name=name, kind=kind))
        return Document(name, (Section(text),), notes=notes)
    if sum(len(section.text.encode("utf-8", "replace")) for section in document.sections) > MOST_TEXT:
        raise too_much_text(name)
    return document


def _format(data: bytes, name: str) -> _Format | None:
    head = data[:HEAD]
    return next((known for known in _formats() if known.recognises(head, name)), None)
