"""The characters, words and sentences of an answer, in Chinese and English."""

import re
from collections.abc import Iterator

# Chinese characters, without punctuation.
HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_LATIN = r"[A-Za-zÀ-ÖØ-öø-ÿ0-9]+(?:['’.,-][A-Za-zÀ-ÖØ-öø-ÿ0-9]+)*"
_UNIT = re.compile(f"[{HAN}]|{_LATIN}")
_CHINESE_MARK = re.compile(r"[\u3000-\u303f\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65‘’“”…—]")
_FENCED = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_LINE_MARK = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[-*+][ \t]+|\d+[.)、][ \t]*)+", re.MULTILINE)
_RULE = re.compile(r"^[ \t]*(?:[-*_][ \t]*){3,}$|^[ \t]*\|?[ \t]*:?-{2,}.*$", re.MULTILINE)
# The limits keep thousands of brackets from taking minutes.
_LINK = re.compile(r"!?\[([^\[\]\n]{0,300})\]\([^()\n]{0,300}\)")
_EMPHASIS = re.compile(r"\*\*|__|`|(?<!\w)[*_]|[*_](?!\w)")
# A full stop behind these words, or behind a single capital letter, ends no sentence.
_ABBREVIATIONS = ("e.g", "i.e", "etc", "vs", "mr", "mrs", "ms", "dr", "prof", "st", "no", "approx", "fig")
_END = re.compile(r"[。！？!?…]+[”’」』）)\"]*|\.[”’)\"]*(?=\s|$)|[;；](?=\s|$)|；|\n+")


def plain(text: str) -> str:
    """Return `text` without code blocks and without Markdown's marks."""
    text = _FENCED.sub("\n", text)
    text = _RULE.sub("", text)
    text = _LINK.sub(r"\1", text)
    return _EMPHASIS.sub("", _LINE_MARK.sub("", text)).strip()


def units(text: str) -> list[str]:
    """Return what counts as one unit of text: each Chinese character, each word or number in other letters.

    The units are in small letters and without punctuation, ready for n-grams.
    """
    return [unit.casefold() for unit in _UNIT.findall(text)]


def length(text: str, language: str) -> int:
    """Return the length of `text`, without Markdown's marks: words in English, 字数 in Chinese.

    字数 is what word processors count by that name: each character and each full-width punctuation mark is one, and so
    is each word or number in other letters.
    """
    text = plain(text)
    return len(units(text)) + (len(_CHINESE_MARK.findall(text)) if language == "zh" else 0)


def sentences(text: str) -> list[str]:
    """Return the sentences of `text`, without Markdown's marks; a heading or a list item without a full stop is one."""
    return [sentence for sentence in map(str.strip, _split(plain(text))) if _UNIT.search(sentence)]


def _split(text: str) -> Iterator[str]:
    start = 0
    for end in _END.finditer(text):
        if end[0].startswith(".") and _is_abbreviation(text[start : end.start()]):
            continue
        yield text[start : end.end()]
        start = end.end()
    yield text[start:]


def _is_abbreviation(before: str) -> bool:
    word = before.split()[-1].lstrip("(“\"'") if before.split() else ""
    return word.casefold() in _ABBREVIATIONS or (len(word) == 1 and word.isupper() and word != "I")


def grams(text: str, size: int) -> list[tuple[str, ...]]:
    """Return the n-grams of `size` units in `text`."""
    found = units(text)
    return list(zip(*(found[start:] for start in range(size)), strict=False))
