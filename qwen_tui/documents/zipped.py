"""Tells by its content which document a ZIP is, and hands it to the reader of that format."""

from collections.abc import Callable

from qwen_tui.documents import epub
from qwen_tui.documents.archive import Archive
from qwen_tui.documents.document import Document, Options
from qwen_tui.documents.office import slides, word, workbook
from qwen_tui.documents.open_document import package as open_document
from qwen_tui.errors import InputError
from qwen_tui.i18n import gettext as _

_READERS: dict[str, Callable[[Archive, Options], Document]] = {
    **dict.fromkeys(word.TYPES, word.read),
    **dict.fromkeys(slides.TYPES, slides.read),
    epub.TYPE: epub.read,
    **dict.fromkeys(workbook.TYPES, workbook.read),
    **dict.fromkeys(open_document.TYPES, open_document.read),
}
# OpenDocument and EPUB say what they are in this member, Office in that one.
_MIME_TYPE, _CONTENT_TYPES = "mimetype", "[Content_Types].xml"
_LONGEST_MIME_TYPE = 200
# In Pages, Numbers and Keynote.
_APPLE = ".iwa"


def read(data: bytes, name: str, options: Options) -> Document:
    """Return the text of a document that is a ZIP; raises `InputError`."""
    archive = Archive(data, name)
    kinds = _kinds(archive)
    reader = next((_READERS[kind] for kind in kinds if kind in _READERS), None)
    if reader is None and (kinds or any(member.endswith(_APPLE) for member in archive.names)):
        raise InputError(
            _("{name} is a document of a kind that is not read.").format(name=name),
            _("Open it in the program that made it, and save it as PDF or as text."),
        )
    if reader is None:
        raise InputError(
            _("{name} is an archive, not a document.").format(name=name),
            _("Unpack it, and name the files that are in it."),
        )
    return reader(archive, options)


def _kinds(archive: Archive) -> list[str]:
    """Return the media types that the archive gives itself."""
    if _MIME_TYPE in archive and archive.size(_MIME_TYPE) <= _LONGEST_MIME_TYPE:
        return [archive.read(_MIME_TYPE).decode("ascii", "replace").strip()]
    if _CONTENT_TYPES in archive:
        types = archive.xml(_CONTENT_TYPES)
        return [element.get("ContentType", "") for element in types if element.tag.endswith("}Override")]
    # Whoever packs an EPUB anew easily forgets what it is to begin with.
    return [epub.TYPE] if epub.CONTAINER in archive else []
