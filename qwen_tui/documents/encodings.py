"""Guesses the encoding of bytes that are not UTF-8: the one in which they look most like a language.

Each encoding is tried with the languages that use it. The cost of the decoded text in bits says how likely it is: the
encoding with the lowest cost wins, and of nearly equal ones that of the person's locale.
"""

import codecs
import locale
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from qwen_tui import i18n
from qwen_tui.documents.letters import foreign, languages, measured

_WESTERN = ("en", "de", "fr", "es", "pt", "it", "nl", "sv", "da", "nb", "fi", "is", "ca")
_CENTRAL = ("pl", "cs", "sk", "hu", "ro", "hr", "sl")
_CYRILLIC = ("ru", "uk", "bg")


class Encoding(NamedTuple):
    """An encoding: the name that people use, Python's codec, the languages that use it, and how rare it is, in bits."""

    name: str
    codec: str
    languages: tuple[str, ...]
    rare: float


# If several give the same text, the first one counts. Each codec is the most complete of its kind: cp932 reads all of
# Shift-JIS.
ENCODINGS = (
    Encoding("Windows-1252", "cp1252", _WESTERN, 0),
    Encoding("GB18030", "gb18030", ("zh-Hans",), 0),
    Encoding("Shift-JIS", "cp932", ("ja",), 1),
    Encoding("EUC-KR", "cp949", ("ko",), 1),
    Encoding("Big5", "cp950", ("zh-Hant",), 1),
    Encoding("Windows-1251", "cp1251", _CYRILLIC, 4),
    Encoding("Windows-1250", "cp1250", _CENTRAL, 4),
    Encoding("EUC-JP", "euc_jp", ("ja",), 3),
    Encoding("KOI8-R", "koi8_r", ("ru", "bg"), 3),
    Encoding("KOI8-U", "koi8_u", ("uk",), 6),
    Encoding("Windows-1253", "cp1253", ("el",), 6),
    Encoding("Windows-1254", "cp1254", ("tr",), 5),
    Encoding("Windows-1255", "cp1255", ("he",), 5),
    Encoding("Windows-1256", "cp1256", ("ar",), 5),
    Encoding("Windows-1257", "cp1257", ("lt", "lv", "et"), 7),
    Encoding("Windows-1258", "cp1258", ("vi",), 7),
    Encoding("TIS-620", "cp874", ("th",), 8),
    Encoding("ISO-8859-15", "iso8859_15", _WESTERN, 3),
    Encoding("ISO-8859-2", "iso8859_2", _CENTRAL, 3),
    Encoding("ISO-8859-5", "iso8859_5", _CYRILLIC, 7),
    Encoding("ISO-8859-7", "iso8859_7", ("el",), 8),
    Encoding("CP850", "cp850", _WESTERN, 7),
    Encoding("CP437", "cp437", _WESTERN, 7),
    Encoding("CP852", "cp852", _CENTRAL, 7),
    Encoding("CP866", "cp866", _CYRILLIC, 8),
    Encoding("Mac-Roman", "mac_roman", _WESTERN, 7),
    Encoding("Mac-Cyrillic", "mac_cyrillic", _CYRILLIC, 9),
)
# UTF-8 with a few invalid bytes; `mostly_utf8` decodes it.
MOSTLY_UTF8 = Encoding("UTF-8", "", (), 0)
# The additional cost of a byte that is invalid in UTF-8, in bits.
_FAULT = 7.0
# Text that is valid UTF-8 costs so many bits less.
_WHOLE_UTF8 = 4.0
# Up to so many characters of two bytes each may be valid UTF-8 by chance.
_BY_CHANCE = 8
# The most bytes of an incomplete UTF-8 character.
_LONGEST_PART = 3
# An encoding of the person's own locale costs so many bits less.
_FAVOUR = 5.0
# If two encodings differ by less than this many bits, the person is told of both.
_CLEAR = 8.0
# So many bytes of a text are examined.
_SAMPLE = 6000
_FOREIGN = re.compile(rb"[\x80-\xff]")
# A sample of a line begins so many bytes before the first that is not ASCII.
_BEFORE = 30
# Text with more bits a byte than this is not UTF-16 or UTF-32 without a byte order mark.
_WIDE_AT_MOST = 6.0
# Codecs for ASCII alone, and for each incomplete codec the one that reads more of the same kind.
_FOR_ASCII = ("idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined")
_WIDER = {
    **dict.fromkeys(("gb2312", "gbk"), "gb18030"),
    **dict.fromkeys(("shift-jis", "shift-jisx0213", "shift-jis-2004"), "cp932"),
    "euc-kr": "cp949",
    "big5": "cp950",
    "tis-620": "cp874",
    "utf-8": "utf-8-sig",
}
_OF_LOCALE = {
    "zh": "GB18030",
    "zh_tw": "Big5",
    "zh_hk": "Big5",
    "zh_mo": "Big5",
    "ja": "Shift-JIS",
    "ko": "EUC-KR",
    **dict.fromkeys(_CYRILLIC, "Windows-1251"),
    **dict.fromkeys(_CENTRAL, "Windows-1250"),
    **dict.fromkeys(_WESTERN, "Windows-1252"),
    **dict.fromkeys(("lt", "lv", "et"), "Windows-1257"),
    "el": "Windows-1253",
    "tr": "Windows-1254",
    "he": "Windows-1255",
    "ar": "Windows-1256",
    "vi": "Windows-1258",
    "th": "TIS-620",
}


class Guess(NamedTuple):
    """The most likely encoding, and another that is nearly as likely and gives another text, None without one."""

    encoding: Encoding
    other: Encoding | None = None


def may_be_chance(text: str) -> bool:
    """Whether the bytes of `text` may be valid UTF-8 only by chance: some words in GB18030 are."""
    foreign_chars = [char for char in text[:_SAMPLE] if char > "\x7f"]
    return 0 < len(foreign_chars) <= _BY_CHANCE and max(foreign_chars) < "\u0800"


def guess(data: bytes, favoured: Sequence[str] | None = None) -> Guess:
    """Return the encoding of `data`; those `favoured`, by default those of the locale, have an advantage."""
    wanted = of_locale() if favoured is None else favoured
    sample = _sample(data)
    against = foreign(sample)
    best: dict[str, tuple[float, Encoding]] = {}
    for encoding in (*ENCODINGS, MOSTLY_UTF8):
        text = decoded(sample, encoding)
        cost = _cost(text, encoding.languages, against) + encoding.rare
        if encoding.name in wanted:
            cost -= _FAVOUR
        if encoding is MOSTLY_UTF8 and (faults := mostly_utf8(sample).faults):
            cost += _FAULT * faults
        elif encoding is MOSTLY_UTF8:
            cost -= _WHOLE_UTF8
        before = best.get(text)
        if before is None or cost < before[0] - _CLEAR:
            best[text] = (cost, encoding)
        else:
            # Encodings that give the same text are named by the first of them.
            best[text] = (min(cost, before[0]), before[1])
    (cost, first), *others = sorted(best.values(), key=lambda one: one[0])
    return Guess(first, others[0][1] if others and others[0][0] - cost < _CLEAR else None)


def wide(data: bytes) -> Encoding | None:
    """Return the UTF-16 or UTF-32 in which `data` is written without a byte order mark, None if it is neither."""
    for name, size in (("UTF-32LE", 4), ("UTF-32BE", 4), ("UTF-16LE", 2), ("UTF-16BE", 2)):
        sample = data[: min(_SAMPLE, len(data)) // size * size]
        text = sample.decode(name, "replace")
        if len(data) > _SAMPLE:
            # The sample may end in the middle of an emoji.
            text = text.removesuffix("\ufffd")
        if text and not {"\0", "\ufffd"} & {*text} and _cost(text, (), {}) < _WIDE_AT_MOST * len(sample):
            return Encoding(name, name, (), 0)
    return None


def decoded(data: bytes, encoding: Encoding) -> str:
    """Return `data` as text, with U+FFFD for bytes that are invalid in the encoding."""
    return mostly_utf8(data).text if encoding is MOSTLY_UTF8 else data.decode(encoding.codec, "replace")


class Mended(NamedTuple):
    """UTF-8 text with `faults` invalid bytes, of which `strays` were read as Windows-1252."""

    text: str
    faults: int
    strays: int


def mostly_utf8(data: bytes) -> Mended:
    """Return `data` as UTF-8, with stray bytes read as Windows-1252, and U+FFFD for the rest of a cut character."""
    escaped = data.decode("utf-8", "surrogateescape")
    faults = strays = 0

    def mend(wrong: re.Match[str]) -> str:
        nonlocal faults, strays
        found = bytes(ord(char) & 0xFF for char in wrong[0])
        faults += len(found)
        before, after = escaped[: wrong.start()][-1:], escaped[wrong.end() :][:1]
        if _is_cut(found, before, after):
            return "\ufffd"
        strays += len(found)
        return found.decode("cp1252", "replace")

    mended = re.sub("[\udc80-\udcff]+", mend, escaped)
    return Mended(mended, faults, strays)


def _is_cut(found: bytes, before: str, after: str) -> bool:
    """Whether invalid bytes are a part of a cut character: they stand beside ideographs, or at an end of the text."""
    if len(found) > _LONGEST_PART:
        return False
    if any("\u0250" <= char < "\ud800" for char in (before, after)):
        return True
    begins = found[0] >= 0xC2 and len(found) > 1 and all(0x80 <= byte < 0xC0 for byte in found[1:])
    ends = not before and after > "\x7f" and all(0x80 <= byte < 0xC0 for byte in found)
    return begins or ends or (not after and len(found) == 1 and 0xC2 <= found[0] <= 0xDF)


def named(name: str) -> Encoding | None:
    """Return the encoding that a person calls `name`, None if there is none for text."""
    try:
        b"a".decode(name, "replace")
        codec = codecs.lookup(name).name.replace("_", "-")
    except (LookupError, ValueError):
        return None
    if codec in _FOR_ASCII:
        return None
    codec = _WIDER.get(codec, codec)
    known = (one for one in ENCODINGS if codecs.lookup(one.codec).name.replace("_", "-") == codec)
    return next(known, Encoding(name, codec, (), 0))


def of_locale(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the names of the encodings that the person's files probably have, by the system and its language."""
    charset = named(locale.getencoding())
    own = (environ.get(variable, "") for variable in ("LC_ALL", "LC_CTYPE", "LANG"))
    territory = next(filter(None, own), "").partition(".")[0].lower()
    language = territory.partition("_")[0]
    found = (charset.name if charset else None, _OF_LOCALE.get(territory) or _OF_LOCALE.get(language))
    # A person who uses the program in Chinese has Chinese files.
    spoken = _OF_LOCALE["zh"] if i18n.language() == "zh" and language != "zh" else None
    return tuple(dict.fromkeys(name for name in (*found, spoken) if name))


def _sample(data: bytes) -> bytes:
    """Return the first lines of `data` that are not ASCII; in these encodings, no character contains a newline."""
    return b"\n".join(_first(line for line in data.splitlines() if not line.isascii()))


def _first(lines: Iterable[bytes]) -> Iterator[bytes]:
    room = _SAMPLE
    for line in lines:
        if room <= 0:
            return
        found = _FOREIGN.search(line)
        # A line of a megabyte may begin with nothing but ASCII.
        begin = max(0, found.start() - _BEFORE) if found else 0
        yield line[begin : begin + room]
        room -= len(line) - begin


def _cost(text: str, written_in: Sequence[str], against: Mapping[str, float]) -> float:
    known, places = languages(), measured(text)
    return min(known[name].cost(places) + against.get(name, 0.0) for name in written_in or known)
