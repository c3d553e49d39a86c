"""Stores the parts of a question beside the person's words: its materials, what a template added, and what was given.

The words themselves are the content of the message.
"""

import sqlite3

import msgspec

from qwen_tui.history.records import rows
from qwen_tui.messages import Filled, Given, Material, PartKind, Question

# The kinds of rows that are not material: a template's system text, and its body around the text or around the words.
_SYSTEM, _AROUND_TEXT, _AROUND_WORDS = "system", "template", "template around words"


def write(connection: sqlite3.Connection, message: int, question: Question) -> None:
    """Store the parts of `question`, which is the message of this number."""
    template = question.template
    around = _AROUND_WORDS if template.holds == "words" else _AROUND_TEXT
    kept: list[tuple[str, str, str]] = [(one.kind, one.name, one.text) for one in question.materials]
    kept += [(around, template.name, piece) for piece in template.pieces]
    if template.system:
        kept.insert(0, (_SYSTEM, template.name, template.system))
    connection.executemany(
        "INSERT INTO parts(message, position, kind, name, text) VALUES (?, ?, ?, ?, ?)",
        [(message, position, *part) for position, part in enumerate(kept)],
    )
    if question.given is not None:
        write_given(connection, message, question.given)


def write_given(connection: sqlite3.Connection, message: int, given: Given) -> None:
    """Store what the model got in place of the materials of the question `message`."""
    connection.execute(
        "INSERT OR REPLACE INTO given(message, way, materials, read, total) VALUES (?, ?, ?, ?, ?)",
        (message, given.way, msgspec.json.encode(given.materials), given.read, given.total),
    )


def read(connection: sqlite3.Connection, message: int, words: str) -> Question:
    """Return the question with these `words` and the stored parts of the message."""
    materials: list[Material] = []
    pieces: list[str] = []
    filled = Filled()
    for row in _rows(connection, message):
        if row["kind"] == _SYSTEM:
            filled = Filled(row["name"], row["text"], holds=filled.holds)
        elif row["kind"] in (_AROUND_TEXT, _AROUND_WORDS):
            pieces.append(row["text"])
            filled = Filled(row["name"], filled.system, holds="words" if row["kind"] == _AROUND_WORDS else "text")
        else:
            materials.append(Material(row["name"], row["text"], row["kind"]))
    template = Filled(filled.name, filled.system, tuple(pieces), filled.holds)
    return Question(words, tuple(materials), template, _given(connection, message))


def _given(connection: sqlite3.Connection, message: int) -> Given | None:
    row = rows(connection, "SELECT way, materials, read, total FROM given WHERE message = ?", (message,)).fetchone()
    if row is None:
        return None
    return Given(
        row["way"], msgspec.json.decode(row["materials"], type=tuple[Material, ...]), row["read"], row["total"]
    )


def text(connection: sqlite3.Connection, message: int, content: str) -> str:
    """Return all that a message says, each part on lines of its own: what a search looks through."""
    return "\n".join([content, *(text for _kind, _name, text in beside_words(connection, message))])


def beside_words(connection: sqlite3.Connection, message: int) -> list[tuple[PartKind, str, str]]:
    """Return the kind, the name and the text of each part that a message has beside the person's words."""
    found = _rows(connection, message)
    return [("template" if row["kind"] == _AROUND_WORDS else row["kind"], row["name"], row["text"]) for row in found]


def _rows(connection: sqlite3.Connection, message: int) -> sqlite3.Cursor:
    return rows(connection, "SELECT kind, name, text FROM parts WHERE message = ? ORDER BY position", (message,))
