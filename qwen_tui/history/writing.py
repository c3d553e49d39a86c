"""The parts of a write to the history: adding messages, beginning conversations, branching and ordering them."""

import secrets
import sqlite3

from qwen_tui import grams
from qwen_tui.history import question_parts
from qwen_tui.messages import Question

# People read ids aloud and type them: no characters that look alike, and no vowels, so that no id spells a word.
_ALPHABET = "bcdfghjkmnpqrstvwxz23456789"
_ID_LENGTH = 6


def begin(connection: sqlite3.Connection, title: str, model: str, system: str | None, now: float) -> str:
    """Add a conversation without messages and return its id."""
    new = _new_id(connection)
    connection.execute(
        "INSERT INTO conversations(id, title, model, system, created, written) VALUES (?, ?, ?, ?, ?, ?)",
        (new, title, model, system, now, now),
    )
    return new


def branch(connection: sqlite3.Connection, conversation: str, head: int | None, now: float) -> str:
    """Add a copy of the conversation with another head, and return its id."""
    new = _new_id(connection)
    connection.execute(
        "INSERT INTO conversations(id, title, model, system, created, written, head, undone) "
        "SELECT ?, title, model, system, ?, ?, ?, undone FROM conversations WHERE id = ?",
        (new, now, now, head, conversation),
    )
    mark_written(connection, new, now)
    return new


def mark_written(connection: sqlite3.Connection, conversation: str, now: float) -> None:
    """Make the conversation the one that was written last, even if the clock is wrong."""
    connection.execute(
        "UPDATE conversations SET written = ?, sequence = 1 + (SELECT max(sequence) FROM conversations) WHERE id = ?",
        (now, conversation),
    )


def add(
    connection: sqlite3.Connection,
    conversation: str,
    parent: int | None,
    role: str,
    content: str,
    now: float,
    *,
    instead_of: int | None = None,
) -> int:
    """Add a message after `parent` and return its number; `index` adds its words to the full-text index."""
    cursor = connection.execute(
        "INSERT INTO messages(conversation, parent, role, content, created, instead_of) VALUES (?, ?, ?, ?, ?, ?)",
        (conversation, parent, role, content, now, instead_of),
    )
    message = cursor.lastrowid
    assert message is not None
    return message


def add_question(
    connection: sqlite3.Connection, conversation: str, parent: int | None, question: Question, now: float
) -> int:
    """Add a question after `parent` and return its number; the words of all its parts are indexed."""
    message = add(connection, conversation, parent, "user", question.words, now)
    question_parts.write(connection, message, question)
    index(connection, message, question_parts.text(connection, message, question.words))
    return message


def index(connection: sqlite3.Connection, message: int, content: str) -> None:
    """Put the words of `content` into the full-text index, in place of what the message had there."""
    connection.execute("DELETE FROM grams WHERE rowid = ?", (message,))
    connection.execute("INSERT INTO grams(rowid, body) VALUES (?, ?)", (message, grams.grams(content)))


def _new_id(connection: sqlite3.Connection) -> str:
    while True:
        new = "".join(secrets.choice(_ALPHABET) for _i in range(_ID_LENGTH))
        if not connection.execute("SELECT 1 FROM conversations WHERE id = ?", (new,)).fetchone():
            return new
