"""Answers: painted on a real terminal, and unchanged everywhere else."""

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import COMMAND, Run

if sys.platform == "win32":
    pytest.skip("needs a POSIX terminal", allow_module_level=True)

from tests.terminal_screen import CTRL_C, Terminal

QUESTION = "用小学生能听懂的话解释 HTTP"
ASK = (*COMMAND, "ask", "-n", "-m", "demo", "-o", "temperature=0")
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7])(?:;\d+)*m")


def test_ask_paints_on_a_terminal() -> None:
    terminal = Terminal(*ASK, QUESTION)
    text = terminal.wait_for("HTTP 就是这套写信的规矩")
    assert terminal.ended() == 0
    assert "\n1. 你写信。 你在信上写" in text
    assert "**" not in terminal.written.getvalue()
    assert COLOUR.search(terminal.written.getvalue())


def test_raw_shows_what_the_model_wrote(qwen: Run) -> None:
    terminal = Terminal(*ASK, "--raw", QUESTION)
    assert terminal.ended() == 0
    piped = qwen(*ASK[len(COMMAND) :], QUESTION).stdout.decode()
    assert "1. **你写信。**" in piped
    assert piped.replace("\n", "\r\n") in terminal.written.getvalue()


@pytest.mark.parametrize(
    ("environment", "bold", "colour"),
    [({"NO_COLOR": "1"}, True, False), ({"TERM": "dumb"}, False, False), ({"QWEN_TUI_THEME": "light"}, True, True)],
)
def test_terminals_get_what_they_can_show(environment: dict[str, str], bold: bool, colour: bool) -> None:
    terminal = Terminal(*ASK, QUESTION, **environment)
    assert terminal.ended() == 0
    written = terminal.written.getvalue()
    assert ("\x1b[1m" in written) == bold
    assert bool(COLOUR.search(written)) == colour
    assert ("**" in written) == (not bold)


def test_an_unknown_theme_is_reported(qwen: Run) -> None:
    done = qwen("config", "set", "theme", "pink")
    assert done.returncode == 1
    assert b"auto, dark, light" in done.stderr


@pytest.fixture
def talker(tiny: Path) -> Iterator[Terminal]:
    """A conversation whose answers last until they are stopped."""
    words = ("chat", "-n", "-m", str(tiny), "--ctx-size", "32000", "-o", "temperature=0")
    terminal = Terminal(*COMMAND, *words, QWEN_TUI_LOOKUP="false")
    terminal.wait_for("\n>", "Ctrl-D leaves")
    yield terminal
    terminal.close()


def test_the_window_may_change_in_the_middle_of_an_answer(talker: Terminal) -> None:
    talker.enter("count")
    talker.wait_for_answer()
    for columns, rows in ((100, 30), (60, 20), (80, 24)):
        talker.resize(columns, rows)
        time.sleep(0.3)
        assert talker.text
    talker.type(CTRL_C)
    text = talker.wait_for("tokens/s", "\n>")
    assert text.count("tiny.gguf") == 1, "one toolbar"
    talker.enter("more")
    talker.wait_for_answer()
    talker.type(CTRL_C)
    talker.wait_for("tokens/s", "\n>")
    assert talker.leave() == 0


def test_every_update_of_the_screen_is_whole_even_when_the_answer_is_stopped(talker: Terminal) -> None:
    talker.enter("count")
    talker.wait_for_answer()
    talker.type(CTRL_C)
    talker.wait_for("tokens/s", "\n>")
    written = talker.written.getvalue()
    assert written.count("\x1b[?2026h") == written.count("\x1b[?2026l"), "every update is whole"
    assert talker.leave() == 0
