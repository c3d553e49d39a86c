"""Finds the passages of documents that bear on a question, the best first, by the words that both have."""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

from qwen_tui import grams
from qwen_tui.chat.fitting.splitting import Piece
from qwen_tui.chat.fitting.stop_words import (
    CHINESE,
    CHINESE_PARTICLES,
    CHINESE_SIGNS,
    ENGLISH,
    OF_WHOLE_CHINESE,
    OF_WHOLE_ENGLISH,
    WORK_CHINESE,
    WORK_ENGLISH,
)

# A passage whose score is below this share of the best one's is left out: it has only common words of the question.
_SHARE = 0.15
# "pages 3, 5 and 7–9", "p. 7", "第3页", "第三页到第五页": what follows the word or stands around it.
_DIGITS = "零一二三四五六七八九"
_NUMBER = rf"(?:[0-9]{{1,6}}|[十{_DIGITS}]{{1,3}})"
_PLACES = re.compile(
    rf"(?i)\b(?:pages?|pp?\.|slides?)\s*({_NUMBER}(?:\s*(?:-|–|to|,|and|&)\s*{_NUMBER}){{0,20}})(?!\w)"
    rf"|第\s*({_NUMBER}(?:\s*[页张]?\s*[-–~到至和、，,]\s*第?\s*{_NUMBER}){{0,20}})\s*[页张]"
)
_NUMBER_OR_RANGE = re.compile(rf"(?i){_NUMBER}|[-–~到至]|to")
# How long the answer is to be. Another number of so many digits may count sentences; a longer one may be a year.
_LENGTH = re.compile(r"(?i)[0-9,]+(?=\s*(?:words?\b|characters?\b|个?字|个?词))")
_MOST_DIGITS = 2
# The pages of a document are fewer than this.
_MOST_PAGES = 10_000


class Bearing(NamedTuple):
    """The passages that bear on a question, as indices, the best first.

    The question names the places of `named` of them, and `held` of its `terms` stand in the first. It has no terms if
    it only says what is to be done with the whole.
    """

    passages: list[int]
    named: int
    held: int
    terms: int


def bearing_on(question: str, passages: Sequence[Piece]) -> Bearing:
    """Return which of `passages` bear on `question`.

    Those on the pages that it names come first. The others are ranked by bm25 over the words that they share with it,
    English ones by their stem; of Chinese, over the pairs of signs.
    """
    named = list(_named(question, passages))
    terms = [] if _is_general(question) else terms_of(question)
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(
            "CREATE VIRTUAL TABLE passages USING fts5(body, tokenize = 'porter unicode61 remove_diacritics 2')"
        )
        connection.executemany(
            "INSERT INTO passages(rowid, body) VALUES (?, ?)",
            ((index, grams.grams(passage.text)) for index, passage in enumerate(passages)),
        )
        ranked = [index for index in _ranked(connection, terms) if index not in set(named)]
        found = named + ranked
        held = sum(_has(connection, found[0], term) for term in terms) if found else 0
    return Bearing(found, len(named), held, len(terms))


def terms_of(question: str) -> list[str]:
    """Return the terms of a question that say what it is about: words, or pairs of signs where no blanks part words."""
    stop_words = set(ENGLISH.split())
    found: dict[str, None] = {}
    for unspaced, word in grams.runs(question):
        for run in _telling(unspaced):
            found |= dict.fromkeys(grams.pairs(run) or [run])
        if word and word.lower() not in stop_words:
            found[word.lower()] = None
    return list(found)


def is_of_whole(question: str) -> bool:
    """Whether a question asks for work that needs a whole text, such as a summary."""
    english, chinese = set(OF_WHOLE_ENGLISH.split()), OF_WHOLE_CHINESE.split()
    return any(word.lower() in english for _run, word in grams.runs(question)) or any(
        word in question for word in chinese
    )


def _is_general(question: str) -> bool:
    """Whether a question only says what is to be done with a text, such as "Sum it up in three sentences"."""
    work = {*ENGLISH.split(), *OF_WHOLE_ENGLISH.split(), *WORK_ENGLISH.split()}
    runs = grams.runs(_LENGTH.sub("", question))
    numbers = [word for _run, word in runs if word.isdecimal()]
    others = [word.lower() for _run, word in runs if word and not word.isdecimal()]
    if any(len(number) > _MOST_DIGITS for number in numbers) or not work.issuperset(others):
        return False
    if any(_telling(unspaced, *OF_WHOLE_CHINESE.split(), patterns=WORK_CHINESE) for unspaced, _word in runs):
        return False
    # A number alone may stand in the text.
    return not numbers or any(word not in ENGLISH.split() for word in others) or any(run for run, _word in runs)


def _telling(unspaced: str, *more: str, patterns: str = "(?!)") -> list[str]:
    """Return what says anything in a run of Chinese: without stop words, `more` words, and what matches `patterns`."""
    longest_first = sorted([*CHINESE.split(), *more, *CHINESE_PARTICLES], key=len, reverse=True)
    between = re.compile("|".join([*longest_first, patterns]))
    return [run for part in between.split(unspaced) if (run := part.strip(CHINESE_SIGNS))]


def _ranked(connection: sqlite3.Connection, terms: Sequence[str]) -> list[int]:
    """Return the passages with at least one of `terms` that are not far behind the best, the best first."""
    if not terms:
        return []
    found = connection.execute(
        "SELECT rowid, rank FROM passages WHERE passages MATCH ? ORDER BY rank, rowid",
        (" OR ".join(f'"{term}"' for term in terms),),
    ).fetchall()
    # The rank is the bm25 with a minus before it.
    return [index for index, rank in found if rank <= _SHARE * found[0][1]]


def _has(connection: sqlite3.Connection, passage: int, term: str) -> bool:
    """Whether `passage` has `term`."""
    found = connection.execute("SELECT 1 FROM passages WHERE passages MATCH ? AND rowid = ?", (f'"{term}"', passage))
    return found.fetchone() is not None


def _named(question: str, passages: Sequence[Piece]) -> Iterator[int]:
    """Yield the passages on the pages, slides, sheets and chapters that `question` names, in their order."""
    numbers = {number for match in _PLACES.finditer(question) for number in _numbers(match[1] or match[2])}
    words = question.lower()
    for index, passage in enumerate(passages):
        for mark in passage.places:
            if mark.unit in ("page", "slide"):
                is_named = int(mark.place) in numbers
            else:
                is_named = len(mark.place) > 1 and mark.place.lower() in words
            if is_named:
                yield index
                break


def _numbers(text: str) -> Iterator[int]:
    """Yield the numbers in a list such as `3, 5 and 7–9`."""
    last, goes_on = 0, False
    for one in _NUMBER_OR_RANGE.findall(text):
        if not re.fullmatch(_NUMBER, one):
            goes_on = True
            continue
        number = int(one) if one.isdecimal() else _of_chinese(one)
        yield from range(last + 1, min(number, last + _MOST_PAGES)) if goes_on else ()
        yield number
        last, goes_on = number, False


def _of_chinese(numeral: str) -> int:
    """Return the number of a Chinese numeral below 100."""
    tens, ten, ones = numeral.rpartition("十")
    return (_digit(tens) or 1) * 10 * bool(ten) + _digit(ones)


def _digit(sign: str) -> int:
    return max(_DIGITS.find(sign), 0) if sign else 0
