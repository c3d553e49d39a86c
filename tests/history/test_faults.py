"""A history that cannot be used: the message, that nothing is overwritten, and that the conversation goes on."""

import os
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwen_tui.chat import keeping
from qwen_tui.chat.answer import AnswerOptions
from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.keeping import Keeper
from qwen_tui.chat.turn import Turn
from qwen_tui.errors import HistoryError
from qwen_tui.history import store
from qwen_tui.history.database import patiently
from qwen_tui.history.store import History
from qwen_tui.messages import Event, Question, Text
from tests.conftest import Run
from tests.scripted_engine import RecordingOutput, ScriptedEngine

SHORT = ("-o", "max_tokens=4", "-o", "temperature=0")
CUT = "The answer was cut off at 4 tokens"
PAGE = 4096
SPACE = 33_000


@pytest.fixture
def database(home: Path) -> Path:
    """A database with some conversations, as the program leaves it at its end."""
    path = home / "history.db"
    history = History(path)
    for number in range(20):
        history.begin(None, Question(f"question {number}"), model="m", system=None).update("answer " * 100, "stop")
    history.close()
    return path


def garbage(content: bytes) -> bytes:
    return b"\xfe" * 100 + content[100:]


def flipped(content: bytes) -> bytes:
    return content[: 3 * PAGE] + bytes(byte ^ 0x5A for byte in content[3 * PAGE : 8 * PAGE]) + content[8 * PAGE :]


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2 // PAGE * PAGE + 100]


def newer(content: bytes) -> bytes:
    # `user_version` is at byte 60 of the header.
    return content[:60] + (99).to_bytes(4, "big") + content[64:]


@pytest.mark.parametrize(
    ("damage", "said", "remedy"),
    [
        (garbage, "is damaged", "Move it away"),
        (flipped, "is damaged", "Move it away"),
        (truncated, "is damaged", "Move it away"),
        (newer, "newer version", "Update the program"),
    ],
)
def test_an_unusable_database_is_reported_and_not_changed(
    qwen: Run, tiny: Path, database: Path, damage: object, said: str, remedy: str
) -> None:
    assert callable(damage)
    database.write_bytes(damage(database.read_bytes()))
    before = database.read_bytes()
    asked = qwen("ask", "-m", tiny, *SHORT, "x")
    assert asked.returncode == 0
    assert asked.stdout.strip()
    told = asked.stderr.decode().partition(CUT)[0]
    assert len(told.splitlines()) == 2
    assert said in told
    assert "in memory only" in told
    assert remedy in told
    for command in (("logs", "list"), ("ask", "-m", tiny, *SHORT, "-c", "x")):
        done = qwen(*command)
        assert done.returncode == 1
        assert done.stderr.decode().startswith("qwen: ")
        assert said in done.stderr.decode()
        assert remedy in done.stderr.decode()
        assert done.stdout == b""
    assert database.read_bytes() == before


@pytest.mark.parametrize("place", ["a file in the way", "a folder of the name"])
def test_a_folder_that_cannot_be_written_is_reported(qwen: Run, tiny: Path, home: Path, place: str) -> None:
    if place == "a file in the way":
        home.write_bytes(b"precious")
    else:
        (home / "history.db").mkdir(parents=True)
    asked = qwen("ask", "-m", tiny, *SHORT, "x")
    assert asked.returncode == 0
    assert asked.stdout.strip()
    assert "cannot be kept" in asked.stderr.decode()
    assert "QWEN_TUI_HOME" in asked.stderr.decode()
    assert qwen("logs", "list").returncode == 1
    assert home.is_dir() or home.read_bytes() == b"precious"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else")
def test_the_home_folder_of_another_user_is_reported(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database.parent.chmod(0o555)
    # Relative, because only root may open the folders above.
    monkeypatch.chdir(database.parent)
    os.seteuid(65534)
    try:
        with pytest.raises(HistoryError, match="Permission denied") as refused:
            History(Path(database.name))
    finally:
        os.seteuid(0)
    assert "QWEN_TUI_HOME" in refused.value.remedy


@pytest.mark.skipif(sys.platform == "win32", reason="a limit of the size of files stands for a full disk")
def test_a_full_disk_ends_the_storing_but_not_the_answer(qwen: Run, tiny: Path, database: Path) -> None:
    import resource
    import signal

    def no_space() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (SPACE, SPACE))

    asked = qwen("ask", "-m", tiny, *SHORT, stdin=b"word " * 1500, preexec_fn=no_space)
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.strip()
    assert "in memory only" in asked.stderr.decode()
    assert len(asked.stderr.decode().partition(CUT)[0].splitlines()) == 2
    # The next program has space again, and finds everything that was stored.
    assert len(qwen("logs", "list").stdout.splitlines()) == 20


class Filling(RecordingOutput):
    """An output that fills the disk when the first word is shown, and frees it with the last."""

    def __init__(self, history: History) -> None:
        super().__init__()
        self._connection = history._connection

    def show(self, event: Event) -> None:
        super().show(event)
        if isinstance(event, Text):
            pages = self._connection.execute("PRAGMA page_count").fetchone()[0]
            self._connection.execute(f"PRAGMA max_page_count = {pages if event.piece != 'end ' else 1_000_000}")


def test_a_complete_answer_is_stored_when_there_is_space_again(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_EVERY", 0.0)
    history, notes = History(database), list[str]()
    keeper, conversation = Keeper(history, "m", notes.append), Conversation()
    answer = "x" * 20_000 + " " + "y" * 20_000 + " end"
    Turn(ScriptedEngine(answer), Filling(history), AnswerOptions(), keeper).run(conversation, Question("long"))
    assert notes == []
    assert History(database).read(conversation.id or "").exchanges[0].answer == answer + " "


@pytest.fixture
def locked(database: Path) -> Iterator[sqlite3.Connection]:
    """A lock of another program, which has begun to write and does not end."""
    other = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


def test_a_locked_database_can_be_read_and_a_short_lock_is_waited_for(
    qwen: Run, database: Path, locked: sqlite3.Connection
) -> None:
    assert len(qwen("logs", "list").stdout.splitlines()) == 20
    timer = threading.Timer(0.5, locked.execute, ["COMMIT"])
    started = time.monotonic()
    timer.start()
    History(database).begin(None, Question("patient"), model="m", system=None)
    assert time.monotonic() - started > 0.3


def test_an_endless_lock_is_reported(
    database: Path, locked: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qwen_tui.history.database.PATIENCE", 0.2)
    monkeypatch.setattr(patiently, "__defaults__", (0.2,))
    history, notes = History(database), list[str]()
    monkeypatch.setattr(store.History._writing.__wrapped__, "__defaults__", (0.2,))  # type: ignore[attr-defined]
    with pytest.raises(HistoryError, match="in use by another program"):
        history.remove(history.last() or "")
    keeper, conversation = Keeper(history, "m", notes.append), Conversation()
    Turn(ScriptedEngine("fine"), RecordingOutput(), AnswerOptions(), keeper).run(conversation, Question("question"))
    assert len(conversation.turns) == 2
    assert len(notes) == 1
    assert "in memory only" in notes[0]
    assert "Close that program" in notes[0]
