"""Keys typed while the program works, and reports of the terminal: at the prompt, in answers, and at questions."""

import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import COMMAND

if sys.platform == "win32":
    pytest.skip("needs a POSIX terminal", allow_module_level=True)

import termios

from tests.terminal_screen import CTRL_C, ENTER, Terminal

REPORTS = (
    "\x1b]11;rgb:1e1e/1e1e/1e1e\x1b\\\x1b[?62;22c\x1b[I\x1b[O\x1b[?2026;2$y\x1bP>|term\x1b\\\x1b]52;c;aGk=\x07\x1b[?1u"
)
SHIFT_ENTER, CTRL_U, CTRL_W, SUSPEND = "\x1b[13;2u", "\x15", "\x17", "\x1a"


@pytest.fixture
def talker(tiny: Path) -> Iterator[Terminal]:
    """A conversation whose answers last until they are stopped."""
    words = ("chat", "-n", "-m", str(tiny), "--ctx-size", "32000", "-o", "temperature=0")
    terminal = Terminal(*COMMAND, *words, QWEN_TUI_LOOKUP="false")
    terminal.wait_for("\n>", "Ctrl-D leaves")
    yield terminal
    terminal.close()


def test_an_enter_before_the_first_prompt_ends_the_line_and_does_not_send_it(tiny: Path) -> None:
    chat = [*COMMAND, "chat", "-n", "-m", str(tiny)]
    terminal = Terminal("sh", "-c", 'read line; exec "$@"', "sh", *chat, QWEN_TUI_READ_AHEAD="false")
    # The program begins behind the first line, and has not begun to read: the kernel makes a newline of Enter.
    terminal.type("begin" + ENTER + "first" + ENTER)
    terminal.wait_for("> first\n", "\ntiny.gguf")
    assert terminal.cursor[0] == len("> first"), "the line ends where Enter was pressed"
    terminal.close()


def test_each_enter_during_an_answer_begins_a_line_and_none_sends_itself(talker: Terminal) -> None:
    talker.type("count" + ENTER)
    talker.wait_for_answer()
    for keys in ("错的" + CTRL_U + "第一行", SHIFT_ENTER, REPORTS[:20], REPORTS[20:], "还是第一行", ENTER):
        talker.type(keys)
        time.sleep(0.05)
    talker.type("two wrong" + CTRL_W + "\tlines" + ENTER + "/undo" + ENTER + "\x1b[200~pasted\rlines")
    time.sleep(0.2)
    talker.type(CTRL_C)
    talker.wait_for("> 第一行\n  还是第一行")
    # The rest of a paste goes into the present line, and does not send it.
    talker.type("\x1b[201~!")
    talker.wait_for("  还是第一行pasted\n  lines!\n", "2 more lines were typed ahead · tiny.gguf")
    talker.type(ENTER)
    talker.wait_for_answer()
    talker.type(CTRL_C)
    talker.wait_for("> two lines\n", "1 more line was typed ahead")
    talker.type(CTRL_C)
    talker.wait_for("\n>\n")
    assert "typed ahead" not in talker.text, "Ctrl-C throws all of it away"


def test_at_the_prompt_reports_are_no_text_and_shift_enter_is_a_newline(talker: Terminal) -> None:
    talker.type(REPORTS + "one" + SHIFT_ENTER + "two\x1b[27;2;13~three\x1b[13;5u")
    for piece in (REPORTS[:9], REPORTS[9:30], REPORTS[30:], "four"):
        talker.type(piece)
        time.sleep(0.6)
    talker.wait_for("> one\n  two\n  three\n  four\n")
    talker.type(CTRL_C + "later" + ENTER + "first" + ENTER)
    talker.wait_for_answer()
    talker.type(CTRL_C)
    talker.wait_for("> first\n", "tiny.gguf · CPU")
    talker.type(CTRL_C)
    assert talker.leave() == 0


def test_what_is_typed_while_ask_answers_is_the_shells_and_not_on_the_screen(tiny: Path) -> None:
    terminal = Terminal("sh", "-i", PS1="$ ", LC_ALL="C.UTF-8", QWEN_TUI_LOOKUP="false")
    ask = " ".join([*COMMAND, "ask", "-n", "-m", str(tiny), "--ctx-size", "32000", "-o", "temperature=0"])
    terminal.wait_for("$")
    terminal.type(f"{ask} count{ENTER}")
    terminal.wait_for_answer()
    assert not echoes(terminal)
    terminal.type(SUSPEND)
    # The word may be broken at the edge of the screen.
    terminal.wait_for_written("Stopped")
    assert echoes(terminal), "as it was before"
    terminal.type("fg" + ENTER)
    terminal.wait_for_answer()
    assert not echoes(terminal)
    terminal.type("echo typed-$((1+1))" + ENTER)
    time.sleep(0.2)
    (program,) = (one for one in psutil.Process(terminal.process.pid).children() if "ask" in one.cmdline())
    program.send_signal(signal.SIGTERM)
    terminal.wait_for("typed-2")
    assert "echo typed" not in terminal.written.getvalue()
    assert echoes(terminal)
    terminal.close()


def test_reports_are_no_answer_to_a_question(tiny: Path) -> None:
    terminal = Terminal(*COMMAND, "models", "import", str(tiny))
    assert terminal.ended() == 0
    terminal = Terminal(*COMMAND, "models", "rm", "tiny")
    terminal.wait_for("[y/N]")
    terminal.type(f"\x1b]11;rgb:1e1e/1e1e/1e1e\x07\x1b[?62;22cｙ\x1b[I{ENTER}")
    assert terminal.ended() == 0


def echoes(terminal: Terminal) -> bool:
    mode = termios.tcgetattr(terminal.process.child_fd)
    return bool(mode[3] & termios.ECHO)
