"""Looking into the conversations: by words, and for what was asked."""

import sqlite3

from qwen_tui.history import grams, parts
from qwen_tui.history.records import Summary, rows, summary

# In characters: beyond it, a question is one about a document that it holds.
_LONGEST_QUESTION = 20_000


def search(connection: sqlite3.Connection, words: str, count: int) -> list[Summary]:
    """Return the conversations with all of `words` in one message, best first, with the line that matched."""
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
    """Return the words of what was asked last, newest first, each once; what nobody types is left out.

    That is a question of material alone, and in older messages a whole document with its question.
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
    """The conversations whose path runs through a message."""
    return rows(
        connection,
        "WITH RECURSIVE below(id) AS (SELECT ? UNION ALL "
        "SELECT m.id FROM messages m JOIN below ON m.parent = below.id) "
        "SELECT * FROM conversations WHERE head IN below ORDER BY sequence DESC",
        (message,),
    ).fetchall()
