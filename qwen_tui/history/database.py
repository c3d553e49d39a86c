"""The layout of the database, and how it is opened: durable, private, and only by versions that know the layout."""

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

# The migration at index N takes a database from version N to N + 1. `PRAGMA user_version` holds the version.
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
    # `conversation` is the owner of a message, `instead_of` the answer that this one replaces, `cut_by` the limit that
    # cut it off. `undone` is the answer that the last possible /redo leads to. `sequence` is the order of writing: the
    # times do not give it, because a clock may have been wrong.
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
    # The parts of a question beside the person's words: see `question_parts`. A message without parts, as older
    # versions wrote them, consists of its content alone. SQLite uses the number of a deleted message again. So SQLite
    # itself deletes the parts with the message, even if an older version of the program deletes it.
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
    # What the model got in place of the materials of a question: see `messages.Given`. `materials` is JSON.
    """
    CREATE TABLE given (
        message    INTEGER PRIMARY KEY REFERENCES messages(id) ON DELETE CASCADE,
        way        TEXT NOT NULL,
        materials  BLOB NOT NULL,
        read       INTEGER NOT NULL,
        total      INTEGER NOT NULL
    )
    """,
    # What stands in prompts in the place of all messages up to this one, by /compact.
    """
    CREATE TABLE summaries (
        message  INTEGER PRIMARY KEY REFERENCES messages(id) ON DELETE CASCADE,
        text     TEXT NOT NULL
    )
    """,
)
VERSION = len(MIGRATIONS)
# How long one process waits for another's write, in seconds.
PATIENCE = 10.0
# How long it sleeps between two tries, in seconds.
PAUSE = 0.003
# A cancelled operation goes on trying to write for so long, in seconds.
_LAST_TRY = 0.3
# SQLite checks for a cancellation after so many instructions of its virtual machine: every few milliseconds.
_LOOK_AFTER = 20_000
# With less free space than this, in bytes, an I/O error is taken for a full disk: SQLite does not always report one.
_NO_SPACE = 1_000_000


def connect(path: Path) -> sqlite3.Connection:
    """Open the database at `path`, create or migrate it if necessary; raises `HistoryError`."""
    try:
        private_folder(path.parent)
        # SQLite would create the database with the umask's mode. Its side files get the mode of the database.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
        # When the operation is cancelled, SQLite gives up a long statement.
        connection.set_progress_handler(lambda: cancellation.current().requested, _LOOK_AFTER)
        # The first statement that reads may find the database locked. SQLite's own waiting would ignore Ctrl-C.
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
        # SQLite overwrites deleted content: removed conversations, and the earlier versions of a growing answer.
        connection.execute("PRAGMA secure_delete = ON")
        if version < VERSION:
            _migrate(connection)
    except (OSError, sqlite3.Error) as error:
        raise unusable(path, error) from error
    return connection


def patiently(connection: sqlite3.Connection, statement: str, patience: float = PATIENCE) -> sqlite3.Cursor:
    """Execute `statement`, which needs a lock; try again for up to `patience` seconds while another process has it.

    SQLite's own waiting sleeps longer each time, up to 0.1 s: where several processes write, one might never get the
    lock. A cancelled operation tries for a moment more, so that the answer so far is stored, then raises
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
    """Return the error that says what is wrong with the database; the database is not changed."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if name == "SQLITE_INTERRUPT":
        raise CancelledError from None
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return HistoryError(
            _("{path} is damaged, or is not a history of conversations.").format(path=path),
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
    known = {
        "SQLITE_READONLY": _("Read-only file system"),
        "SQLITE_CANTOPEN": _("the file cannot be opened"),
        "SQLITE_IOERR": _("Input/output error"),
    }
    reason = next((said for begins, said in known.items() if name.startswith(begins)), "") or why(error)
    return HistoryError(
        _("Conversations cannot be kept in {path}: {reason}.").format(path=path, reason=reason),
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
    # Another process may want to migrate too. Only one gets the lock, and the other then finds the work done.
    patiently(connection, "BEGIN IMMEDIATE")
    try:
        # The version read before the lock may be out of date.
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
        # SQLite has already rolled back a statement that it gave up.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
