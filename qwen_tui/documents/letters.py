"""Which characters and pairs are frequent in a language: how many bits a text costs that is written in it.

`scripts/letters.py` has counted them. A text in another language, or decoded wrongly, costs more.
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

# All digits count as one, and so does everything that stands between words.
CLASSES = {
    **dict.fromkeys(map(ord, string.digits), "0"),
    **dict.fromkeys(map(ord, string.whitespace + string.punctuation + "\u3000\u00a0"), " "),
}
# Languages of Latin letters.
_OF_THE_WEST = ("ca", "da", "de", "en", "es", "fi", "fr", "is", "it", "nb", "nl", "pt", "sv")
LATIN = frozenset((*_OF_THE_WEST, "cs", "et", "hr", "hu", "lt", "lv", "pl", "ro", "sk", "sl", "tr", "vi"))
# What a pair of ASCII letters costs that a language does not have, and what all of them cost it at most.
_FOREIGN_PAIR, _FOREIGN_AT_MOST = 12.0, 15.0
# Beside some ASCII letters, a language of another script costs more.
_SOME_LETTERS, _OTHER_SCRIPT = 4, 6.0
# An ASCII character behind another costs the same in every language: it is the same in nearly every encoding.
_ASCII = 4.0
_CONTROL = 20.0
# What a pair costs more that is not among the frequent ones: of letters, which are few, and of ideographs and Hangul.
_RARE_PAIR, _RARE_PAIR_OF_MANY = 4.0, 2.0
# A capital behind a small letter, a letter beside a digit, another script beside a Latin letter: as in garbled text.
_CAPITAL_INSIDE, _BESIDE_DIGIT, _BESIDE_IDEOGRAPH, _BESIDE_OTHER_LETTER = 8.0, 3.0, 4.0, 10.0
# Beside a digit, a sign of money is expected.
_MONEY = -3.0
# Capitals are seldomer than small letters.
_CAPITAL = 2.0
# What is drawn, and katakana in half width: what the first costs, one that goes on, and the same once more.
_DRAWN, _GOES_ON, _REPEATED = 15.0, 6.0, 3.0
# Signs that stand before a word or a number, and signs behind one: where they stand otherwise, they cost more.
_OPENING, _CLOSING, _MISPLACED = "„‚“«‘‹¿¡€£¥§¢µ±×¼½¾", "”»›²³®™…¶¼½¾", 6.0
# Signs that every language has, however seldom.
_SIGNS = {
    **dict.fromkeys("’", 6.0),
    **dict.fromkeys("“”–\u00a0", 7.0),
    **dict.fromkeys("—…«»", 8.0),
    **dict.fromkeys("‘„•€£°¿", 9.0),
    **dict.fromkeys("‚§©™¡·", 10.0),
    **dict.fromkeys("®½²³¥×±¼‹›", 11.0),
    **dict.fromkeys("µ¾¶†‰¢", 12.0),
    "¤": 16.0,
}
# What an unknown character costs by where it stands in Unicode: the last character of a block, and the bits.
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


class Place(NamedTuple):
    """A character of a text where it matters: with the one before it, and alone.

    `rare` is what it costs more if the pair is not known, `unknown` what it costs at most, `more` what the place adds.
    """

    pair: str
    char: str
    rare: float
    unknown: float
    more: float


class Measured(NamedTuple):
    """A text as it is measured: what its ASCII costs in any language, and the places where languages differ."""

    ascii: float
    places: list[Place]


class Language(NamedTuple):
    """How many bits each frequent character costs, and behind which other it costs less."""

    chars: dict[str, int]
    pairs: dict[str, int]

    def cost(self, text: Measured) -> float:
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


def measured(text: str) -> Measured:
    """Return `text` as `Language.cost` takes it."""
    plain = unicodedata.normalize("NFC", text)
    ascii_bits, places = 0.0, []
    for before, after in pairwise(f" {plain} "):
        if before < "\x80" and after < "\x80":
            ascii_bits += _CONTROL if after < " " and after not in "\t\n\r\f\b\x1b" else _ASCII
        else:
            places.append(_place(before, after))
    return Measured(ascii_bits, places)


def foreign(data: bytes) -> dict[str, float]:
    """Return by how many bits the ASCII letters in `data` speak against each language."""
    text = data.decode("latin-1").lower().translate(CLASSES)
    pairs = Counter(re.findall("(?=([a-z ][a-z]|[a-z] ))", text))
    bits = {
        name: sum(times * languages()[name].pairs.get(pair, _FOREIGN_PAIR) for pair, times in pairs.items())
        for name in LATIN
    }
    least = min(bits.values())
    others = _OTHER_SCRIPT if len(re.findall("[a-z]", text)) >= _SOME_LETTERS else 0.0
    return {name: min(bits[name] - least, _FOREIGN_AT_MOST) if name in bits else others for name in languages()}


@cache
def languages() -> dict[str, Language]:
    """Return all languages by their codes, as `de` and `zh-Hans`."""
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
def _place(before: str, after: str) -> Place:
    """Return a place of two characters, one of which at least is not ASCII."""
    for begin, end in (_DRAWING, _HALF_WIDTH):
        if begin <= after <= end:
            bits = _DRAWN if not begin <= before <= end else _REPEATED if before == after else _GOES_ON
            return Place("", "", 0.0, bits, 0.0)
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
        return Place(first + second, second, rare, _unknown(second), more)
    # Behind a letter that is not ASCII, the frequent letters stand in the pairs.
    return Place(first + second, second, rare, _ASCII + (rare if before.isalpha() and after.isalpha() else 0.0), more)


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
