"""Finds quotations in an answer, and whether they stand in a material."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

from qwen_tui.chat.checking.citations import cited
from qwen_tui.documents import marks

# A quotation of fewer words, or of fewer signs of a script without blanks, may be a term or a title.
_WORDS, _SIGNS = 4, 8
# Between the pieces of a quotation with an ellipsis lie at most so many words: a page.
_GAP = 600
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_HAN, _KANA, _HANGUL = re.compile("[\u3400-\u9fff]"), re.compile("[\u3040-\u30ff]"), re.compile("[\uac00-\ud7af]")
_CYRILLIC, _LATIN = re.compile("[\u0400-\u04ff]"), re.compile("[A-Za-z\u00c0-\u024f]")
# Each goes on over a single line break, but not over an empty line.
_INSIDE = r"(?:[^{close}\n]|\n(?![ \t>]*\n))+?"
_MARKS = (("“", "”"), ("„", "“"), ("„", "”"), ("«", "»"), ("»", "«"), ("「", "」"), ("『", "』"), ("〝", "〞"))
_QUOTED = re.compile(
    "|".join(f"{opens}({_INSIDE.replace('{close}', opens + closes)}){closes}" for opens, closes in _MARKS)
    + r"|(?<![\w\"])\"(?=\S)((?:[^\"\n]|\n(?![ \t>]*\n))+?)(?<=\S)\"(?![A-Za-z0-9])"
)
_BLOCK = re.compile(r"(?:^[ \t]{0,3}>[^\n]*(?:\n|\Z))+", re.MULTILINE)
# Who said it: the last line of a block quotation.
_SPEAKER = re.compile(r"\n[ \t]*(?:[—–―]|--)[^\n]*\Z")
# Stands where something is left out, or was put in by who quotes.
_ELLIPSIS = re.compile(r"\[[^\[\]\n]*\]|[(（]\s*(?:…+|\.{3,})\s*[)）]|…+|\.{3,}|。{3,}|[⋯]+")
_FOOTNOTE = re.compile(r"\[\^?\d{1,3}\]|[⁰¹²³⁴-⁹]+")
_HYPHEN = re.compile(r"(?<=[^\W\d_])(?:[-‐‑\u00ad]\s*\n\s*|[-‐‑\u00ad])(?=[^\W\d_])")
_TOKEN = re.compile(rf"[{_UNSPACED}]|\d+(?:[.,]\d+)*|(?:(?![{_UNSPACED}\d])[^\W_])+|(?<!\w)[-−](?=\d)|[%‰°$€£¥+<>=]")
# Words that tell a language: the small ones, which stand in nearly every sentence.
_SMALL = {
    "en": "the and of to in is that for was with are this it be as on by not from have has will which were been at",
    "de": "der die das und ist nicht mit den von zu ein eine im dem sich auf für wird sind werden des als auch",
    "fr": "le la les et des est une dans que pour du un au qui sur pas sont il elle par ce cette aux",
    "es": "el la los las y que del una por con para en un es se no al como su son más lo",
    "it": "il che di la e per una con non sono della gli del un è nel le si da dei alla",
    "pt": "o que da do em para uma com não os as um na no por mais dos é se ao",
    "nl": "de het een en van dat niet met zijn op voor die is in te aan er ook",
}


def quotations(text: str) -> list[str]:
    """Return the quotations in a text that are long enough to be judged, as they are written, each once."""
    found: dict[str, None] = {}
    rest = text
    for block in _BLOCK.finditer(text):
        inside = re.sub(r"^[ \t]*>[ \t]?", "", block[0].rstrip("\n"), flags=re.MULTILINE)
        for paragraph in re.split(r"\n[ \t>]*\n", _SPEAKER.sub("", inside)):
            found[paragraph.strip().strip('“”"„«»「」『』')] = None
        rest = rest[: block.start()] + re.sub(r"[^\n]", " ", block[0]) + rest[block.end() :]
    for match in _QUOTED.finditer(rest):
        found[next(filter(None, match.groups())).strip()] = None
    return [one for one in found if _is_long(one)]


def _is_long(quotation: str) -> bool:
    tokens = normal(without_citations(quotation)).split()
    signs = sum(bool(re.fullmatch(f"[{_UNSPACED}]", token)) for token in tokens)
    words = sum(token[0].isalnum() for token in tokens) - signs
    return words + signs * _WORDS / _SIGNS >= _WORDS


def without_citations(text: str) -> str:
    """Return `text` without its citations of places."""
    for citation in cited(text):
        text = text.replace(citation.text, " ")
    return text


def normal(text: str) -> str:
    """Return the words of `text`, and the signs of scripts without blanks, in lower case with single blanks between.

    What stands in two texts alike is alike in this form, whatever the line breaks, the hyphens at their ends, the
    punctuation, the marks of Markdown and the marks of places.
    """
    text = unicodedata.normalize("NFKC", _FOOTNOTE.sub("", marks.without(text)))
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", _HYPHEN.sub("", text))
    text = re.sub(r"(?<=[^\W_])['’ʼ](?=[^\W_])", "", text)
    return " ".join(_TOKEN.findall(text.casefold())).replace("−", "-")


def stands_in(quotation: str, sources: Sequence[str]) -> bool:
    """Whether a quotation stands in one of `sources`, which are in their normal form."""
    quotation = without_citations(quotation)
    whole = normal(quotation)
    pieces = [piece for one in _ELLIPSIS.split(quotation) if (piece := normal(one))]
    return any(_has(source, [whole]) or (len(pieces) > 1 and _has(source, pieces)) for source in sources)


def _has(source: str, pieces: Sequence[str]) -> bool:
    """Whether `pieces` stand in a normal form in this order, none far behind the one before."""
    first, *others = (f" {piece} " for piece in pieces)
    padded, start = f" {source} ", -1
    while (start := padded.find(first, start + 1)) >= 0:
        at = start + len(first) - 1
        for other in others:
            found = padded.find(other, at)
            if found < 0 or padded.count(" ", at, found) > _GAP:
                break
            at = found + len(other) - 1
        else:
            return True
    return False


def language_of(text: str) -> str:
    """Return the language that a text is probably in; "" where nothing tells it."""
    text = text[:20_000]
    scripts = {"ja": _KANA, "ko": _HANGUL, "zh": _HAN, "ru": _CYRILLIC}
    letters = len(_LATIN.findall(text)) / 4
    for name, script in scripts.items():
        # Japanese has Han signs as well, so kana decide.
        if len(script.findall(text)) > (letters / 4 if name == "ja" else letters):
            return name
    words = Counter(re.findall(r"[^\W\d_]+", text.casefold()))
    score = {name: sum(words[small] for small in set(smalls.split())) for name, smalls in _SMALL.items()}
    best = max(score, key=score.__getitem__)
    return best if score[best] and list(score.values()).count(score[best]) == 1 else ""


def unfound(quoted: Sequence[str], sources: Sequence[str], languages: set[str]) -> Iterator[str]:
    """Yield the quotations that do not stand in `sources`, but for those in a language that no source is in."""
    for quotation in quoted:
        language = language_of(quotation)
        if (not language or language in languages or "" in languages) and not stands_in(quotation, sources):
            yield quotation
