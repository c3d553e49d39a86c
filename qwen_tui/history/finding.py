"""Finds conversations by their words, and the questions that a person has asked."""

import sqlite3

from qwen_tui.history import grams, parts
from qwen_tui.history.records import Summary, rows, summary

# In characters. Older versions stored a document and its question as one text: a longer text is such a one.
_LONGEST_QUESTION = 20_000


def search(connection: sqlite3.Connection, words: str, count: int) -> list[Summary]:
    """Return the conversations with all of `words` in one message, best first, each with the line that matches."""
    expression = grams.query(words)
    if not expression:
        return []
    found: dict[str, Summary] = {}
    hits = rows(
        connection,
        "SELECT m.id, m.content FROM grams JOIN messages m ON m.id = grams.rowid WHERE grams MATCH ? ORDER BY rank",
        (expression,),
    )
    for hit in hits:
        for row in _holders(connection, hit["id"]):
            if row["id"] not in found:
                whole = parts.text(connection, hit["id"], hit["content"])
                found[row["id"]] = summary(row, grams.matching_line(words, whole))
        if len(found) >= count:
            break
    return list(found.values())[:count]


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


def _holders(connection: sqlite3.Connection, message: int) -> list[sqlite3.Row]:
    """Return the conversations whose path leads through a message."""
    return rows(
        connection,
        "WITH RECURSIVE below(id) AS (SELECT ? UNION ALL "
        "SELECT m.id FROM messages m JOIN below ON m.parent = below.id) "
        "SELECT * FROM conversations WHERE head IN below ORDER BY sequence DESC",
        (message,),
    ).fetchall()
