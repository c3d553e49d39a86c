"""Reads material: limits its size, finds its encoding, and rejects what is not text."""

import codecs
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

from qwen_tui import cancellation
from qwen_tui.errors import InputError, why
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Material, MaterialKind

# An input may have this many bytes at most: tokenising more would take too long, and no context holds as much.
MOST_BYTES = 8 * 2**20
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# If a larger share of the characters is broken, the text is taken for one in another encoding than UTF-8.
_BROKEN_SHARE = 0.01


class Decoded(NamedTuple):
    """The text, and a sentence for the person if it was not plain UTF-8."""

    text: str
    remark: str = ""


def from_file(path: Path, report: Callable[[str], None], name: str = "") -> Material:
    """Return the text of a file, named `name` or by its path; raises `InputError`, and reports a guessed encoding."""
    if path.is_dir():
        raise InputError(
            _("{path} is a folder, not a file.").format(path=path), _("Name the files in it, one after the other.")
        )
    try:
        # To open a named pipe blocks until another process writes to it.
        with cancellation.current().interruptible(), path.open("rb") as stream:
            data = read(stream, name or str(path))
    except OSError as error:
        raise InputError(
            _("{path} cannot be read: {reason}").format(path=path, reason=why(error)),
            _("Check the path; relative ones start in this folder."),
        ) from error
    return from_bytes(data, name or str(path), report)


def from_stream(stream: BinaryIO, name: str, report: Callable[[str], None], kind: MaterialKind) -> Material:
    """Return the text of a stream; raises `InputError` and `OSError`, and reports a guessed encoding."""
    return from_bytes(read(stream, name), name, report, kind)


def from_bytes(data: bytes, name: str, report: Callable[[str], None], kind: MaterialKind = "file") -> Material:
    """Return `data` as a text of that name; raises `InputError`, and reports a guessed encoding."""
    # Guessing an encoding may take seconds.
    with cancellation.current().interruptible():
        text, remark = decode(data, name)
    if remark:
        report(remark)
    return Material(name, text, kind)


def read(stream: BinaryIO, name: str) -> bytes:
    """Read all of `stream`; raises `InputError` if it has more than `MOST_BYTES`."""
    data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise InputError(
            _("{name} is larger than {limit} MB, the most that is read.").format(name=name, limit=MOST_BYTES >> 20),
            _("Give a part of it, for example with: head -c 30000"),
        )
    return data


def decode(data: bytes, name: str) -> Decoded:
    """Return `data` as text, with line ends as newlines; raises `InputError` if it is not text."""
    text, remark = _decode(data, name)
    return Decoded(text.replace("\r\n", "\n").replace("\r", "\n"), remark)


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
    """Whether `data` is GB18030: it is valid, and nine tenths of what is not ASCII are common Chinese characters."""
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
