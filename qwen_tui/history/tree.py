"""The tree of messages: the path to where a conversation stands, and the steps that lead there and back.

Each answer was reached by one step: a question that was asked behind another answer, or an /edit or /retry that put it
in the place of one. /undo goes back by that step, /redo forward again, along the steps to the answer that was left
first. So both are the same before and after the program has ended.
"""

import sqlite3

from qwen_tui.history import parts
from qwen_tui.history.records import rows
from qwen_tui.messages import Exchange

_FIELDS = "a.id, q.id AS asked, q.content AS words, a.content AS answer, a.reason, a.cut_by, a.instead_of, q.parent"
_TURN = "messages a JOIN messages q ON q.id = a.parent"
_EXCHANGE = f"SELECT {_FIELDS} FROM {_TURN} WHERE a.id = ?"


def path(connection: sqlite3.Connection, head: int | None) -> tuple[Exchange, ...]:
    """Return what was said up to the answer `head`, in order, questions that were never answered too."""
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
    """Return what lies between where a conversation stands, `head`, and what was taken back first, `tip`, that first.

    Where no step leads from one to the other any more, there is nothing to bring back.
    """
    found: list[Exchange] = []
    stands = last_answered(connection, head)
    while tip is not None and tip != stands:
        row = rows(connection, _EXCHANGE, (tip,)).fetchone()
        found.append(_exchange(connection, row))
        tip = row["instead_of"] or last_answered(connection, row["parent"])
    return tuple(found) if tip == stands else ()


def before(connection: sqlite3.Connection, answer: int) -> int | None:
    """Return the answer that the question of `answer` was asked behind, None where it was the first."""
    parent: int | None = rows(connection, _EXCHANGE, (answer,)).fetchone()["parent"]
    return parent


def last_answered(connection: sqlite3.Connection, head: int | None) -> int | None:
    """Return `head`, or where nothing was answered there, the last answer before it."""
    while head is not None:
        row = rows(connection, _EXCHANGE, (head,)).fetchone()
        if row["answer"]:
            break
        head = row["parent"]
    return head


def not_given_back(connection: sqlite3.Connection, head: int | None) -> int | None:
    """Return `head`, or what is before its turn if that ended without an answer: its question went back to the person.

    A question that never ended, because its program was killed, stays where it was asked.
    """
    turn = rows(connection, _EXCHANGE, (head,)).fetchone()
    return turn["parent"] if turn and not turn["answer"] and turn["reason"] is not None else head


def _exchange(connection: sqlite3.Connection, row: sqlite3.Row) -> Exchange:
    """Return an exchange with those whose place it took, each after the other."""
    line = [row]
    while line[-1]["instead_of"] is not None:
        line.append(rows(connection, _EXCHANGE, (line[-1]["instead_of"],)).fetchone())
    exchange = None
    for one in reversed(line):
        exchange = Exchange(
            parts.read(connection, one["asked"], one["words"]),
            one["answer"],
            one["reason"],
            one["cut_by"],
            kept=one["id"],
            instead_of=exchange,
        )
    assert exchange is not None, "a line has at least one row"
    return exchange
