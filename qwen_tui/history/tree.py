"""Reads the tree of messages: the path to the head of a conversation, and the steps back and forth.

One step leads to each answer: a new question after another answer, or an /edit or /retry that replaced an answer.
/undo goes back by that step. /redo goes forward again, towards the answer that /undo left first. The steps are stored,
so /undo and /redo do the same after a restart of the program.
"""

import sqlite3

from qwen_tui.history import question_parts
from qwen_tui.history.records import rows
from qwen_tui.messages import Exchange

_FIELDS = (
    "a.id, q.id AS asked, q.content AS words, a.content AS answer, a.reason, a.cut_by, a.instead_of, q.parent, "
    "(SELECT text FROM summaries WHERE message = a.id) AS summary"
)
_TURN = "messages a JOIN messages q ON q.id = a.parent"
_EXCHANGE = f"SELECT {_FIELDS} FROM {_TURN} WHERE a.id = ?"


def path(connection: sqlite3.Connection, head: int | None) -> tuple[Exchange, ...]:
    """Return the exchanges up to the answer `head`, in order, including questions that were never answered."""
    found = rows(
        connection,
        f"""
        WITH RECURSIVE path(answer, depth) AS (
            SELECT ?, 0 UNION ALL SELECT q.parent, depth + 1 FROM path JOIN {_TURN} WHERE a.id = answer
        )
        SELECT {_FIELDS} FROM path JOIN {_TURN} WHERE a.id = answer ORDER BY depth DESC
        """,
        (head,),
    )
    return tuple(_exchange(connection, row) for row in found)


def undone(connection: sqlite3.Connection, tip: int | None, head: int | None) -> tuple[Exchange, ...]:
    """Return the exchanges from the answer that /undo took back first, `tip`, down to `head`, which is excluded.

    If no steps lead from `head` to `tip` any more, there is nothing to bring back.
    """
    found: list[Exchange] = []
    stands = last_answered(connection, head)
    while tip is not None and tip != stands:
        row = rows(connection, _EXCHANGE, (tip,)).fetchone()
        found.append(_exchange(connection, row))
        tip = row["instead_of"] or last_answered(connection, row["parent"])
    return tuple(found) if tip == stands else ()


def before(connection: sqlite3.Connection, answer: int) -> int | None:
    """Return the answer before the question of `answer`, None if that was the first question."""
    parent: int | None = rows(connection, _EXCHANGE, (answer,)).fetchone()["parent"]
    return parent


def last_answered(connection: sqlite3.Connection, head: int | None) -> int | None:
    """Return `head`, or if its answer is empty, the last answer before it that is not."""
    while head is not None:
        row = rows(connection, _EXCHANGE, (head,)).fetchone()
        if row["answer"]:
            break
        head = row["parent"]
    return head


def not_given_back(connection: sqlite3.Connection, head: int | None) -> int | None:
    """Return `head`, or if its turn ended without an answer, the answer before: the person got the question back.

    A question that never ended, because its program was killed, keeps its place.
    """
    turn = rows(connection, _EXCHANGE, (head,)).fetchone()
    return turn["parent"] if turn and not turn["answer"] and turn["reason"] is not None else head


def _exchange(connection: sqlite3.Connection, row: sqlite3.Row) -> Exchange:
    """Return an exchange with the ones that it replaced, each in the `instead_of` of the next."""
    versions = [row]
    while versions[-1]["instead_of"] is not None:
        versions.append(rows(connection, _EXCHANGE, (versions[-1]["instead_of"],)).fetchone())
    exchange = None
    for one in reversed(versions):
        exchange = Exchange(
            question_parts.read(connection, one["asked"], one["words"]),
            one["answer"],
            one["reason"],
            one["cut_by"],
            kept=one["id"],
            instead_of=exchange,
            summary=one["summary"] or "",
        )
    assert exchange is not None, "there is at least one version"
    return exchange
