"""The database's layout, and how it is opened: durable, private, and never overwritten by what does not know it."""

import os
import sqlite3
from pathlib import Path

from qwen_tui.errors import HistoryError
from qwen_tui.files import private_folder
from qwen_tui.i18n import gettext as _

# Each step takes a database from the version of its index to the next; `PRAGMA user_version` says where one stands.
MIGRATIONS = (
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
)
VERSION = len(MIGRATIONS)
# How long one process waits for another's write, in seconds.
_BUSY = 10.0


def connect(path: Path) -> sqlite3.Connection:
    """Open the database at `path`, made or brought up to date if need be; raises `HistoryError`."""
    try:
        private_folder(path.parent)
        # SQLite gives its side files the mode of the database, and makes that by the umask.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            connection.close()
            raise HistoryError(
                _("{path} was written by a newer version of this program.").format(path=path),
                _("Update the program, or set QWEN_TUI_HOME to another folder."),
            )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # What is deleted is overwritten: a removed conversation, and the shorter versions of a growing answer.
        connection.execute("PRAGMA secure_delete = ON")
        _migrate(connection)
    except (OSError, sqlite3.Error) as error:
        raise unusable(path, error) from error
    return connection


def unusable(path: Path, error: OSError | sqlite3.Error) -> HistoryError:
    """Return the error that says what is wrong with the database, which is left as it is."""
    return HistoryError(
        _("Conversations cannot be kept in {path}: {reason}.").format(
            path=path, reason=error.strerror if isinstance(error, OSError) and error.strerror else error
        ),
        _("If it is damaged, move it away; if the disk is full, free some space."),
    )


def _migrate(connection: sqlite3.Connection) -> None:
    # Another process may be doing the same: only one gets to write, the other then finds it done.
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for step in MIGRATIONS[version:]:
            for statement in step.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
