"""Conversations as they are read from the database."""

import sqlite3
from dataclasses import dataclass
from typing import Literal

from qwen_tui.messages import Exchange, PartKind, Question

_TITLE_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Hit:
    """What a search found: a line of an answer, or of a part of a question, which has a `name` if it is a material."""

    kind: PartKind | Literal["answer"]
    name: str
    line: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A conversation in a list; times are seconds since 1970. `hit` is what a search found in it."""

    id: str
    title: str
    model: str
    created: float
    written: float
    hit: Hit | None = None


@dataclass(frozen=True, slots=True)
class StoredConversation:
    """A complete conversation, in order. `head` is the number of the answer after which the next turn comes.

    `undone` are the exchanges that /undo took back and /redo can bring back; /redo begins with the last of them.
    """

    summary: Summary
    system: str | None
    exchanges: tuple[Exchange, ...]
    head: int | None = None
    undone: tuple[Exchange, ...] = ()


def title_of(question: Question) -> str:
    """Return the title of a conversation that begins with `question`: the first line of its words, shortened.

    Without words, it is the first line of the first material, or else of the template.
    """
    texts = (question.words, *(material.text for material in question.materials), *question.template.pieces)
    line = next((line.strip() for text in texts for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= _TITLE_LENGTH else line[: _TITLE_LENGTH - 1] + "…"


def summary(row: sqlite3.Row, hit: Hit | None = None) -> Summary:
    """Return a row of the table of conversations as a summary."""
    return Summary(row["id"], row["title"], row["model"], row["created"], row["written"], hit)


def rows(connection: sqlite3.Connection, statement: str, parameters: tuple[object, ...]) -> sqlite3.Cursor:
    """Execute `statement`; the rows of the cursor give access to columns by name."""
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    return cursor.execute(statement, parameters)
