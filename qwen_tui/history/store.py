"""Stores the conversations of one user, and finds them by their words.

The messages form a tree. A conversation is the path from its `head` up to the first message:
- A fork is another conversation with the same head, so both share their past.
- Taking a turn back moves the head up, and deletes nothing.
- An answer that replaces another gets the head with its first words. Until then the conversation stays as it was,
  whatever happens.
- If two programs go on with one conversation, one of them gets a conversation of its own: neither writes into the
  other's.

Each message belongs to one conversation, and is deleted with it, unless another conversation builds upon it.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from qwen_tui import cancellation
from qwen_tui.errors import HistoryError
from qwen_tui.history import finding, ownership, question_parts, tree, writing
from qwen_tui.history.database import PATIENCE, PAUSE, connect, patiently, unusable
from qwen_tui.history.records import StoredConversation, Summary, rows, summary, title_of
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import FinishReason, Given, Limit, Question
from qwen_tui.typed_text import as_text

# A growing answer is written again soon: so long, in seconds, does one such write wait for another process.
_LITTLE_PATIENCE = 0.2
# Stands for the last message of a conversation.
LAST = -1


@dataclass(slots=True, kw_only=True)
class TurnWriter:
    """Writes the growing answer of a question that is committed: the message `answer` of `conversation`.

    `asked` is the time of the question. The first words of the answer make `model` and `system` those of the
    conversation. If the answer is written `instead` of another, they also move the head from `head` to it. If another
    program has moved the head meanwhile, the turn becomes a branch, and `conversation` changes to that.
    """

    history: "History"
    conversation: str
    answer: int
    asked: float
    model: str
    system: str | None
    head: int | None
    instead: bool
    has_begun: bool = False

    def give(self, given: Given) -> None:
        """Commit what the model gets in place of the materials of the question."""
        self.history.write_given(self, given)

    def update(self, text: str, reason: FinishReason | None = None, limit: Limit | None = None) -> None:
        """Commit the answer so far. With a `reason` it is complete; `limit` says what cut it off."""
        self.history.write_answer(self, text, reason, limit)


class History:
    """The conversations of one user. Every method commits before it returns, or raises `HistoryError`."""

    def __init__(self, path: Path) -> None:
        """Open the database at `path`, or create it."""
        self._path = path
        self._connection = connect(path)
        self._written = 0.0

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def begin(
        self,
        conversation: str | None,
        question: Question,
        *,
        model: str,
        system: str | None,
        after: int | None = LAST,
        instead_of: int | None = None,
    ) -> TurnWriter:
        """Commit `question` as the next turn of a conversation, of a new one if None, before it is answered.

        If the last question ended without an answer, the new one replaces it: the person got its words back to edit.
        If the program was killed before that question ended, it stays. The answer `instead_of`, always the last one,
        stays until the new answer begins. If another program has gone on with the conversation after the message
        `after`, the new turn begins a branch.
        """
        with self._writing() as connection:
            now = time.time()
            if conversation is None:
                conversation = writing.begin(connection, title_of(question), model, system, now)
                head = after = None
            else:
                row = self._row(conversation)
                conversation, head, last = row["id"], row["head"], tree.not_given_back(connection, row["head"])
                if after == LAST:
                    after = last
                elif after not in (head, last):
                    conversation, head = writing.branch(connection, conversation, after, now), after
            parent = after if instead_of is None else tree.before(connection, instead_of)
            asked = writing.add_question(connection, conversation, parent, question, now)
            answer = writing.add(connection, conversation, asked, "assistant", "", now, instead_of=instead_of)
            if instead_of is None:
                head = answer
                connection.execute("UPDATE conversations SET head = ? WHERE id = ?", (head, conversation))
            writing.mark_written(connection, conversation, now)
        return TurnWriter(
            history=self,
            conversation=conversation,
            answer=answer,
            asked=now,
            model=model,
            system=system,
            head=head,
            instead=instead_of is not None,
        )

    def write_answer(
        self, turn: TurnWriter, text: str, reason: FinishReason | None = None, limit: Limit | None = None
    ) -> None:
        """Replace the answer of `turn` by `text`; see `TurnWriter.update`."""
        with self._writing(PATIENCE if reason else _LITTLE_PATIENCE) as connection:
            # SQLite may have given the number of a removed message to another one, whose time differs.
            found = connection.execute(
                "UPDATE messages SET content = ?, reason = ?, cut_by = ? WHERE id = ? AND created = ?",
                (text, reason, limit, turn.answer, turn.asked),
            )
            if not found.rowcount:
                raise _not_one(_("There is no conversation “{id}”.").format(id=turn.conversation))
            writing.index(connection, turn.answer, text)
            begins = bool(text) and not turn.has_begun
            conversation = _go_on_with(connection, turn) if begins else turn.conversation
            if reason and not text and turn.instead:
                # The first words were reasoning, not an answer: the replaced answer gets the head back.
                connection.execute(
                    "UPDATE conversations SET head = ? WHERE id = ? AND head = ?",
                    (turn.head, conversation, turn.answer),
                )
            writing.mark_written(connection, conversation, time.time())
        turn.conversation, turn.has_begun = conversation, turn.has_begun or begins

    def write_given(self, turn: TurnWriter, given: Given) -> None:
        """Store what the model gets in place of the materials of the question of `turn`."""
        with self._writing() as connection:
            # As in `write_answer`: the number of a removed message may be that of another one.
            asked = connection.execute(
                "SELECT parent FROM messages WHERE id = ? AND created = ?", (turn.answer, turn.asked)
            ).fetchone()
            if asked is None:
                raise _not_one(_("There is no conversation “{id}”.").format(id=turn.conversation))
            question_parts.write_given(connection, asked[0], given)

    def write_summary(self, answer: int, summary: str) -> None:
        """Store a summary of a conversation up to the message `answer`."""
        with self._writing() as connection:
            connection.execute("INSERT OR REPLACE INTO summaries(message, text) VALUES (?, ?)", (answer, summary))

    def move(self, conversation: str, at: int | None, to: int | None, undone: int | None) -> None:
        """Move the head of the conversation to the answer `to`, if it is still `at`; nothing is deleted.

        `undone` is the answer that /undo took back first, None if there is nothing to bring back.
        """
        with self._writing() as connection:
            row = self._row(conversation)
            if at in (row["head"], tree.not_given_back(connection, row["head"])):
                connection.execute(
                    "UPDATE conversations SET head = ?, undone = ? WHERE id = ?", (to, undone, row["id"])
                )
                writing.mark_written(connection, row["id"], time.time())

    def fork(self, conversation: str) -> str:
        """Return a new conversation that shares the past of this one."""
        with self._writing() as connection:
            row = self._row(conversation)
            return writing.branch(connection, row["id"], row["head"], time.time())

    def remove(self, *conversations: str) -> list[str]:
        """Delete conversations and their messages, from the files as well; return their ids.

        Where one of them is not there, none is deleted. What another conversation builds upon is that one's from now
        on. The messages of others stay, whatever they are.
        """
        with self._writing(long=True) as connection:
            roots = list(dict.fromkeys(self._row(conversation)["id"] for conversation in conversations))
            ownership.find_owners(connection)
            for root in roots:
                cancellation.check()
                connection.execute("UPDATE conversations SET head = NULL, undone = NULL WHERE id = ?", (root,))
                ownership.delete(connection, ownership.hand_over(connection, root))
                connection.execute("DELETE FROM conversations WHERE id = ?", (root,))
            # The index only marks what is deleted, until its parts are merged; the log still holds all of it.
            connection.execute("INSERT INTO grams(grams) VALUES ('optimize')")
        with self._guarded():
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return roots

    def read(self, conversation: str) -> StoredConversation:
        """Return the conversation with this id, or the only one whose id begins with it."""
        row = self._row(conversation)
        with self._guarded():
            return StoredConversation(
                summary(row),
                row["system"],
                tree.path(self._connection, row["head"]),
                tree.not_given_back(self._connection, row["head"]),
                tree.undone(self._connection, row["undone"], row["head"]),
            )

    def last(self) -> str | None:
        """Return the id of the conversation that was written last, None if there is none."""
        recent = self.recent(1)
        return recent[0].id if recent else None

    def recent(self, count: int | None = 20) -> list[Summary]:
        """Return the conversations last written, None for all, newest first, whatever the clock said."""
        with self._guarded():
            # SQLite has no limit below 0.
            limit = -1 if count is None else count
            cursor = rows(self._connection, "SELECT * FROM conversations ORDER BY sequence DESC LIMIT ?", (limit,))
            return [summary(row) for row in cursor]

    def search(self, words: str, count: int = 20) -> list[Summary]:
        """Return the conversations with all of `words` in one message, newest first, with the line that matched."""
        with self._guarded():
            return finding.search(self._connection, words, count)

    def questions(self, count: int = 1000) -> list[str]:
        """Return the person's words of the last questions, newest first; see `finding.questions`."""
        with self._guarded():
            return finding.questions(self._connection, count)

    def _row(self, conversation: str) -> sqlite3.Row:
        conversation = as_text(conversation)
        with self._guarded():
            found = rows(self._connection, "SELECT * FROM conversations WHERE id = ?", (conversation,)).fetchall()
            if not found and conversation:
                begins = "SELECT * FROM conversations WHERE substr(id, 1, ?) = ? LIMIT 2"
                found = rows(self._connection, begins, (len(conversation), conversation)).fetchall()
        if not found:
            raise _not_one(_("There is no conversation “{id}”.").format(id=conversation))
        if len(found) > 1:
            raise _not_one(_("More than one conversation begins with “{id}”.").format(id=conversation))
        return found[0]  # type: ignore[no-any-return]

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise unusable(self._path, error) from error

    @contextmanager
    def _writing(self, patience: float = PATIENCE, *, long: bool = False) -> Iterator[sqlite3.Connection]:
        """Run the block as one transaction: at its end, all of it is on the disk, or nothing.

        Waits up to `patience` seconds for another process that writes. Only a `long` transaction can be cancelled.
        """
        with self._guarded():
            # A pause between two writes gives other processes a chance. A conversation never writes that often.
            time.sleep(max(0.0, self._written + 2 * PAUSE - time.monotonic()))
            # IMMEDIATE: otherwise two processes could both read first, and then one would fail to write.
            patiently(self._connection, "BEGIN IMMEDIATE", patience)
            try:
                with contextlib.nullcontext() if long else cancellation.shielded():
                    yield self._connection
                    self._connection.execute("COMMIT")
                self._written = time.monotonic()
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def _go_on_with(connection: sqlite3.Connection, turn: TurnWriter) -> str:
    """Make the answer of `turn`, which has begun, a part of its conversation; return that, or a new branch."""
    conversation = turn.conversation
    if turn.instead:
        moved = connection.execute(
            "UPDATE conversations SET head = ? WHERE id = ? AND head IS ?", (turn.answer, conversation, turn.head)
        )
        if not moved.rowcount:
            conversation = writing.branch(connection, conversation, turn.answer, time.time())
            connection.execute(
                "UPDATE messages SET conversation = ? WHERE id IN (?, (SELECT parent FROM messages WHERE id = ?))",
                (conversation, turn.answer, turn.answer),
            )
    connection.execute(
        "UPDATE conversations SET model = ?, system = ?, undone = NULL WHERE id = ?",
        (turn.model, turn.system, conversation),
    )
    return conversation


def _not_one(message: str) -> HistoryError:
    return HistoryError(message, _("See them with: qwen logs list, or in a conversation: /logs"))
