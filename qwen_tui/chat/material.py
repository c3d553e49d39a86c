"""Bytes from outside to text: size, encoding, and what is no text at all."""

import codecs
from typing import BinaryIO, NamedTuple

from qwen_tui.errors import InputError
from qwen_tui.i18n import gettext as _

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


class Material(NamedTuple):
    """A text from outside, and a note for the person where it was not plain UTF-8."""

    text: str
    note: str = ""


def read(stream: BinaryIO, name: str) -> bytes:
    """Read all of `stream`; raises `InputError` as soon as it proves larger than `MOST_BYTES`."""
    # A pipe that does not block gives nothing where there is nothing yet.
    data = stream.read(MOST_BYTES + 1) or b""
    if len(data) > MOST_BYTES:
        raise InputError(
            _("{name} is larger than {limit} MB, the most that is read.").format(name=name, limit=MOST_BYTES >> 20),
            _("Give a part of it, for example with: head -c 30000"),
        )
    return data


def decode(data: bytes, name: str) -> Material:
    """Return `data` as text, line ends as newlines; raises `InputError` for what is no text."""
    text, note = _decode(data, name)
    return Material(text.replace("\r\n", "\n").replace("\r", "\n"), note)


def _decode(data: bytes, name: str) -> tuple[str, str]:
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            try:
                return data.decode(encoding), ""
            except UnicodeDecodeError:
                break
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
