"""Decodes bytes to text, and removes what is not text, such as NULs and the escape sequences of terminals."""

import codecs
import re
from collections.abc import Iterator
from typing import NamedTuple

from qwen_tui.documents import encodings
from qwen_tui.documents.encodings import MOSTLY_UTF8, Encoding
from qwen_tui.documents.other_kinds import not_text
from qwen_tui.errors import InputError, UsageError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed, ngettext
from qwen_tui.messages import Loss

# Byte order marks. UTF-32 comes before UTF-16, because its mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"\x84\x31\x95\x33", "gb18030"),
)
# Seven-bit encodings, in which escape sequences change the meaning of the letters.
_SHIFTED = ((b"\x1b$)C", "iso2022_kr"), (b"\x1b$", "iso2022_jp_2"))
# Control characters that text does not contain. It may contain tab, line ends, page break, backspace, escape, bell, and
# Ctrl-Z, with which DOS ended files; NULs are handled separately.
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\v\f\r\b\x1b\x1a\x07\0")
# If a larger share of the bytes are such characters, the bytes are not text.
_CONTROLS_AT_MOST = 0.01
# NULs are removed if they occur at no more than so many places, or at one place in so many bytes, and if they are no
# more than this share of all bytes.
_FEW_NULS, _SPARSE_NULS, _NULS_AT_MOST = 3, 200, 1 / 3
_SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x7fELF", b"\x1f\x8b", b"7z\xbc\xaf", b"MZ\x90")
_ESCAPE = re.compile(
    "\x1b"
    r"(?:\[[0-?]*[ -/]*[@-~]"  # CSI: colours, the cursor
    "|[]PX^_][^\x07\x1b]*(?:\x07|\x1b\\\\)"  # OSC, DCS and their like: titles, links
    r"|[ -/]+[0-~]|[0-~])?"
    "|\x9b[0-?]*[ -/]*[@-~]"
)


class Decoded(NamedTuple):
    """A text from outside, and sentences for the person about how it was read."""

    text: str
    notes: tuple[str, ...] = ()


def encoding_called(name: str) -> Encoding:
    """Return the encoding that a person calls `name`; raises `UsageError`."""
    found = encodings.named(name)
    if found is None:
        known = listed(["utf-8", "gb18030", "big5", "shift-jis", "euc-kr", "windows-1252", "windows-1251", "utf-16"])
        raise UsageError(
            _("There is no encoding “{name}” for text.").format(name=name),
            _("There are, for example: {names}.").format(names=known),
        )
    return found


def decode(data: bytes, name: str, encoding: Encoding | None = None, say_otherwise: str = "") -> Decoded:
    """Return `data` as text with newlines as line ends, in the named `encoding`, or else in the most likely one.

    The notes call the data `name`. `say_otherwise` tells the person how to choose another encoding, with `{name}` in
    its place. Raises `InputError` if the data are not text.
    """
    if data.startswith(_SIGNATURES):
        raise not_text(data, name)
    notes: list[str] = []
    if encoding is not None:
        text = encodings.decoded(data, encoding)
        notes += _unfit(text, name, encoding.name)
        if dropped := text.count("\0"):
            notes.append(_left_out(dropped, name))
        text = text.removeprefix("\ufeff").replace("\0", "")
    else:
        text = _decoded(data, name, say_otherwise, notes)
    plain = _without_escapes(text)
    if plain != text:
        notes.append(_("Terminal colours and other escape sequences were taken out of {name}.").format(name=name))
    return Decoded(re.sub("\r+\n|\r", "\n", plain.removesuffix("\x1a")), tuple(notes))


def _decoded(data: bytes, name: str, say_otherwise: str, notes: list[str]) -> str:
    for mark, codec in _MARKS:
        if data.startswith(mark):
            text = data.removeprefix(mark).decode(codec, "replace")
            notes += _broken(text, name, codec.upper())
            return text
    for sign, codec in _SHIFTED:
        if sign in data and (shifted := _strictly(data, codec)) is not None:
            notes.append(_read_as(name, codec.upper().replace("ISO2022_", "ISO-2022-").replace("_2", "")))
            return shifted
    if found := _wide(data):
        text = encodings.decoded(data, found)
        notes.append(_read_as(name, found.name))
        return text
    data, dropped = _without_binary(data, name)
    if dropped:
        notes.append(_left_out(dropped, name))
    plain = _strictly(data, "utf-8")
    if plain is None or encodings.may_be_chance(plain):
        return _guessed(data, name, say_otherwise, notes)
    return plain


def _guessed(data: bytes, name: str, say_otherwise: str, notes: list[str]) -> str:
    encoding, other = encodings.guess(data)
    text = encodings.decoded(data, encoding)
    if encoding is MOSTLY_UTF8:
        # Of those, some have no character in the other encoding either.
        strays = encodings.mostly_utf8(data).strays - text.count("\ufffd")
        if strays > 0:
            sentence = ngettext(
                "{name} is UTF-8, but {n} byte of it is not; it was read as {encoding}.",
                "{name} is UTF-8, but {n} bytes of it are not; they were read as {encoding}.",
                strays,
            )
            notes.append(sentence.format(name=name, n=strays, encoding=encodings.ENCODINGS[0].name))
    elif other is None or not say_otherwise:
        notes.append(_read_as(name, encoding.name))
    else:
        notes.append(
            _("{name} was read as {encoding}; it may be {other}: {how}").format(
                name=name, encoding=encoding.name, other=other.name, how=say_otherwise.format(name=other.name.lower())
            )
        )
    notes += _broken(text, name, encoding.name)
    return text


def _strictly(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return None


def may_be_text(head: bytes) -> bool:
    """Whether a file that begins with `head` may be text, in whatever encoding; that takes less time than decoding."""
    if head.startswith(_SIGNATURES):
        return False
    if head.startswith(tuple(mark for mark, _codec in _MARKS)) or _wide(head):
        return True
    try:
        _without_binary(head, "")
    except InputError:
        return False
    return True


def _wide(data: bytes) -> Encoding | None:
    """Return the encoding of `data` if that is one of two bytes a character, such as UTF-16 without a mark."""
    has_controls = any(code < 32 and code not in b"\t\n\v\f\r\b\x1b" for code in set(data))
    return encodings.wide(data) if has_controls else None


def _without_binary(data: bytes, name: str) -> tuple[bytes, int]:
    """Return `data` without its NULs, and their number; raises `InputError` if the data are no text."""
    data, dropped = _without_nuls(data, name) if b"\0" in data else (data, 0)
    if len(data.translate(None, _CONTROLS)) < len(data) * (1 - _CONTROLS_AT_MOST):
        raise not_text(data, name)
    return data, dropped


def _without_nuls(data: bytes, name: str) -> tuple[bytes, int]:
    """Return `data` without its NULs, and their number; raises `InputError` if there are too many."""
    places = len(re.findall(b"\0+", data))
    dropped = data.count(b"\0")
    is_archive = data[257:262] == b"ustar"
    if places > max(_FEW_NULS, len(data) // _SPARSE_NULS) or dropped > _NULS_AT_MOST * len(data) or is_archive:
        raise not_text(data, name)
    return data.replace(b"\0", b""), dropped


def _without_escapes(text: str) -> str:
    struck = _overstruck(text) if "\b" in text else text
    return _ESCAPE.sub("", struck) if "\x1b" in struck or "\x9b" in struck else struck


def _overstruck(text: str) -> str:
    """Return `text` without backspaces and what each of them goes back over, as in the bold letters of a manual."""
    kept: list[str] = []
    for char in text:
        if char != "\b":
            kept.append(char)
        elif kept and kept[-1] != "\n":
            kept.pop()
    return "".join(kept)


def _left_out(nuls: int, name: str) -> str:
    sentence = ngettext("{n} NUL byte was left out of {name}.", "{n} NUL bytes were left out of {name}.", nuls)
    return sentence.format(n=f"{nuls:,}", name=name)


def _read_as(name: str, encoding: str) -> str:
    return _("{name} was read as {encoding}.").format(name=name, encoding=encoding)


def _broken(text: str, name: str, encoding: str) -> Iterator[str]:
    if broken := text.count("\ufffd"):
        sentence = ngettext(
            "{name} is {encoding} with {n} broken character, shown as \ufffd.",
            "{name} is {encoding} with {n} broken characters, shown as \ufffd.",
            broken,
        )
        yield Loss(sentence.format(name=name, encoding=encoding, n=broken))


def _unfit(text: str, name: str, encoding: str) -> Iterator[str]:
    if broken := text.count("\ufffd"):
        sentence = ngettext(
            "{name} does not seem to be {encoding}: {n} character is broken, shown as \ufffd.",
            "{name} does not seem to be {encoding}: {n} characters are broken, shown as \ufffd.",
            broken,
        )
        yield Loss(sentence.format(name=name, encoding=encoding, n=broken))
