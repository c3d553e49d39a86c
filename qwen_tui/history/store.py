"""The conversations of one user: written before they are needed, found again by words.

Messages form a tree: a conversation is the path from its `head` up to the first message. A fork is another
conversation with the same head, so it shares its past; taking a turn back moves the head up and deletes nothing.
Two programs that go on with one conversation end up in two: neither writes into the other's.
"""

import contextlib
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qwen_tui import cancellation
from qwen_tui.errors import HistoryError
from qwen_tui.history import finding, grams
from qwen_tui.history.records import Record, Summary, rows, summary, title_of
from qwen_tui.history.schema import PATIENCE, PAUSE, connect, patiently, unusable
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import FinishReason, Message, as_text

# No vowels, no look-alikes: ids are read aloud and typed, and should not spell anything.
_ALPHABET = "bcdfghjkmnpqrstvwxz23456789"
_ID_LENGTH = 6
_LITTLE_PATIENCE = 0.2
# A turn that begins after this message comes after whatever is last.
LAST = -1
_PATH = """
    WITH RECURSIVE path(id, parent, role, content, depth) AS (
        SELECT id, parent, role, content, 0 FROM messages WHERE id = ?
        UNION ALL
        SELECT m.id, m.parent, m.role, m.content, depth + 1 FROM messages m JOIN path ON m.id = path.parent
    )
"""


class Turn:
    """A question that is committed, and its answer as it grows: the message `answer` of `conversation`."""

    def __init__(self, history: "History", conversation: str, answer: int, asked: float) -> None:
        self._history = history
        self._asked = asked
        self.answer = answer
        self.conversation = conversation

    def update(self, text: str, reason: FinishReason | None = None) -> None:
        """Commit the answer as far as it came; `reason` says that this is all of it."""
        self._history.write_answer(self.conversation, self.answer, self._asked, text, reason)


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
        question: str,
        *,
        model: str,
        system: str | None,
        after: int | None = LAST,
        title: str = "",
    ) -> Turn:
        """Commit `question` as the next turn of a conversation, a new one if None, before it is answered.

        A new one is called by the first line of `title`, or of the question.

        It takes the place of a last question that ended without an answer: that one was given back to the person.
        One that never ended, because the program was killed, stays.
        Where another program went on with the conversation behind the message `after`, this is a branch of it.
        """
        with self._writing() as connection:
            now = time.time()
            if conversation is None:
                conversation, after = self._new_id(), None
                connection.execute(
                    "INSERT INTO conversations VALUES (?, ?, ?, ?, ?, ?, NULL)",
                    (conversation, title_of(title) or title_of(question), model, system, now, now),
                )
            else:
                row = self._row(conversation)
                last = self._answered(row["head"])
                if after == LAST:
                    after = last
                elif after not in (row["head"], last):
                    conversation = self._branch(conversation, after, now)
            asked = self._add(after, "user", question, now)
            answer = self._add(asked, "assistant", "", now)
            connection.execute(
                "UPDATE conversations SET head = ?, written = ?, model = ?, system = ? WHERE id = ?",
                (answer, now, model, system, conversation),
            )
        return Turn(self, conversation, answer, now)

    def write_answer(
        self, conversation: str, answer: int, asked: float, text: str, reason: FinishReason | None
    ) -> None:
        """Replace an answer by its present text; `asked` is when it began."""
        # A growing answer is not worth holding up: it is written again in a moment.
        with self._writing(PATIENCE if reason else _LITTLE_PATIENCE) as connection:
            # The id of a message that was removed may have been given to another one; the time was not.
            found = connection.execute(
                "UPDATE messages SET content = ?, reason = ? WHERE id = ? AND created = ?",
                (text, reason, answer, asked),
            )
            if not found.rowcount:
                raise _not_one(_("There is no conversation “{id}”.").format(id=conversation))
            connection.execute("DELETE FROM grams WHERE rowid = ?", (answer,))
            connection.execute("INSERT INTO grams(rowid, body) VALUES (?, ?)", (answer, grams.grams(text)))
            connection.execute("UPDATE conversations SET written = ? WHERE id = ?", (time.time(), conversation))

    def take_back(self, conversation: str, answer: int | None = LAST) -> int | None:
        """Leave the turn of `answer`, if it is the last, out of the conversation; it stays in the database.

        Return the message before the turn.
        """
        with self._writing() as connection:
            if answer == LAST:
                answer = self._row(conversation)["head"]
            before = connection.execute(
                "SELECT q.parent FROM messages a JOIN messages q ON q.id = a.parent WHERE a.id = ?", (answer,)
            ).fetchone()
            new: int | None = before[0] if before else None
            connection.execute(
                "UPDATE conversations SET head = ? WHERE id = ? AND head = ?", (new, conversation, answer)
            )
        return new

    def fork(self, conversation: str) -> str:
        """Return a new conversation that shares the past of this one."""
        with self._writing():
            row = self._row(conversation)
            return self._branch(row["id"], row["head"], time.time())

    def remove(self, conversation: str) -> str:
        """Delete a conversation, and of its messages those that no other one shares, from the files as well.

        Return its id.
        """
        with self._writing(long=True) as connection:
            root: str = self._row(conversation)["id"]
            connection.execute("DELETE FROM conversations WHERE id = ?", (root,))
            kept = (
                "WITH RECURSIVE kept(id) AS (SELECT head FROM conversations WHERE head IS NOT NULL UNION "
                "SELECT m.parent FROM messages m JOIN kept ON m.id = kept.id WHERE m.parent IS NOT NULL) "
            )
            # Turns taken back hang on no head; they go with the first conversation that is removed after them.
            gone = [row[0] for row in connection.execute(kept + "SELECT id FROM messages WHERE id NOT IN kept")]
            for message in sorted(gone, reverse=True):
                connection.execute("DELETE FROM messages WHERE id = ?", (message,))
                connection.execute("DELETE FROM grams WHERE rowid = ?", (message,))
            # The index only marks what is deleted, until its parts are merged; the log still holds all of it.
            connection.execute("INSERT INTO grams(grams) VALUES ('optimize')")
        with self._guarded():
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return root

    def read(self, conversation: str) -> Record:
        """Return the conversation of this id, or of the only one that begins so."""
        row = self._row(conversation)
        with self._guarded():
            path = self._connection.execute(
                _PATH + "SELECT role, content FROM path ORDER BY depth DESC", (row["head"],)
            ).fetchall()
            head = self._answered(row["head"])
        return Record(summary(row), row["system"], tuple(Message(role, content) for role, content in path), head)

    def last(self) -> str | None:
        """Return the id of the conversation last written, if there is any."""
        recent = self.recent(1)
        return recent[0].id if recent else None

    def recent(self, count: int = 20) -> list[Summary]:
        """Return the conversations last written, newest first."""
        with self._guarded():
            cursor = rows(
                self._connection, "SELECT * FROM conversations ORDER BY written DESC, rowid DESC LIMIT ?", (count,)
            )
            return [summary(row) for row in cursor]

    def search(self, words: str, count: int = 20) -> list[Summary]:
        """Return the conversations with all of `words` in one message, best first, with the line that matched."""
        with self._guarded():
            return finding.search(self._connection, words, count)

    def questions(self, count: int = 1000) -> list[str]:
        """Return what was asked last, newest first, each once; what is longer than anyone types is left out."""
        with self._guarded():
            return finding.questions(self._connection, count)

    def _branch(self, conversation: str, head: int | None, now: float) -> str:
        """Add a conversation that is like this one, but for where it stands."""
        new = self._new_id()
        self._connection.execute(
            "INSERT INTO conversations SELECT ?, title, model, system, ?, ?, ? FROM conversations WHERE id = ?",
            (new, now, now, head, conversation),
        )
        return new

    def _answered(self, head: int | None) -> int | None:
        """Return `head`, or what is before its turn if that ended without an answer."""
        unanswered = rows(
            self._connection,
            "SELECT q.parent FROM messages a JOIN messages q ON q.id = a.parent WHERE a.id = ? "
            "AND a.content = '' AND a.reason IS NOT NULL",
            (head,),
        ).fetchone()
        return unanswered["parent"] if unanswered else head

    def _add(self, parent: int | None, role: str, content: str, now: float) -> int:
        cursor = self._connection.execute(
            "INSERT INTO messages(parent, role, content, created) VALUES (?, ?, ?, ?)", (parent, role, content, now)
        )
        message = cursor.lastrowid
        assert message is not None
        if content:
            self._connection.execute("INSERT INTO grams(rowid, body) VALUES (?, ?)", (message, grams.grams(content)))
        return message

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

    def _new_id(self) -> str:
        while True:
            new = "".join(secrets.choice(_ALPHABET) for _i in range(_ID_LENGTH))
            if not rows(self._connection, "SELECT 1 FROM conversations WHERE id = ?", (new,)).fetchone():
                return new

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


def _not_one(message: str) -> HistoryError:
    return HistoryError(message, _("See them with: qwen logs list, or in a conversation: /logs"))
