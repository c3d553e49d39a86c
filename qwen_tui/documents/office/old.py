"""Tells what to do with the files of Office that are no ZIP: those before 2007, and those with a password."""

from qwen_tui.documents.document import Document, Options
from qwen_tui.errors import InputError
from qwen_tui.i18n import gettext as _

# Every name in the directory of such a file begins at a multiple of so many bytes.
_ENTRY = 128
_PROGRAMS = {"WordDocument": ("Word", ".docx"), "PowerPoint Document": ("PowerPoint", ".pptx")}
_PROGRAMS |= {"Workbook": ("Excel", ".xlsx"), "Book": ("Excel", ".xlsx")}


def is_old(head: bytes) -> bool:
    """Whether a file that begins so is a compound file, as Office wrote them before 2007."""
    return head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")


def read(data: bytes, name: str, _options: Options) -> Document:
    """Raise `InputError`, with the way to a file that can be read."""
    if _place(data, "EncryptedPackage") >= 0:
        raise InputError(
            _("{name} is protected by a password.").format(name=name),
            _("Open it in the program that made it, and save it without the password."),
        )
    # A document may hold others, whose names come later.
    found = sorted((place, names) for stream, names in _PROGRAMS.items() if (place := _place(data, stream)) >= 0)
    if not found:
        raise InputError(
            _("{name} is a file of an old format that is not known here.").format(name=name),
            _("Open it in the program that made it, and save it as PDF or as text."),
        )
    program, ending = found[0][1]
    raise InputError(
        _("{name} is a file of {program} before 2007.").format(name=name, program=program),
        _("Open it in {program} or LibreOffice, and save it as {ending}.").format(program=program, ending=ending),
    )


def _place(data: bytes, stream: str) -> int:
    """Return where the directory names a stream, -1 if it does not."""
    entry = stream.encode("utf-16-le") + b"\0\0"
    place = data.find(entry)
    while place >= 0 and place % _ENTRY:
        place = data.find(entry, place + 1)
    return place
