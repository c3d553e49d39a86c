"""Finds the passages of documents that bear on a question, the best first, by the words that both have."""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

from qwen_tui import grams
from qwen_tui.chat.fitting.splitting import Piece
from qwen_tui.chat.fitting.stop_words import CHINESE, CHINESE_PARTICLES, CHINESE_SIGNS, ENGLISH

# A passage whose score is below this share of the best one's is left out: it has only common words of the question.
_SHARE = 0.15
# "pages 3 to 5", "p. 7", "第3页", "第 3 到 5 页": the first number, what connects it with a second one, and that.
_PLACES = re.compile(
    r"(?i)\b(?:pages?|pp?\.|slides?)\s*(\d{1,6})(?:\s*(-|–|to|and|&)\s*(\d{1,6}))?(?!\w)"
    r"|第\s*(\d{1,6})\s*(?:页|张)?(?:\s*(-|–|~|到|至|和|、)\s*第?\s*(\d{1,6})\s*)?[页张]"
)
_RANGE = ("-", "–", "~", "to", "到", "至")


class Bearing(NamedTuple):
    """The passages that bear on a question, as indices, the best first.

    `share` is how many of its terms stand in the first, from 0 to 1; None if it has no terms.
    """

    passages: list[int]
    share: float | None


def bearing_on(question: str, passages: Sequence[Piece]) -> Bearing:
    """Return which of `passages` bear on `question`.

    Those on the pages that it names come first. The others are ranked by bm25 over the words that they share with it,
    English ones by their stem; of Chinese, over the pairs of signs.
    """
    named = list(_named(question, passages))
    terms = terms_of(question)
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(
            "CREATE VIRTUAL TABLE passages USING fts5(body, tokenize = 'porter unicode61 remove_diacritics 2')"
        )
        connection.executemany(
            "INSERT INTO passages(rowid, body) VALUES (?, ?)",
            ((index, grams.grams(passage.text)) for index, passage in enumerate(passages)),
        )
        ranked = [index for index in _ranked(connection, terms) if index not in set(named)]
        held = [term for term in terms if ranked and _has(connection, ranked[0], term)]
    if named:
        return Bearing(named + ranked, 1.0)
    return Bearing(ranked, len(held) / len(terms) if terms else None)


def terms_of(question: str) -> list[str]:
    """Return the terms of a question that say what it is about: words, or pairs of signs where no blanks part words."""
    stop_words, longest_first = (
        set(ENGLISH.split()),
        sorted([*CHINESE.split(), *CHINESE_PARTICLES], key=len, reverse=True),
    )
    between = re.compile("|".join(longest_first))
    found: dict[str, None] = {}
    for unspaced, word in grams.runs(question):
        if unspaced:
            for run in between.split(unspaced):
                run = run.strip(CHINESE_SIGNS)
                found |= dict.fromkeys(grams.pairs(run) or [run])
        elif word.lower() not in stop_words:
            found[word.lower()] = None
    return [term for term in found if term]


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
    numbers = set()
    for match in _PLACES.finditer(question):
        first, between, last = (match[1], match[2], match[3]) if match[1] else (match[4], match[5], match[6])
        numbers |= {int(first), int(last or first)}
        if (between or "").lower() in _RANGE:
            # Not each number up to a million: the pages of a document are fewer.
            numbers |= set(range(int(first), min(int(last), int(first) + 1_000)))
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
