"""Computes how many bits a text costs in a language, from the frequencies of characters and of pairs of characters.

`scripts/letters.py` has counted these. A text in another language, or a wrongly decoded one, costs more.
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import msgspec

from qwen_tui.files import ASSETS

# All digits count as one character, and so do all characters between words.
CLASSES = {
    **dict.fromkeys(map(ord, string.digits), "0"),
    **dict.fromkeys(map(ord, string.whitespace + string.punctuation + "\u3000\u00a0"), " "),
}
# Languages with Latin letters.
_OF_THE_WEST = ("ca", "da", "de", "en", "es", "fi", "fr", "is", "it", "nb", "nl", "pt", "sv")
LATIN = frozenset((*_OF_THE_WEST, "cs", "et", "hr", "hu", "lt", "lv", "pl", "ro", "sk", "sl", "tr", "vi"))
# The cost of a pair of ASCII letters that a language does not have, and the most that all pairs may cost.
_FOREIGN_PAIR, _FOREIGN_AT_MOST = 12.0, 15.0
# If a text has at least so many ASCII letters, or a single byte that is not ASCII, a language with another script costs
# more.
_SOME_LETTERS, _OTHER_SCRIPT = 4, 6.0
# An ASCII character after another one costs the same in every language, because nearly all encodings agree on it.
_ASCII = 4.0
_CONTROL = 20.0
# The additional cost of an infrequent pair: of letters, which are few, and of ideographs and Hangul, which are many.
_RARE_PAIR, _RARE_PAIR_OF_MANY = 4.0, 2.0
# Additional costs of what wrongly decoded text often has: a capital after a small letter, a letter beside a digit, an
# ideograph or another script beside a Latin letter.
_CAPITAL_INSIDE, _BESIDE_DIGIT, _BESIDE_IDEOGRAPH, _BESIDE_OTHER_LETTER = 8.0, 3.0, 4.0, 10.0
# A currency sign beside a digit is expected, so it costs less.
_MONEY = -3.0
# The additional cost of a capital, because capitals are less frequent than small letters.
_CAPITAL = 2.0
# Box-drawing characters and half-width katakana: the cost of the first, of a further one, and of the same one again.
_DRAWN, _GOES_ON, _REPEATED = 15.0, 6.0, 3.0
# Signs that stand before a word or a number, and signs after one. On the wrong side, they cost more.
_OPENING, _CLOSING, _MISPLACED = "„‚“«‘‹¿¡€£¥§¢µ±×¼½¾", "”»›²³®™…¶¼½¾", 6.0
# The costs of signs that occur in every language.
_SIGNS = {
    **dict.fromkeys("’", 6.0),
    **dict.fromkeys("“”–\u00a0", 7.0),
    **dict.fromkeys("—…«»µ，。、：；！？（）《》「」【】～", 8.0),
    **dict.fromkeys("‘„•€£°¿©®", 9.0),
    **dict.fromkeys("‚§™¡·￥＄", 10.0),
    **dict.fromkeys("½²³¥×±¼‹›", 11.0),
    **dict.fromkeys("¾¶†‰¢", 12.0),
    "¤": 16.0,
}
# The cost of an unknown character by its block of Unicode: the last character of the block, and the bits.
_BLOCKS = (
    ("\u009f", 25.0),  # controls
    ("\u00bf", 14.0),  # signs of Latin-1
    ("\u024f", 15.0),  # Latin
    ("\u2fff", 16.0),
    ("\u30ff", 18.0),  # kana
    ("\ud7ff", 20.0),  # ideographs, Hangul: the common ones are known
    ("\ufeff", 25.0),  # surrogates, private use, forms of presentation
    ("\uff60", 9.0),  # ASCII in full width
    ("\uffff", 20.0),  # and the mark of what cannot be decoded
    ("\U0010ffff", 18.0),  # emoji, rare ideographs
)
_DRAWING, _HALF_WIDTH = ("\u2500", "\u259f"), ("\uff61", "\uff9f")


class LetterPair(NamedTuple):
    """A character of a text with the one before it, if at least one of the two is not ASCII.

    `rare` is the additional cost if the pair is unknown, `unknown` the most that the character costs, and `more` the
    additional cost of such a neighbourhood in any language.
    """

    pair: str
    char: str
    rare: float
    unknown: float
    more: float


class MeasuredText(NamedTuple):
    """A text, prepared for `Language.cost`: the cost of its ASCII in any language, and the pairs that differ."""

    ascii: float
    places: list[LetterPair]


class Language(NamedTuple):
    """The cost of each frequent character in bits, and of each frequent pair, in which it costs less."""

    chars: dict[str, int]
    pairs: dict[str, int]

    def cost(self, text: MeasuredText) -> float:
        """Return how many bits `text` costs in this language: -log2 of its probability."""
        chars, pairs = self.chars, self.pairs
        bits = text.ascii
        for pair, char, rare, unknown, more in text.places:
            known: float | None = pairs.get(pair)
            if known is None:
                known = chars.get(char)
                known = unknown if known is None else min(known + rare, unknown)
            bits += known + more
        return bits


def measured(text: str) -> MeasuredText:
    """Return `text` in the form that `Language.cost` takes."""
    plain = unicodedata.normalize("NFC", text)
    ascii_bits, places = 0.0, []
    for before, after in pairwise(f" {plain} "):
        if before < "\x80" and after < "\x80":
            ascii_bits += _CONTROL if after < " " and after not in "\t\n\r\f\b\x1b" else _ASCII
        else:
            places.append(_letter_pair(before, after))
    return MeasuredText(ascii_bits, places)


def foreign(data: bytes) -> dict[str, float]:
    """Return for each language the additional cost of the ASCII letters in `data`, in bits."""
    text = data.decode("latin-1").lower().translate(CLASSES)
    pairs = Counter(re.findall("(?=([a-z ][a-z]|[a-z] ))", text))
    bits = {
        name: sum(times * languages()[name].pairs.get(pair, _FOREIGN_PAIR) for pair, times in pairs.items())
        for name in LATIN
    }
    least = min(bits.values())
    is_latin = len(re.findall("[a-z]", text)) >= _SOME_LETTERS or sum(byte >= 0x80 for byte in data) == 1
    others = _OTHER_SCRIPT if is_latin else 0.0
    return {name: min(bits[name] - least, _FOREIGN_AT_MOST) if name in bits else others for name in languages()}


@cache
def languages() -> dict[str, Language]:
    """Return all languages by their codes, such as `de` and `zh-Hans`."""
    kind = dict[str, dict[str, dict[int, str]]]
    read = msgspec.json.decode((ASSETS / "letters.json").read_bytes(), type=kind, strict=False)
    return {
        name: Language(
            {char: bits for bits, chars in of["chars"].items() for char in chars},
            {pair: bits for bits, pairs in of["pairs"].items() for pair in _in_twos(pairs)},
        )
        for name, of in read.items()
    }


def _in_twos(text: str) -> Iterable[str]:
    return (text[at : at + 2] for at in range(0, len(text), 2))


@cache
def _letter_pair(before: str, after: str) -> LetterPair:
    """Return the pair of two characters, at least one of which is not ASCII."""
    for begin, end in (_DRAWING, _HALF_WIDTH):
        if begin <= after <= end:
            bits = _DRAWN if not begin <= before <= end else _REPEATED if before == after else _GOES_ON
            return LetterPair("", "", 0.0, bits, 0.0)
    first, second = (_small(char).translate(CLASSES) for char in (before, after))
    more = 0.0
    if after.isupper() and before.islower():
        more += _CAPITAL_INSIDE
    if after.isupper() and after >= "\x80":
        more += _CAPITAL
    if (before.isalpha() and after in _OPENING) or (before in _CLOSING and after.isalpha()):
        more += _MISPLACED
    for one, other in ((before, after), (after, before)):
        if other.isdigit() and other < "\x80":
            sign = unicodedata.category(one) == "Sc"
            more += _MONEY if sign else _BESIDE_DIGIT if one.isalpha() and one < "\u2e80" else 0.0
        elif other.isalpha() and other < "\x80" and one >= "\u0300" and unicodedata.category(one)[0] in "LM":
            more += _BESIDE_OTHER_LETTER if one < "\u2e80" else _BESIDE_IDEOGRAPH
    rare = _RARE_PAIR if max(first, second) < "\u2e80" else _RARE_PAIR_OF_MANY
    if after >= "\x80":
        return LetterPair(first + second, second, rare, _unknown(second), more)
    # After a letter that is not ASCII, the frequent ASCII letters are among the pairs.
    return LetterPair(
        first + second, second, rare, _ASCII + (rare if before.isalpha() and after.isalpha() else 0.0), more
    )


def _small(char: str) -> str:
    small = char.lower()
    return small if len(small) == 1 else char


@cache
def _unknown(char: str) -> float:
    if char in _SIGNS:
        return _SIGNS[char]
    if unicodedata.category(char) in ("Cn", "Co", "Cs"):
        return 25.0
    return next(bits for last, bits in _BLOCKS if char <= last)
