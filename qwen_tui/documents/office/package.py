"""Prepares a document of Office for the library that reads it: within bounds, without what libraries stumble over."""

import contextlib
import io
import posixpath
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from html import escape

from qwen_tui.documents.archive import Archive
from qwen_tui.documents.office.markup import Element
from qwen_tui.errors import InputError
from qwen_tui.i18n import gettext as _

# So many bytes of XML are given to a library that holds all of it; in memory it takes about six times as much.
MOST_XML = 96 * 2**20
_CONTENT_TYPES = "[Content_Types].xml"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
# Office also writes a dialect, “Strict”, which differs only in the names of its namespaces.
_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/")
_BEGINNING = 2**16
# Libraries do not look for what is missing: what they raise depends on where they miss it.
_UNEXPECTED = (
    *(LookupError, ValueError, TypeError, AttributeError, AssertionError, ArithmeticError),
    *(RecursionError, SyntaxError, zipfile.BadZipFile),
)

# Returns what is to stand in the copy in place of the pieces of a member.
Filter = Callable[[str, Iterator[bytes]], Iterator[bytes]]


def prepared(archive: Archive, types: Sequence[str], thin: Filter | None = None) -> io.BytesIO:
    """Return a copy of the archive for a library; raises `InputError`.

    Pictures and other members that are no XML are empty in it. Its main part has the first of the `types`, and not that
    of a template or of a document with macros. With `thin`, a member may be larger than what memory should hold.
    """
    copy = io.BytesIO()
    written = 0
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        for name in archive.names:
            with out.open(name, "w", force_zip64=True) as member:
                if not name.endswith((".xml", ".rels")):
                    continue
                for piece in _pieces(archive, name, types, thin):
                    written += len(piece)
                    if written > MOST_XML:
                        raise too_large(archive.name)
                    member.write(piece)
    copy.seek(0)
    return copy


def too_large(name: str) -> InputError:
    """Return what to say of a document that takes too much memory."""
    return InputError(
        _("{name} unpacks to more than can be read.").format(name=name),
        _("Save a part of it as a file of its own."),
    )


@contextlib.contextmanager
def reading(archive: Archive, own: type[Exception]) -> Iterator[None]:
    """Translate what a library raises for a file that does not hold what it expects; `own` are errors of its own."""
    from lxml.etree import LxmlError

    try:
        yield
    except (LxmlError, own, *_UNEXPECTED) as error:
        raise archive.damaged() from error


def root_of(part: object) -> Element:
    """Return the root element of a part, also of one that the library does not know."""
    from lxml import etree

    element = getattr(part, "_element", None)
    return etree.fromstring(part.blob) if element is None else element  # type: ignore[attr-defined]


def _pieces(archive: Archive, name: str, types: Sequence[str], thin: Filter | None) -> Iterator[bytes]:
    if name.endswith(".rels"):
        yield _without_missing(archive, name)
    elif name == _CONTENT_TYPES:
        written = archive.read(name)
        archive.check_xml(written)
        for other in types[1:]:
            written = written.replace(f'"{other}"'.encode(), f'"{types[0]}"'.encode())
        yield written
    elif thin is None:
        yield from _checked(archive, iter([archive.read(name)]))
    else:
        yield from thin(name, _checked(archive, archive.chunks(name)))


def _checked(archive: Archive, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Give the pieces on, after a look at the first, which holds the document type and the namespaces."""
    first = next(pieces, b"")
    archive.check_xml(first[:_BEGINNING])
    yield _transitional(first)
    yield from pieces


def _without_missing(archive: Archive, name: str) -> bytes:
    """Return the relations of a part without those to parts that are missing, as some programs leave behind."""
    folder = posixpath.dirname(posixpath.dirname(name))
    kept = [
        "<Relationship " + " ".join(f'{key}="{escape(text)}"' for key, text in relation.items()) + "/>"
        for relation in archive.xml(name)
        if relation.get("TargetMode") == "External"
        or posixpath.join("/", folder, relation.get("Target", "")) in archive
    ]
    return _transitional(f'<Relationships xmlns="{_RELATIONS}">{"".join(kept)}</Relationships>'.encode())


def _transitional(xml: bytes) -> bytes:
    """Return XML with the namespaces that the libraries know."""
    return _STRICT.sub(rb"http://schemas.openxmlformats.org/\1/2006/", xml)
