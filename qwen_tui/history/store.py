"""The conversations of one user: written before they are needed, found again by words.

Messages form a tree: a conversation is the path from its `head` up to the first message. A fork is another
conversation with the same head, so it shares its past; taking a turn back moves the head up and deletes nothing. An
answer that is to stand in the place of another gets the head with its first words, not before: until then, whatever
happens, the conversation is as it was. Two programs that go on with one conversation end up in two: neither writes into
the other's.

Each message belongs to one conversation, and is deleted with it, unless others build upon it.
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
from qwen_tui.history import finding, ownership, tree, writing
from qwen_tui.history.database import PATIENCE, PAUSE, connect, patiently, unusable
from qwen_tui.history.records import StoredConversation, Summary, rows, summary, title_of
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import FinishReason, Limit, Question, as_text

_LITTLE_PATIENCE = 0.2
# A turn that begins after this message comes after whatever is last.
LAST = -1


@dataclass(slots=True, kw_only=True)
class TurnWriter:
    """A question that is committed, and its answer as it grows: the message `answer` of `conversation`.

    `asked` is when it began. With the first words of the answer the conversation goes on with `model` and `system`; an
    answer `instead` of another then takes its place, if the head is still `head`. Where another program has moved that
    meanwhile, the turn becomes a branch: `conversation` is another one from then on.
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

    def update(self, text: str, reason: FinishReason | None = None, limit: Limit | None = None) -> None:
        """Commit the answer as far as it came; `reason` says that this is all of it, `limit` what cut it."""
        self.history.write_answer(self, text, reason, limit)


class History:
    """The database. Every method commits before it returns, and raises `HistoryError` where it cannot."""

    def __init__(self, path: Path) -> None:
        """Open or make the database at `path`."""
        self._path = path
        self._connection = connect(path)
        self._written = 0.0

    def close(self) -> None:
        """Close the database; what was written stays."""
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
        """Commit `question` as the next turn of a conversation, a new one if None, before it is answered.

        It takes the place of a last question that ended without an answer: that one was given back to the person.
        One that never ended, because the program was killed, stays. The answer `instead_of`, the last one, stays until
        the new one has begun. Where another program went on with the conversation behind the message `after`, this is a
        branch of it.
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
        """Replace the answer of `turn` by its present text."""
        # A growing answer is not worth holding up: it is written again in a moment.
        with self._writing(PATIENCE if reason else _LITTLE_PATIENCE) as connection:
            # The id of a message that was removed may have been given to another one; the time was not.
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
                # What looked like an answer was none.
                connection.execute(
                    "UPDATE conversations SET head = ? WHERE id = ? AND head = ?",
                    (turn.head, conversation, turn.answer),
                )
            writing.mark_written(connection, conversation, time.time())
        turn.conversation, turn.has_begun = conversation, turn.has_begun or begins

    def move(self, conversation: str, at: int | None, to: int | None, undone: int | None) -> None:
        """Let the conversation stand at the answer `to`, if it still stands `at` that one; nothing is deleted.

        `undone` is the answer that was taken back first, None where there is nothing to bring back.
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

    def remove(self, conversation: str) -> str:
        """Delete a conversation and its messages, from the files as well; return its id.

        What another conversation builds upon is that one's from now on. The messages of others stay, whatever they are.
        """
        with self._writing(long=True) as connection:
            root: str = self._row(conversation)["id"]
            ownership.find_owners(connection)
            connection.execute("UPDATE conversations SET head = NULL, undone = NULL WHERE id = ?", (root,))
            ownership.delete(connection, ownership.hand_over(connection, root))
            connection.execute("DELETE FROM conversations WHERE id = ?", (root,))
            # The index only marks what is deleted, until its parts are merged; the log still holds all of it.
            connection.execute("INSERT INTO grams(grams) VALUES ('optimize')")
        with self._guarded():
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return root

    def read(self, conversation: str) -> StoredConversation:
        """Return the conversation of this id, or of the only one that begins so."""
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
        """Return the id of the conversation last written, if there is any."""
        recent = self.recent(1)
        return recent[0].id if recent else None

    def recent(self, count: int = 20) -> list[Summary]:
        """Return the conversations last written, newest first, whatever the clock said."""
        with self._guarded():
            cursor = rows(self._connection, "SELECT * FROM conversations ORDER BY sequence DESC LIMIT ?", (count,))
            return [summary(row) for row in cursor]

    def search(self, words: str, count: int = 20) -> list[Summary]:
        """Return the conversations with all of `words` in one message, best first, with the line that matched."""
        with self._guarded():
            return finding.search(self._connection, words, count)

    def questions(self, count: int = 1000) -> list[str]:
        """Return the words of what was asked last, newest first, each once; what nobody types is left out."""
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
        """One transaction: all of it is on the disk at the end of the block, or nothing.

        Another's write is waited for with `patience`, in seconds. One that takes `long` may be cancelled in the middle.
        """
        with self._guarded():
            # Who writes again at once lets the others have their turn; a talk never writes that often.
            time.sleep(max(0.0, self._written + 2 * PAUSE - time.monotonic()))
            # Immediate: two writers take turns, instead of both reading first and one failing.
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
    """Let the conversation of `turn` go on with its answer, which has begun; return which one that is."""
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
