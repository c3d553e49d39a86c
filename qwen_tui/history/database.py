"""The database's layout, and how it is opened: durable, private, and never overwritten by what does not know it."""

import errno
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from qwen_tui import cancellation
from qwen_tui.errors import CancelledError, HistoryError, why
from qwen_tui.files import private_folder
from qwen_tui.history import ownership
from qwen_tui.i18n import gettext as _

# Each step takes a database from the version of its index to the next; `PRAGMA user_version` says where one stands.
MIGRATIONS: tuple[str | Callable[[sqlite3.Connection], None], ...] = (
    """
    CREATE TABLE conversations (
        id       TEXT PRIMARY KEY,
        title    TEXT NOT NULL,
        model    TEXT NOT NULL,
        system   TEXT,
        created  REAL NOT NULL,
        written  REAL NOT NULL,
        head     INTEGER REFERENCES messages(id)
    );
    CREATE TABLE messages (
        id       INTEGER PRIMARY KEY,
        parent   INTEGER REFERENCES messages(id),
        role     TEXT NOT NULL,
        content  TEXT NOT NULL,
        reason   TEXT,
        created  REAL NOT NULL
    );
    CREATE INDEX children ON messages(parent);
    CREATE INDEX recent ON conversations(written);
    CREATE VIRTUAL TABLE grams USING fts5(body, tokenize = 'unicode61 remove_diacritics 2');
    """,
    "CREATE INDEX heads ON conversations(head)",
    # A message has a conversation, and one answer may stand in the place of another. `cut_by` is the limit that an
    # answer ran into. `undone` is the answer that /redo leads to in the end. `sequence` is the order of writing, which
    # the clock does not know once it was wrong.
    """
    ALTER TABLE messages ADD COLUMN conversation TEXT REFERENCES conversations(id);
    ALTER TABLE messages ADD COLUMN instead_of INTEGER REFERENCES messages(id);
    ALTER TABLE messages ADD COLUMN cut_by TEXT;
    ALTER TABLE conversations ADD COLUMN undone INTEGER REFERENCES messages(id);
    ALTER TABLE conversations ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;
    DROP INDEX recent;
    CREATE INDEX in_order ON conversations(sequence);
    CREATE INDEX owned ON messages(conversation);
    CREATE INDEX replaced ON messages(instead_of);
    CREATE INDEX taken_back ON conversations(undone)
    """,
    ownership.find_owners,
    ownership.number_conversations,
    # What a question has beside the person's words, which are its content: see `parts`. Messages without parts, those
    # of older versions too, are their content alone. SQLite uses the number of a removed message again: its parts must
    # go with it, whatever version of the program removes it.
    """
    CREATE TABLE parts (
        message   INTEGER NOT NULL REFERENCES messages(id) ON DELETE CASCADE,
        position  INTEGER NOT NULL,
        kind      TEXT NOT NULL,
        name      TEXT NOT NULL,
        text      TEXT NOT NULL,
        PRIMARY KEY (message, position)
    )
    """,
)
VERSION = len(MIGRATIONS)
# How long one process waits for another's write, in seconds.
PATIENCE = 10.0
# And how long it sleeps before it tries again.
PAUSE = 0.003
# A cancelled operation tries so long, in seconds, to write what it has.
_LAST_TRY = 0.3
# So many of SQLite's steps, some milliseconds, pass between two looks whether to go on.
_LOOK_AFTER = 20_000
# With less space than this left, in bytes, an I/O error is a full disk: SQLite does not always know.
_NO_SPACE = 1_000_000


def connect(path: Path) -> sqlite3.Connection:
    """Open the database at `path`, made or brought up to date if need be; raises `HistoryError`."""
    try:
        private_folder(path.parent)
        # SQLite gives its side files the mode of the database, and makes that by the umask.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
        # SQLite gives up a statement that takes long as soon as the operation is cancelled.
        connection.set_progress_handler(lambda: cancellation.current().requested, _LOOK_AFTER)
        # The first statement that reads may find the database locked, and no Ctrl-C ends how SQLite itself waits.
        version = patiently(connection, "PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            connection.close()
            raise HistoryError(
                _("{path} was written by a newer version of this program.").format(path=path),
                _("Update the program, or set QWEN_TUI_HOME to another folder."),
            )
        patiently(connection, "PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # What is deleted is overwritten: a removed conversation, and the shorter versions of a growing answer.
        connection.execute("PRAGMA secure_delete = ON")
        if version < VERSION:
            _migrate(connection)
    except (OSError, sqlite3.Error) as error:
        raise unusable(path, error) from error
    return connection


def patiently(connection: sqlite3.Connection, statement: str, patience: float = PATIENCE) -> sqlite3.Cursor:
    """Execute `statement`, which wants a lock, and try again for `patience` seconds while another process holds it.

    SQLite's own waiting sleeps longer each time, up to 0.1 s: among several that write, one may never have its turn.
    A cancelled operation tries for a moment more, so that what came of an answer is kept, then raises
    `CancelledError`.
    """
    begun = time.monotonic()
    deadline = begun + patience
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                return connection.execute(statement)
            except sqlite3.OperationalError as error:
                if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() >= deadline:
                    raise
                if cancellation.current().requested and time.monotonic() - begun > _LAST_TRY:
                    raise CancelledError from None
                time.sleep(PAUSE)
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(PATIENCE * 1000)}")


def unusable(path: Path, error: OSError | sqlite3.Error) -> HistoryError:
    """Return the error that says what is wrong with the database, which is left as it is."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if name == "SQLITE_INTERRUPT":
        raise CancelledError from None
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return HistoryError(
            _("{path} is damaged, or no history of conversations.").format(path=path),
            _("It is left as it is. Move it away, with {path}-wal if that is there, and a new one is begun.").format(
                path=path
            ),
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return HistoryError(
            _("{path} is in use by another program that does not let go of it.").format(path=path),
            _("Close that program and try again."),
        )
    if name == "SQLITE_FULL" or (name.startswith("SQLITE_IOERR") and _is_full(path)) or _says_full(error):
        return HistoryError(
            _("There is no space left to keep conversations in {path}.").format(path=path),
            _("Free some space, or set QWEN_TUI_HOME to a folder elsewhere."),
        )
    return HistoryError(
        _("Conversations cannot be kept in {path}: {reason}.").format(
            path=path, reason=why(error) if isinstance(error, OSError) else error
        ),
        _("Check the permissions of the folder, or set QWEN_TUI_HOME to another."),
    )


def _says_full(error: OSError | sqlite3.Error) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < _NO_SPACE
    except OSError:
        return False


def _migrate(connection: sqlite3.Connection) -> None:
    # Another process may be doing the same: only one gets to write, the other then finds it done.
    patiently(connection, "BEGIN IMMEDIATE")
    try:
        # What was read before the lock may be old by now.
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for step in MIGRATIONS[version:]:
            if callable(step):
                step(connection)
                continue
            for statement in step.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        # SQLite takes back by itself what is given up on the way.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
