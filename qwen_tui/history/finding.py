"""Finds conversations by their words, and the questions that a person has asked."""

import sqlite3
from typing import Literal

from qwen_tui import grams
from qwen_tui.history import question_parts
from qwen_tui.history.records import Hit, Summary, rows, summary
from qwen_tui.messages import PartKind

# In characters. Older versions stored a document and its question as one text: a longer text is such a one.
_LONGEST_QUESTION = 20_000


def search(connection: sqlite3.Connection, words: str, count: int) -> list[Summary]:
    """Return the conversations with all of `words` in one message, the last written first, with the best line."""
    expression = grams.query(words)
    if not expression:
        return []
    matches = connection.execute("SELECT rowid FROM grams WHERE grams MATCH ? ORDER BY rank", (expression,))
    place = {message: number for number, (message,) in enumerate(matches)}
    # Their paths run through a match: it is their head, or lies before it.
    conversations = rows(
        connection,
        "WITH RECURSIVE below(id) AS (SELECT rowid FROM grams WHERE grams MATCH ? UNION "
        "SELECT m.id FROM messages m JOIN below ON m.parent = below.id) "
        "SELECT * FROM conversations WHERE head IN below ORDER BY sequence DESC LIMIT ?",
        (expression, count),
    ).fetchall()
    found = []
    for row in conversations:
        best = min(filter(place.__contains__, _path(connection, row["head"])), key=place.__getitem__)
        found.append(summary(row, _hit(connection, best, words)))
    return found


def _path(connection: sqlite3.Connection, head: int) -> list[int]:
    """Return the numbers of the messages up to `head`."""
    found = connection.execute(
        "WITH RECURSIVE path(id) AS (SELECT ? UNION ALL "
        "SELECT m.parent FROM messages m JOIN path ON m.id = path.id WHERE m.parent IS NOT NULL) SELECT id FROM path",
        (head,),
    )
    return [row[0] for row in found]


def _hit(connection: sqlite3.Connection, message: int, words: str) -> Hit:
    """Return the line of a message that holds most of `words`."""
    row = rows(connection, "SELECT role, content FROM messages WHERE id = ?", (message,)).fetchone()
    said: list[tuple[PartKind | Literal["answer"], str, str]] = [
        ("answer" if row["role"] == "assistant" else "words", "", row["content"]),
        *question_parts.beside_words(connection, message),
    ]
    hits = [Hit(kind, name, line.strip()) for kind, name, text in said for line in text.splitlines() if line.strip()]
    return max(hits, key=lambda hit: _held(words, hit.line), default=Hit("words", "", ""))


def _held(words: str, line: str) -> int:
    """Return how many different of `words` stand in `line`."""
    return len({line[start:end].lower() for start, end in grams.found_in(words, line)})


def questions(connection: sqlite3.Connection, count: int) -> list[str]:
    """Return the person's words of the last questions, newest first, each text once.

    Questions without words, which have material alone, are left out. So are the long texts of older versions, in which
    a document and its question are one.
    """
    found: dict[str, None] = {}
    for row in rows(
        connection,
        "SELECT content FROM messages WHERE role = 'user' AND trim(content) != '' AND length(content) <= ? "
        "ORDER BY id DESC",
        (_LONGEST_QUESTION,),
    ):
        found[row["content"]] = None
        if len(found) >= count:
            break
    return list(found)
