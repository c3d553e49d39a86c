"""Prepares a document of Office for the library that reads it: within bounds, without what libraries stumble over."""

import contextlib
import io
import posixpath
import re
import zipfile
from collections.abc import Iterator, Sequence
from html import escape

from qwen_tui.documents.archive import Archive
from qwen_tui.documents.office.markup import Element

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


def prepared(archive: Archive, types: Sequence[str]) -> io.BytesIO:
    """Return a copy of the archive for a library; raises `InputError`.

    Pictures and other members that are no XML are empty in it. Its main part has the first of the `types`, and not that
    of a template or of a document with macros.
    """
    copy = io.BytesIO()
    written = 0
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        for name in archive.names:
            xml = _mended(archive, name, types) if name.endswith((".xml", ".rels")) else b""
            written += len(xml)
            if written > MOST_XML:
                raise archive.too_large()
            out.writestr(name, xml)
    copy.seek(0)
    return copy


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


def _mended(archive: Archive, name: str, types: Sequence[str]) -> bytes:
    """Return the XML of a member as the libraries take it."""
    if name.endswith(".rels"):
        return _without_missing(archive, name)
    xml = archive.read(name)
    archive.check_xml(xml)
    if name == _CONTENT_TYPES:
        for other in types[1:]:
            xml = xml.replace(f'"{other}"'.encode(), f'"{types[0]}"'.encode())
    # The root element, at the beginning, names the namespaces; in the text, such an address is a text.
    return _transitional(xml[:_BEGINNING]) + xml[_BEGINNING:]


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
