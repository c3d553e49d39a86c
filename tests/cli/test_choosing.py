"""On a terminal, the person is asked about material that does not fit or takes long, also within a conversation."""

import sys
from pathlib import Path

import pytest

from tests.conftest import COMMAND

if sys.platform == "win32":
    pytest.skip("needs a POSIX terminal", allow_module_level=True)

from tests.terminal_screen import CTRL_C, ENTER, Terminal


def test_on_a_terminal_the_person_chooses(tiny: Path, report: Path) -> None:
    words = ("-n", "-m", str(tiny), "--ctx-size", "1024", "-o", "max_tokens=4", "-f", str(report), "the lighthouse")
    terminal = Terminal(*COMMAND, "ask", *words)
    terminal.wait_for("1  context: a larger context", "Which way? (Enter: none)")
    # How long the path of the file is decides where the line is broken.
    assert "report.txt: 5 pages, " in " ".join(terminal.written.getvalue().split())
    terminal.type("squeeze" + ENTER)
    # What the person answers is seen, although nothing else that is typed now is.
    terminal.wait_for("Which way? (Enter: none) squeeze\n", "Write one of: context, select, map, each.")
    terminal.type("１" + ENTER)
    terminal.wait_for("The context holds 4,096 tokens from here on.")
    assert terminal.ended() == 0
    none = Terminal(*COMMAND, "ask", *words)
    none.process.setwinsize(24, 40)
    none.wait_for_written("Which way? (Enter: none)")
    rows = none.written.getvalue().partition("  1  context")[2].splitlines()
    assert len(rows) > 4 and max(map(len, rows)) < 40, "the choices are broken at words"
    none.type(ENTER)
    assert none.ended() == 130


def test_on_a_terminal_a_long_wait_is_asked_about_but_not_with_q(tiny: Path, report: Path) -> None:
    words = ("ask", "-n", "-m", str(tiny), "-o", "max_tokens=4", "-f", str(report), "the lighthouse")
    terminal = Terminal(*COMMAND, *words, QWEN_TUI_ASK_ABOVE="0.001")
    terminal.wait_for("first word in about", "Go on? [Y/n]")
    terminal.type("n" + ENTER)
    assert terminal.ended() == 130
    quiet = Terminal(*COMMAND, *words, "-q", QWEN_TUI_ASK_ABOVE="0.001")
    assert quiet.ended() == 0
    assert "Go on" not in quiet.written.getvalue()


def test_a_conversation_asks_within_an_answer_and_for_a_password(tiny: Path, report: Path) -> None:
    locked = Path(__file__).parents[1] / "documents" / "corpus" / "locked-en.pdf"
    chat = ("chat", "-n", "-m", str(tiny), "--ctx-size", "1024", "-o", "max_tokens=4", "-f", str(report))
    terminal = Terminal(*COMMAND, *chat)
    terminal.wait_for("\n>")
    terminal.enter("the lighthouse")
    terminal.wait_for("Which way? (Enter: none)")
    terminal.type(CTRL_C)
    # The question comes back, to be changed or sent again.
    terminal.wait_for("\n> the lighthouse\n")
    terminal.type(ENTER)
    terminal.wait_for_times("Which way? (Enter: none)", 2)
    terminal.type("select" + ENTER)
    terminal.wait_for_written("read: ")
    terminal.enter(f"/file {locked}")
    terminal.wait_for_written("Password of ")
    terminal.type("garden" + ENTER)
    terminal.wait_for_written("goes with the next message")
    assert "garden" not in terminal.written.getvalue()
    terminal.close()


def test_that_an_answer_was_cut_is_broken_at_words_on_a_narrow_terminal(tiny: Path) -> None:
    terminal = Terminal(*COMMAND, "ask", "-n", "-m", str(tiny), "-o", "max_tokens=8", "hello")
    terminal.process.setwinsize(24, 40)
    assert terminal.ended() == 0
    said = terminal.written.getvalue().partition("The answer was cut off")[2].splitlines()
    assert len(said) > 2 and max(map(len, said)) < 40
