"""Conversations as they come out of the database."""

import sqlite3
from dataclasses import dataclass

from qwen_tui.messages import Exchange, Question

_TITLE_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Summary:
    """A conversation in a list; times are seconds since 1970. `line` is what a search found, from the original text."""

    id: str
    title: str
    model: str
    created: float
    written: float
    line: str = ""


@dataclass(frozen=True, slots=True)
class StoredConversation:
    """A conversation whole, in order. `head` is the answer that the next turn comes after.

    `undone` is what was taken back from its end and can be brought back: what /redo brings back last stands first.
    """

    summary: Summary
    system: str | None
    exchanges: tuple[Exchange, ...]
    head: int | None = None
    undone: tuple[Exchange, ...] = ()


def title_of(question: Question) -> str:
    """Return the title of a conversation that begins with `question`: the first line of its words, cut.

    Without words it is the first line of the first material, or else of the template.
    """
    texts = (question.words, *(material.text for material in question.materials), *question.template.pieces)
    line = next((line.strip() for text in texts for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= _TITLE_LENGTH else line[: _TITLE_LENGTH - 1] + "…"


def summary(row: sqlite3.Row, line: str = "") -> Summary:
    """Return a row of the table of conversations as a summary."""
    return Summary(row["id"], row["title"], row["model"], row["created"], row["written"], line)


def rows(connection: sqlite3.Connection, statement: str, parameters: tuple[object, ...]) -> sqlite3.Cursor:
    """Return a cursor over rows whose columns have names."""
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    return cursor.execute(statement, parameters)
