"""Databases of older versions: every message gets its conversation, and nothing is lost."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from qwen_tui.chat.question import prompt_text
from qwen_tui.history.database import MIGRATIONS, VERSION
from qwen_tui.history.store import History
from qwen_tui.messages import Question
from tests.kept import texts


class OldHistory:
    """Writes a database of the second version, in which messages do not name their conversation."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.executescript(f"{MIGRATIONS[0]}; {MIGRATIONS[1]}; PRAGMA user_version = 2")
        self._clock = 0.0

    def _now(self) -> float:
        self._clock += 1
        return self._clock

    def ask(self, conversation: str, question: str) -> None:
        """Add a turn, in a new conversation if there is none of this id; the answer is the question in capitals."""
        now = self._now()
        head = self._connection.execute("SELECT head FROM conversations WHERE id = ?", (conversation,)).fetchone()
        if head is None:
            self._connection.execute(
                "INSERT INTO conversations VALUES (?, ?, 'm', NULL, ?, ?, NULL)", (conversation, question, now, now)
            )
        message = head[0] if head else None
        for role, content in (("user", question), ("assistant", question.upper())):
            message = self._connection.execute(
                "INSERT INTO messages(parent, role, content, reason, created) VALUES (?, ?, ?, 'stop', ?)",
                (message, role, content, now),
            ).lastrowid
            self._connection.execute("INSERT INTO grams(rowid, body) VALUES (?, ?)", (message, content.lower()))
        self._connection.execute(
            "UPDATE conversations SET head = ?, written = ? WHERE id = ?", (message, now, conversation)
        )

    def undo(self, conversation: str) -> None:
        self._connection.execute(
            "UPDATE conversations SET head = (SELECT q.parent FROM messages a JOIN messages q ON q.id = a.parent "
            "WHERE a.id = head) WHERE id = ?",
            (conversation,),
        )

    def fork(self, conversation: str, new: str) -> None:
        now = self._now()
        self._connection.execute(
            "INSERT INTO conversations SELECT ?, title, model, system, ?, ?, head FROM conversations WHERE id = ?",
            (new, now, now, conversation),
        )

    def set_clock(self, now: float) -> None:
        self._clock = now


@pytest.fixture
def old(tmp_path: Path) -> OldHistory:
    return OldHistory(tmp_path / "history.db")


def owned(path: Path) -> dict[str, list[str]]:
    """Return the questions of each conversation, including those taken back."""
    History(path).close()
    found: dict[str, list[str]] = {}
    for owner, content in sqlite3.connect(path).execute(
        "SELECT conversation, content FROM messages WHERE role = 'user' ORDER BY id"
    ):
        found.setdefault(owner, []).append(content)
    return found


def said(path: Path, conversation: str) -> list[str]:
    return texts(History(path).read(conversation))


def test_an_old_question_stays_one_part_to_the_byte(old: OldHistory) -> None:
    old.ask("one", "  --- a.txt ---\nall of it\n\nand the question\n")
    (exchange,) = History(old.path).read("one").exchanges
    assert exchange.question == Question("  --- a.txt ---\nall of it\n\nand the question\n")
    assert prompt_text(exchange.question) == exchange.question.words


def test_messages_on_several_paths_belong_to_the_oldest_conversation(old: OldHistory) -> None:
    old.ask("one", "a")
    old.fork("one", "fork")
    old.ask("fork", "b")
    old.ask("one", "c")
    old.fork("fork", "again")
    old.ask("again", "d")
    assert owned(old.path) == {"one": ["a", "c"], "fork": ["b"], "again": ["d"]}
    assert said(old.path, "again") == ["a", "A", "b", "B", "d", "D"]


def test_undone_messages_belong_to_the_conversation_before_them(old: OldHistory) -> None:
    for question in ("a", "b", "c"):
        old.ask("one", question)
    old.undo("one")
    old.undo("one")
    old.ask("one", "d")
    old.ask("two", "e")
    assert owned(old.path) == {"one": ["a", "b", "c", "d"], "two": ["e"]}
    assert said(old.path, "one") == ["a", "A", "d", "D"]


def test_an_undone_first_question_belongs_to_the_conversation_that_began_with_it(old: OldHistory) -> None:
    old.ask("emptied", "a")
    old.ask("emptied", "b")
    old.undo("emptied")
    old.undo("emptied")
    old.ask("two", "c")
    old.undo("two")
    old.ask("two", "d")
    old.undo("two")
    old.ask("two", "e")
    assert owned(old.path) == {"emptied": ["a", "b"], "two": ["c", "d", "e"]}
    assert said(old.path, "emptied") == []


def test_removing_deletes_only_the_conversations_own_messages_in_an_old_database_too(old: OldHistory) -> None:
    old.ask("one", "treasure")
    old.ask("two", "recipe")
    old.ask("two", "salt")
    old.undo("two")
    old.ask("one", "island")
    old.undo("one")
    history = History(old.path)
    history.remove("one")
    connection = sqlite3.connect(old.path)
    left = [row[0] for row in connection.execute("SELECT content FROM messages")]
    assert left == ["recipe", "RECIPE", "salt", "SALT"]
    for file in old.path.parent.iterdir():
        assert b"reasure" not in file.read_bytes()
        assert b"ISLAND" not in file.read_bytes()
    history.remove("two")
    assert connection.execute("SELECT count(*) FROM messages").fetchone() == (0,)


def test_conversations_are_in_the_order_of_writing_even_if_the_clock_was_wrong(old: OldHistory) -> None:
    old.set_clock(4e9)
    old.ask("future", "a")
    old.set_clock(1000.0)
    old.ask("past", "b")
    old.ask("present", "c")
    old.ask("past", "d")
    history = History(old.path)
    assert [summary.id for summary in history.recent()] == ["past", "present", "future"]
    history.begin("future", Question("e"), model="m", system=None)
    assert history.last() == "future"


def test_messages_of_an_older_program_are_removed_with_their_conversation(old: OldHistory) -> None:
    old.ask("one", "a")
    history = History(old.path)
    old.ask("one", "late")
    history.remove("one")
    assert sqlite3.connect(old.path).execute("SELECT count(*) FROM messages").fetchone() == (0,)


def large(old: OldHistory) -> dict[str, list[str]]:
    """Fill a database with forks and turns taken back; return the texts of each conversation."""
    expected: dict[str, list[str]] = {}
    for number in range(40):
        name = f"c{number:02}"
        for turn in range(3):
            old.ask(name, f"{name}.{turn}")
        old.undo(name)
        expected[name] = [text for turn in range(2) for text in (f"{name}.{turn}", f"C{number:02}.{turn}")]
        if number % 4 == 0:
            old.fork(name, f"fork{number}")
            expected[f"fork{number}"] = expected[name]
    return expected


def check(path: Path, expected: dict[str, list[str]]) -> None:
    history = History(path)
    assert {summary.id: said(path, summary.id) for summary in history.recent(100)} == expected
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    assert connection.execute("SELECT count(*) FROM messages WHERE conversation IS NULL").fetchone() == (0,)
    assert connection.execute("SELECT count(*) FROM messages").fetchone() == (240,)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_several_programs_can_migrate_at_the_same_time(old: OldHistory) -> None:
    expected = large(old)
    program = (
        "import sys; from pathlib import Path; from qwen_tui.history.store import History\n"
        "sys.stdin.readline(); print(len(History(Path(sys.argv[1])).recent(100)))"
    )
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(old.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for one in programs:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    assert [one.communicate(timeout=60)[0] for one in programs] == [f"{len(expected)}\n"] * 4
    check(old.path, expected)


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is of POSIX")
@pytest.mark.parametrize("step", range(2, VERSION))
def test_a_kill_during_a_migration_leaves_the_database_unchanged(old: OldHistory, step: int) -> None:
    expected = large(old)
    if not (child := os.fork()):
        # The child is killed at this migration.
        from qwen_tui.history import database

        def die(_connection: sqlite3.Connection) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        database.MIGRATIONS = (*MIGRATIONS[:step], die, *MIGRATIONS[step:])
        History(old.path)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    check(old.path, expected)
