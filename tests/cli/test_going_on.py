"""Going on with a conversation: with its own model unless another is named; remarks say how its answers ended."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import COMMAND, Run

SHORT = ("-o", "max_tokens=4", "-o", "temperature=0")


@pytest.fixture
def model(tiny: Path, tmp_path: Path) -> Path:
    """A model in the test's folder, which a test can remove."""
    return Path(shutil.copy(tiny, tmp_path / "own.gguf"))


def asked(qwen: Run, *options: str | Path, **given: object) -> tuple[dict[str, object], str]:
    """Return what `ask --json` prints, and its notes before the answer."""
    done = qwen("ask", *SHORT, "--json", *options, "x", **given)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr.decode().partition("The answer was cut off")[0]


def last(qwen: Run) -> dict[str, object]:
    """Return the export of the last conversation."""
    conversation = qwen("logs", "list", "-n", "1").stdout.decode()[:6]
    return dict(json.loads(qwen("logs", "export", conversation, "--format", "json").stdout))


@pytest.mark.parametrize("way", ["-c", "--cid"])
def test_a_conversation_goes_on_with_its_own_model(qwen: Run, model: Path, way: str) -> None:
    first, _notes = asked(qwen, "-m", model)
    words = ("-c",) if way == "-c" else ("--cid", str(first["conversation_id"]))
    again, notes = asked(qwen, *words)
    assert again["conversation_id"] == first["conversation_id"]
    assert again["model"] == str(model)
    assert notes == ""


def test_the_demonstration_model_goes_on_though_no_other_is_there(qwen: Run) -> None:
    asked(qwen, "-m", "demo")
    assert asked(qwen, "-c")[0]["model"] == "demo"


def test_a_model_from_the_environment_or_the_settings_does_not_count_as_named(
    qwen: Run, model: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(qwen, "-m", model)
    qwen("config", "set", "model", "demo")
    assert asked(qwen, "-c")[0]["model"] == str(model)
    monkeypatch.setenv("QWEN_TUI_MODEL", str(tiny))
    assert asked(qwen, "-c")[0]["model"] == str(model)


def test_a_named_other_model_is_noted_and_stored(qwen: Run, model: Path) -> None:
    asked(qwen, "-m", model)
    changed, notes = asked(qwen, "-c", "-m", "demo")
    assert changed["model"] == "demo"
    assert notes == f"This conversation was with {model}; from here on demo answers.\n"
    assert asked(qwen, "-c")[0]["model"] == "demo"
    assert asked(qwen, "-c", "-m", "demo")[1] == ""
    assert asked(qwen, "-c", "-m", model, "-q")[1] == ""


def test_a_relative_path_is_found_from_another_folder(qwen: Run, model: Path, tmp_path: Path) -> None:
    first, _notes = asked(qwen, "-m", model.name)
    assert first["model"] == model.name
    (tmp_path / "elsewhere").mkdir()
    assert asked(qwen, "-c", cwd=tmp_path / "elsewhere")[0]["model"] == str(model)
    assert asked(qwen, "-c", "-m", model.name)[1] == "", "it is the same model"


def test_a_model_that_is_gone_is_named_with_what_to_do(qwen: Run, model: Path) -> None:
    first, _notes = asked(qwen, "-m", model)
    before = last(qwen)
    model.unlink()
    done = qwen("ask", "-c", "x")
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.decode().splitlines() == [
        f"qwen: Conversation {first['conversation_id']} is with the model {model}, which is not on this computer.",
        f"Go on with another model: qwen chat --cid {first['conversation_id']} -m MODEL",
    ]
    assert last(qwen) == before
    assert asked(qwen, "-c", "-m", "demo")[0]["model"] == "demo"


def test_a_published_model_that_is_not_there_can_be_fetched(qwen: Run, home: Path) -> None:
    asked(qwen, "-m", "demo")
    with sqlite3.connect(home / "history.db") as connection:
        connection.execute("UPDATE conversations SET model = 'qwen3-4b-instruct'")
    done = qwen("ask", "-c", "x")
    assert done.returncode == 1
    assert "qwen3-4b-instruct, which is not on this computer." in done.stderr.decode()
    assert "Fetch it with: qwen pull qwen3-4b-instruct\n" in done.stderr.decode()


def test_a_system_prompt_takes_effect_for_what_follows(qwen: Run, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(qwen, "-m", tiny, "-s", "Be brief.")
    monkeypatch.setenv("QWEN_TUI_SYSTEM", "From the environment.")
    asked(qwen, "-c")
    assert last(qwen)["system"] == "Be brief."
    asked(qwen, "-c", "-s", "Be a pirate.")
    assert last(qwen)["system"] == "Be a pirate."
    asked(qwen, "-c")
    assert last(qwen)["system"] == "Be a pirate."
    asked(qwen, "-c", "-s", "")
    assert last(qwen)["system"] is None


def test_an_empty_id_does_not_begin_a_new_conversation(qwen: Run, tiny: Path) -> None:
    asked(qwen, "-m", tiny)
    done = qwen("ask", "--cid", "", "x")
    assert done.returncode == 1
    assert b"no conversation" in done.stderr


def test_continuing_takes_the_last_written_conversation_even_if_the_clock_was_wrong(
    qwen: Run, tiny: Path, home: Path
) -> None:
    ahead, _notes = asked(qwen, "-m", tiny)
    with sqlite3.connect(home / "history.db") as connection:
        connection.execute("UPDATE conversations SET written = 4e9, created = 4e9")
    later, _notes = asked(qwen, "-m", tiny)
    assert asked(qwen, "-c")[0]["conversation_id"] == later["conversation_id"] != ahead["conversation_id"]
    assert qwen("logs", "list").stdout.decode().startswith(str(later["conversation_id"]))


def test_removing_a_conversation_leaves_the_turns_taken_back_in_others(qwen: Run, tiny: Path, home: Path) -> None:
    asked(qwen, "-m", tiny)
    with sqlite3.connect(home / "history.db") as connection:
        connection.execute("UPDATE conversations SET head = NULL, undone = head")
    other, _notes = asked(qwen, "-m", tiny)
    assert qwen("logs", "rm", "--yes", str(other["conversation_id"])).returncode == 0
    with sqlite3.connect(home / "history.db") as connection:
        assert connection.execute("SELECT count(*) FROM messages").fetchone() == (2,)


@pytest.fixture
def ended(qwen: Run, tiny: Path) -> str:
    """A conversation with three answers: one cut off, one stopped, and one whose program was killed."""
    first, _notes = asked(qwen, "-m", tiny)
    for number in (signal.SIGINT, signal.SIGKILL):
        with subprocess.Popen(
            [*COMMAND, "ask", "-c", "-o", "temperature=0", "--ctx-size", "30000", f"until {number.name}"],
            # Without prompt lookup, the answer is not finished before the signal.
            env={**os.environ, "QWEN_TUI_LOOKUP": "false"},
            stdin=subprocess.DEVNULL,
            # A pipe that nobody reads would become full, and stop the program.
            stdout=subprocess.DEVNULL,
        ) as process:
            while not _is_kept(number.name):
                assert process.poll() is None
            process.send_signal(number)
    return str(first["conversation_id"])


def _is_kept(question: str) -> bool:
    """Whether some of the answer is on the disk."""
    with sqlite3.connect(Path(os.environ["QWEN_TUI_HOME"]) / "history.db") as connection:
        return bool(
            connection.execute(
                "SELECT 1 FROM messages a JOIN messages q ON q.id = a.parent WHERE q.content = ? AND a.content != ''",
                (f"until {question}",),
            ).fetchone()
        )


CUT = "The answer was cut off here, at the most tokens allowed."
STOPPED, BROKEN = "The answer was stopped here.", "The answer broke off here."


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is of POSIX")
def test_how_an_answer_ended_is_marked_wherever_it_is_read_later(qwen: Run, ended: str, tmp_path: Path) -> None:
    shown = qwen("logs", "show", ended).stdout.decode()
    for text in (shown, qwen("logs", "export", ended, "--format", "html").stdout.decode()):
        places = [text.index(mark) for mark in (CUT, "until SIGINT", STOPPED, "until SIGKILL", BROKEN)]
        assert places == sorted(places)
        assert text.count(CUT) == text.count(STOPPED) == text.count(BROKEN) == 1
    messages = json.loads(qwen("logs", "export", ended, "--format", "json").stdout)["messages"]
    assert [message["finish_reason"] for message in messages[1::2]] == ["length", "interrupted", None]
    assert [message["limit"] for message in messages[1::2]] == ["max_tokens", None, None]
    assert not any("finish_reason" in message for message in messages[::2])


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX terminal")
def test_going_on_in_a_terminal_says_how_the_last_answer_ended(ended: str, tmp_path: Path) -> None:
    from tests.terminal_screen import Terminal

    terminal = Terminal(*COMMAND, "chat", "-c")
    terminal.wait_for("[The answer broke off here.]", "\n>", "tiny.gguf")
    terminal.enter(f"/resume {ended}")
    # The answer may be longer than the screen, and a question in it begins with > too.
    terminal.wait_for_written(f"/resume {ended}")
    terminal.wait_for("[The answer broke off here.]", "tiny.gguf")
    terminal.enter(f"/export {tmp_path / 'talk.md'}")
    terminal.wait_for_written("Written:")
    assert BROKEN in (tmp_path / "talk.md").read_text(encoding="utf-8")
    assert terminal.leave() == 0
