"""Says of a file that is not read what it is instead, and what its name has promised."""

import re

from qwen_tui.errors import InputError
from qwen_tui.i18n import gettext as _

_PICTURES = re.compile(
    rb"\x89PNG|\xff\xd8\xff|GIF8|BM.{4}\0{4}|II\*\0|MM\0\*|RIFF.{4}WEBP|.{4}ftyp(?:hei[cx]|mif1|avif)", re.DOTALL
)
_RECORDINGS = re.compile(rb"ID3|\xff[\xfb\xf3\xf2]|OggS|fLaC|RIFF.{4}(?:WAVE|AVI )|.{4}ftyp|\x1aE\xdf\xa3", re.DOTALL)
_PACKED = re.compile(rb"\x1f\x8b|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd|7z\xbc\xaf|Rar!|.{257}ustar", re.DOTALL)
_MODELS = re.compile(b"GGUF")
# What a file holds by its name, as people call it. The content decides on how it is read.
_PROMISED = {
    "pdf": "PDF",
    **dict.fromkeys(("doc", "docx", "docm", "dotx"), "Word"),
    **dict.fromkeys(("ppt", "pptx", "pptm", "ppsx", "potx"), "PowerPoint"),
    **dict.fromkeys(("xls", "xlsx", "xlsm", "xltx"), "Excel"),
    **dict.fromkeys(("odt", "ods", "odp", "odg"), "OpenDocument"),
    "epub": "EPUB",
    "rtf": "RTF",
}


def promised(name: str) -> str:
    """Return the format of documents that the ending of a name promises; "" for text and what is not known."""
    return _PROMISED.get(name.lower().rpartition(".")[2], "")


def not_text(data: bytes, name: str) -> InputError:
    """Return what to say of a file that is neither text nor a document that is read."""
    if _PICTURES.match(data):
        return InputError(
            _("{name} is not text: it is a picture.").format(name=name),
            _("A program for text recognition makes text of it, for example: tesseract picture.png text"),
        )
    if _PACKED.match(data):
        return InputError(
            _("{name} is not text: it is an archive.").format(name=name),
            _("Unpack it, and name the files that are in it."),
        )
    if _MODELS.match(data):
        return InputError(_("{name} is not text: it is a model.").format(name=name), _("To ask it: -m PATH"))
    if _RECORDINGS.match(data):
        return InputError(
            _("{name} is not text: it is a recording.").format(name=name),
            _("Make a transcript of it with another program, and name that."),
        )
    if kind := promised(name):
        return InputError(
            _("{name} is not text, and does not begin like a {kind} file: perhaps it is damaged.").format(
                name=name, kind=kind
            ),
            _("Fetch or export it once more, or open it in the program that made it, and save it again."),
        )
    return InputError(
        _("{name} is not text.").format(name=name), _("Give a text file; convert other formats to text first.")
    )


def empty(name: str, kind: str) -> InputError:
    """Return what to say of a document of that `kind` by its name, in whose file nothing is."""
    return InputError(
        _("{name} is empty: there is no {kind} document in it.").format(name=name, kind=kind),
        _("Fetch or export it once more."),
    )


def without_text(name: str) -> InputError:
    """Return what to say of a document without any text."""
    return InputError(
        _("{name} has no text.").format(name=name),
        _("If pictures show it: a program for text recognition reads them, once it is saved as PDF."),
    )
