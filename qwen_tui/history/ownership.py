"""Assigns each message to one conversation, its owner, though the paths of several may lead through the message."""

import sqlite3
from collections.abc import Iterable


def find_owners(connection: sqlite3.Connection) -> None:
    """Give an owner to each message that has none: older versions of the program did not store one.

    A message on the path of a head belongs to the oldest conversation with such a path. A message that /undo has taken
    back belongs to the owner of the message before it. If it is a first question, it belongs to the conversation that
    began at the same moment, or else to the last one that began before it.
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
    # In the order of their numbers, a message comes before those behind it.
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
    """Number the conversations in the order of their last messages. The times are not used: a clock may be wrong."""
    ordered = connection.execute(
        "SELECT c.id FROM conversations c LEFT JOIN messages m ON m.conversation = c.id "
        "GROUP BY c.id ORDER BY max(max(coalesce(m.id, 0)), coalesce(c.head, 0)), c.rowid"
    ).fetchall()
    connection.executemany(
        "UPDATE conversations SET sequence = ? WHERE id = ?",
        [(number, conversation) for number, (conversation,) in enumerate(ordered, 1)],
    )


def hand_over(connection: sqlite3.Connection, conversation: str) -> list[int]:
    """Give the messages of `conversation` that others need to these; return the messages that are left, newest first.

    A conversation needs the messages before its head and before its own messages. If several need one, the oldest gets
    it.
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
    """Delete messages, given newest first, that no other message builds upon, and all references to them."""
    for message in messages:
        connection.execute("UPDATE messages SET instead_of = NULL WHERE instead_of = ?", (message,))
        connection.execute("UPDATE conversations SET undone = NULL WHERE undone = ?", (message,))
        connection.execute("DELETE FROM messages WHERE id = ?", (message,))
        connection.execute("DELETE FROM grams WHERE rowid = ?", (message,))


def _beginnings(connection: sqlite3.Connection, owners: dict[int, str]) -> list[tuple[int, str]]:
    """Return the first message of each conversation with its owner, in the order of the messages."""
    first: dict[str, int] = {}
    owned = connection.execute("SELECT min(id), conversation FROM messages WHERE conversation IS NOT NULL GROUP BY 2")
    for message, owner in [*owned, *owners.items()]:
        first[owner] = min(message, first.get(owner, message))
    return sorted((message, owner) for owner, message in first.items())


def _begun_before(connection: sqlite3.Connection, message: int, begins: list[tuple[int, str]]) -> str | None:
    """Return the last conversation that began before `message`, else the oldest one, None if there is none."""
    earlier = [owner for first, owner in begins if first < message]
    if earlier:
        return earlier[-1]
    oldest = connection.execute("SELECT id FROM conversations ORDER BY rowid LIMIT 1").fetchone()
    return str(oldest[0]) if oldest else None


def _owner(connection: sqlite3.Connection, message: int) -> str | None:
    found = connection.execute("SELECT conversation FROM messages WHERE id = ?", (message,)).fetchone()
    return found[0] if found else None
