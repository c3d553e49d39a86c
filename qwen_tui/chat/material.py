"""Bytes from outside to text: size, encoding, and what is no text at all."""

import codecs
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

from qwen_tui import cancellation
from qwen_tui.errors import InputError, why
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Material, MaterialKind

# The most that is read of one input: tokenising more takes longer than anyone would wait, and no context holds it.
MOST_BYTES = 8 * 2**20
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Up to this share of a text may be broken before it is taken for one in another encoding.
_BROKEN_SHARE = 0.01


class Decoded(NamedTuple):
    """A text from outside, and a note for the person where it was not plain UTF-8."""

    text: str
    note: str = ""


def from_file(path: Path, note: Callable[[str], None], name: str = "") -> Material:
    """Return the text of a file, called `name` or as its path; raises `InputError`, and notes a guessed encoding."""
    if path.is_dir():
        raise InputError(
            _("{path} is a folder, not a file.").format(path=path), _("Name the files in it, one after the other.")
        )
    try:
        # A named pipe that nobody writes to cannot even be opened.
        with cancellation.current().interruptible(), path.open("rb") as stream:
            data = read(stream, name or str(path))
    except OSError as error:
        raise InputError(
            _("{path} cannot be read: {reason}").format(path=path, reason=why(error)),
            _("Check the path; relative ones start in this folder."),
        ) from error
    return from_bytes(data, name or str(path), note)


def from_stream(stream: BinaryIO, name: str, note: Callable[[str], None], kind: MaterialKind) -> Material:
    """Return the text of a stream; raises `InputError` and `OSError`, and notes a guessed encoding."""
    return from_bytes(read(stream, name), name, note, kind)


def from_bytes(data: bytes, name: str, note: Callable[[str], None], kind: MaterialKind = "file") -> Material:
    """Return `data` as a text of that name; raises `InputError`, and notes a guessed encoding."""
    # To guess an encoding takes seconds.
    with cancellation.current().interruptible():
        text, remark = decode(data, name)
    if remark:
        note(remark)
    return Material(name, text, kind)


def read(stream: BinaryIO, name: str) -> bytes:
    """Read all of `stream`; raises `InputError` as soon as it proves larger than `MOST_BYTES`."""
    data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise InputError(
            _("{name} is larger than {limit} MB, the most that is read.").format(name=name, limit=MOST_BYTES >> 20),
            _("Give a part of it, for example with: head -c 30000"),
        )
    return data


def decode(data: bytes, name: str) -> Decoded:
    """Return `data` as text, line ends as newlines; raises `InputError` for what is no text."""
    text, note = _decode(data, name)
    return Decoded(text.replace("\r\n", "\n").replace("\r", "\n"), note)


def _decode(data: bytes, name: str) -> tuple[str, str]:
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            try:
                return data.decode(encoding), ""
            except UnicodeDecodeError:
                break
    if data.startswith(b"%PDF-") or (data.startswith(b"PK\3\4") and name.lower().endswith(".docx")):
        raise InputError(
            _("{name} is a document, not text.").format(name=name),
            _("PDF and Word files cannot be read yet: convert this one to text first."),
        )
    if b"\0" in data:
        raise _binary(name)
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError:
        pass
    mended = data.decode("utf-8", "replace")
    broken = mended.count("\ufffd")
    if broken <= max(1, len(mended) * _BROKEN_SHARE) and not _is_chinese(data):
        return mended, _("{name} is UTF-8 with {n} broken characters, shown as \ufffd.").format(name=name, n=broken)
    if _is_chinese(data):
        return data.decode("gb18030"), _("{name} was read as {encoding}.").format(name=name, encoding="GB18030")
    return _detect(data, name)


def _is_chinese(data: bytes) -> bool:
    """Whether `data` makes sense as GB18030: valid, and nearly all that is not ASCII are common Chinese characters."""
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        return False
    foreign = [char for char in text if ord(char) > 127]
    common = sum("\u4e00" <= char <= "\u9fff" or "\u3000" <= char <= "\u303f" or char >= "\uff00" for char in foreign)
    return common > 0.9 * len(foreign)


def _detect(data: bytes, name: str) -> tuple[str, str]:
    from charset_normalizer import from_bytes

    best = from_bytes(data).best()
    if best is None:
        raise _binary(name)
    return str(best), _("{name} was read as {encoding}.").format(name=name, encoding=best.encoding)


def _binary(name: str) -> InputError:
    return InputError(
        _("{name} is not text.").format(name=name),
        _("Give a text file; convert other formats to text first."),
    )
