"""Opens OpenDocument: tells what kind of document it is, and gives its XML to the reader of that kind bit by bit."""

import re
from collections.abc import Iterable
from typing import Protocol
from xml.parsers import expat

from qwen_tui import cancellation
from qwen_tui.documents.archive import Archive
from qwen_tui.documents.document import Document, Options, Section, Unit
from qwen_tui.documents.office.found import Found
from qwen_tui.documents.open_document.sheets import Sheets
from qwen_tui.documents.open_document.texts import Texts
from qwen_tui.documents.other_kinds import without_text
from qwen_tui.errors import InputError
from qwen_tui.i18n import gettext as _

_TYPE = "application/vnd.oasis.opendocument."
_UNITS: dict[str, Unit] = {"text": "", "spreadsheet": "sheet", "presentation": "slide", "graphics": "page"}
# Templates and their like hold the same as what is made from them.
TYPES = tuple(
    f"{_TYPE}{kind}{suffix}" for kind in _UNITS for suffix in ("", "-template", "-master", "-master-template", "-web")
)
_FLAT = re.compile(rb"^\s*(?:\xef\xbb\xbf)?(?:<\?xml[^>]*>\s*)?<office:document\s")
_KIND = re.compile(rb"office:mimetype=[\"']" + re.escape(_TYPE).encode() + rb"(text|spreadsheet|presentation|graphics)")
_CONTENT, _STYLES, _MANIFEST = "content.xml", "styles.xml", "META-INF/manifest.xml"
_ENCRYPTED = re.compile(rb"[<:]encryption-data[\s>]")
_STEP = 2**16
_NAMESPACE = re.compile(r"urn:oasis:names:tc:opendocument:xmlns:([\w-]+):\d")
# The prefix that everybody uses, where the name of the namespace is another.
_PREFIXES = {"drawing": "draw", "svg-compatible": "svg"}


class _Reader(Protocol):
    """Gets the elements of a document, with names such as `text:p`."""

    def start(self, name: str, attributes: dict[str, str]) -> None: ...

    def end(self, name: str) -> None: ...

    def data(self, text: str) -> None: ...

    def sections(self) -> list[Section]: ...


def read(archive: Archive, _options: Options) -> Document:
    """Return the text of an OpenDocument file; raises `InputError`."""
    if _MANIFEST in archive and _ENCRYPTED.search(archive.read(_MANIFEST)):
        raise InputError(
            _("{name} is protected by a password.").format(name=archive.name),
            _("Open it in the program that made it, and save it without the password."),
        )
    kind = archive.read("mimetype").decode("ascii", "replace").removeprefix(_TYPE).partition("-")[0].strip()
    # The styles come first: they say which lists are numbered, and what stands at the head of pages.
    members = [member for member in (_STYLES, _CONTENT) if member in archive or member == _CONTENT]
    pieces = (archive.chunks(member) for member in members)
    return _document(kind if kind in _UNITS else "text", archive.name, pieces, archive.damaged())


def is_flat(head: bytes) -> bool:
    """Whether a file that begins so is OpenDocument in a single file of XML."""
    return _FLAT.match(head) is not None


def read_flat(data: bytes, name: str, _options: Options) -> Document:
    """Return the text of such a file; raises `InputError`."""
    # Some 30 namespaces may stand before it.
    kind = _KIND.search(data, 0, _STEP)
    damaged = InputError(
        _("{name} is damaged and cannot be read as OpenDocument.").format(name=name),
        _("Fetch or export it once more, or open it in the program that made it, and save it again."),
    )
    pieces = (data[begin : begin + _STEP] for begin in range(0, len(data), _STEP))
    return _document(kind[1].decode() if kind else "text", name, (pieces,), damaged)


def _document(kind: str, name: str, members: Iterable[Iterable[bytes]], damaged: InputError) -> Document:
    found = Found()
    reader: _Reader = Sheets(name, found) if kind == "spreadsheet" else Texts(name, found, is_text=kind == "text")
    for member in members:
        _parse(member, reader, damaged)
    sections = reader.sections()
    if not sections:
        raise without_text(name)
    return Document(name, tuple(sections), _UNITS[kind], tuple(found.notes(name)))


def _parse(pieces: Iterable[bytes], reader: _Reader, damaged: InputError) -> None:
    """Give the elements of a member to the reader. Names that it defines itself are refused: they can grow."""
    names: dict[str, str] = {}

    def short(name: str) -> str:
        if name not in names:
            names[name] = _short(name)
        return names[name]

    def start(name: str, attributes: dict[str, str]) -> None:
        reader.start(short(name), {short(key): value for key, value in attributes.items()})

    def define(*_entity: object) -> None:
        raise _DefinedError

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.EntityDeclHandler = define
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda name: reader.end(short(name))
    parser.CharacterDataHandler = reader.data
    try:
        for piece in pieces:
            cancellation.check()
            parser.Parse(piece, False)
        parser.Parse(b"", True)
    except (expat.ExpatError, _DefinedError) as error:
        raise damaged from error


class _DefinedError(Exception):
    """Ends the parser at a name that the document defines."""


def _short(name: str) -> str:
    """Return `text:p` for the paragraph of a text, and so on."""
    space, _blank, local = name.rpartition(" ")
    found = _NAMESPACE.match(space)
    return f"{_PREFIXES.get(found[1], found[1]) if found else space}:{local}"
