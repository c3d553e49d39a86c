"""Whose message each is: every message belongs to one conversation, though the paths of several may lead over it."""

import sqlite3
from collections.abc import Iterable


def find_owners(connection: sqlite3.Connection) -> None:
    """Give a conversation to each message that has none: older versions of the program did not note it.

    A message on the path of a head belongs to the oldest conversation with such a path; one that was taken back, to the
    conversation of the message before it. A question at the very beginning that was taken back belongs to the
    conversation that was begun at the same moment, or else to the one that was begun last before it.
    """
    before = dict(connection.execute("SELECT id, parent FROM messages WHERE conversation IS NULL"))
    if not before:
        return
    owners: dict[int, str] = {}
    for conversation, head in connection.execute("SELECT id, head FROM conversations ORDER BY rowid"):
        message = head
        while message in before and message not in owners:
            owners[message] = conversation
            message = before[message]
    begun = connection.execute(
        "SELECT m.id, c.id FROM conversations c JOIN messages m ON m.created = c.created "
        "WHERE m.parent IS NULL AND m.conversation IS NULL"
    )
    for message, conversation in begun:
        owners.setdefault(message, conversation)
    begins = _beginnings(connection, owners)
    # A message is older than those behind it, and its number is smaller.
    for message in sorted(before.keys() - owners.keys()):
        parent = before[message]
        if parent is None:
            found = _begun_before(connection, message, begins)
        else:
            found = owners.get(parent) or _owner(connection, parent)
        if found is not None:
            owners[message] = found
    connection.executemany(
        "UPDATE messages SET conversation = ? WHERE id = ?", [(owner, message) for message, owner in owners.items()]
    )


def number_conversations(connection: sqlite3.Connection) -> None:
    """Number the conversations in the order of their last messages, whatever the clock said when they were written."""
    ordered = connection.execute(
        "SELECT c.id FROM conversations c LEFT JOIN messages m ON m.conversation = c.id "
        "GROUP BY c.id ORDER BY max(max(coalesce(m.id, 0)), coalesce(c.head, 0)), c.rowid"
    ).fetchall()
    connection.executemany(
        "UPDATE conversations SET sequence = ? WHERE id = ?",
        [(number, conversation) for number, (conversation,) in enumerate(ordered, 1)],
    )


def hand_over(connection: sqlite3.Connection, conversation: str) -> list[int]:
    """Give each message that another conversation builds upon to that one; return those that are left, newest first.

    A conversation builds upon what lies before its head and before its own messages. Of several, the oldest gets it.
    """
    heirs: dict[int, str] = {}
    for message, heir in connection.execute(
        """
        WITH RECURSIVE needed(message, heir) AS (
            SELECT c.head, c.id FROM conversations c JOIN messages m ON m.id = c.head
            WHERE c.id != :conversation AND m.conversation = :conversation
            UNION
            SELECT m.parent, m.conversation FROM messages p JOIN messages m ON m.parent = p.id
            WHERE p.conversation = :conversation AND m.conversation != :conversation
            UNION
            SELECT m.parent, heir FROM needed JOIN messages m ON m.id = needed.message WHERE m.parent IS NOT NULL
        )
        SELECT message, heir FROM needed JOIN messages m ON m.id = message JOIN conversations c ON c.id = heir
        WHERE m.conversation = :conversation ORDER BY c.rowid
        """,
        {"conversation": conversation},
    ):
        heirs.setdefault(message, heir)
    connection.executemany(
        "UPDATE messages SET conversation = ? WHERE id = ?", [(heir, message) for message, heir in heirs.items()]
    )
    left = connection.execute("SELECT id FROM messages WHERE conversation = ? ORDER BY id DESC", (conversation,))
    return [row[0] for row in left]


def delete(connection: sqlite3.Connection, messages: Iterable[int]) -> None:
    """Delete messages, given newest first, that no conversation builds upon; what only remembers them forgets them."""
    for message in messages:
        connection.execute("UPDATE messages SET instead_of = NULL WHERE instead_of = ?", (message,))
        connection.execute("UPDATE conversations SET undone = NULL WHERE undone = ?", (message,))
        connection.execute("DELETE FROM messages WHERE id = ?", (message,))
        connection.execute("DELETE FROM grams WHERE rowid = ?", (message,))


def _beginnings(connection: sqlite3.Connection, owners: dict[int, str]) -> list[tuple[int, str]]:
    """Return with which message each conversation begins, in their order."""
    first: dict[str, int] = {}
    owned = connection.execute("SELECT min(id), conversation FROM messages WHERE conversation IS NOT NULL GROUP BY 2")
    for message, owner in [*owned, *owners.items()]:
        first[owner] = min(message, first.get(owner, message))
    return sorted((message, owner) for owner, message in first.items())


def _begun_before(connection: sqlite3.Connection, message: int, begins: list[tuple[int, str]]) -> str | None:
    """Return the conversation that was begun last before a message, or else the oldest; None where there is none."""
    earlier = [owner for first, owner in begins if first < message]
    if earlier:
        return earlier[-1]
    oldest = connection.execute("SELECT id FROM conversations ORDER BY rowid LIMIT 1").fetchone()
    return str(oldest[0]) if oldest else None


def _owner(connection: sqlite3.Connection, message: int) -> str | None:
    found = connection.execute("SELECT conversation FROM messages WHERE id = ?", (message,)).fetchone()
    return found[0] if found else None
