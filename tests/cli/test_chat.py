"""`qwen chat` in a terminal: keys, interruptions, and the screen."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import COMMAND

if sys.platform == "win32":
    pytest.skip("needs a POSIX terminal", allow_module_level=True)

from tests.terminal_screen import CTRL_C, CTRL_D, ENTER, NEWLINE, Terminal


@pytest.fixture
def chat(tiny: Path) -> Iterator[Terminal]:
    terminal = Terminal(
        *COMMAND, "chat", "-m", str(tiny), "--ctx-size", "16000", "-o", "temperature=0", "-o", "max_tokens=20"
    )
    terminal.wait_for("\n>", "Ctrl-D leaves")
    yield terminal
    terminal.close()


@pytest.fixture
def talker(tiny: Path) -> Iterator[Terminal]:
    """A conversation whose answers last until they are stopped: without prompt lookup, repetitions take their time."""
    words = ("chat", "-m", str(tiny), "--ctx-size", "32000", "-o", "temperature=0")
    terminal = Terminal(*COMMAND, *words, QWEN_TUI_LOOKUP="false")
    terminal.wait_for("\n>", "Ctrl-D leaves")
    yield terminal
    terminal.close()


def test_a_question_is_answered_and_the_toolbar_shows_its_figures(chat: Terminal) -> None:
    chat.enter("你好")
    text = chat.wait_for("tokens/s")
    assert "> 你好" in text
    assert "tiny.gguf · CPU · context" in text
    assert "of 16000" in text
    assert chat.leave() == 0


def test_ctrl_j_makes_a_line_and_a_paste_is_one_message(chat: Terminal) -> None:
    chat.type("first" + NEWLINE + "second")
    chat.wait_for("> first\n  second")
    chat.type("\x1b[200~ pasted\rlines\x1b[201~")
    chat.wait_for("second pasted\n  lines")
    assert "tokens/s" not in chat.text, "nothing was sent yet"
    chat.type(ENTER)
    chat.wait_for("tokens/s")


def test_ctrl_c_clears_the_line_and_ctrl_d_leaves_only_an_empty_one(chat: Terminal) -> None:
    chat.type("draft")
    chat.wait_for("> draft")
    chat.type(CTRL_D)
    chat.type(CTRL_C)
    chat.wait_for_times("draft", 0)
    assert chat.leave() == 0


def test_ctrl_c_stops_the_answer_and_keeps_it_and_the_typed_text(talker: Terminal) -> None:
    talker.enter("count")
    talker.wait_for_answer()
    talker.type("下一个 question" + ENTER)
    time.sleep(0.2)
    talker.type(CTRL_C)
    text = talker.wait_for("> 下一个 question", "tokens/s")
    assert text.count("下一个") == 1, "typed text is not echoed into the answer"
    talker.type(CTRL_C)
    assert talker.leave() == 0


def test_the_death_of_a_worker_is_reported_and_its_answer_goes_on(talker: Terminal) -> None:
    talker.enter("count")
    talker.wait_for_answer()
    (worker,) = psutil.Process(talker.process.pid).children()
    worker.kill()
    # The message soon scrolls off the screen, because the answer goes on.
    talker.wait_for_written("The engine was killed (SIGKILL).", "It is started again")
    assert "emory" not in talker.written.getvalue(), "nothing tells of it"
    assert "send the message again" not in talker.written.getvalue()
    talker.type(CTRL_C)
    # On a fast machine, the question has scrolled off the screen by now.
    talker.wait_for("\n>", "was stopped", "32000")
    talker.enter("again")
    talker.wait_for_answer()
    talker.type(CTRL_C)
    talker.wait_for("tokens/s")
    assert talker.leave() == 0


def test_a_model_that_cannot_be_loaded_leaves_the_question_in_the_line(tmp_path: Path) -> None:
    from tests.tiny_model import make_broken_models

    terminal = Terminal(*COMMAND, "chat", "-m", str(make_broken_models(tmp_path)["block_count_zero"]))
    terminal.wait_for("\n>", "Ctrl-D leaves")
    terminal.enter("a long question")
    terminal.wait_for("The engine gave up")
    terminal.wait_for_times("> a long question", 2)
    terminal.type(CTRL_C)
    assert terminal.leave() == 0


def test_the_terminal_is_as_before_afterwards(talker: Terminal) -> None:
    import termios

    talker.enter("count")
    talker.wait_for_answer()
    talker.process.kill(15)
    code = talker.ended(closing=False)
    after = termios.tcgetattr(talker.process.child_fd)
    assert after[3] & termios.ECHO
    assert after[3] & termios.ICANON
    assert code == 143


def test_a_long_paste_during_an_answer_neither_blocks_ctrl_c_nor_gets_lost(talker: Terminal) -> None:
    talker.enter("count")
    talker.wait_for_answer()
    lines = "".join(f"line number {i:04} of what was pasted\r" for i in range(300))
    talker.type(f"\x1b[200~{lines}the end\x1b[201~")
    time.sleep(0.5)
    talker.type(CTRL_C)
    text = talker.wait_for("the end", "tokens/s")
    assert "line number 0299 of what was pasted\n" in text
    talker.type(CTRL_C)
    assert talker.leave() == 0


def test_a_removed_model_is_reported_at_the_next_message(tmp_path: Path, tiny: Path) -> None:
    model = tmp_path / "model.gguf"
    model.write_bytes(tiny.read_bytes())
    terminal = Terminal(*COMMAND, "chat", "-m", str(model), "-o", "max_tokens=5")
    terminal.wait_for("\n>", "Ctrl-D leaves")
    terminal.enter("one")
    terminal.wait_for("tokens/s")
    model.unlink()
    (worker,) = psutil.Process(terminal.process.pid).children()
    worker.kill()
    terminal.enter("two")
    # The path is too long for one line. The message ends with a remedy, and the question is in the line again.
    terminal.wait_for("choose another file with -m.", "model.gguf · CPU")
    terminal.wait_for_times("> two", 2)
    terminal.type(CTRL_C)
    assert terminal.leave() == 0


def test_slash_commands_are_completed_and_carried_out(chat: Terminal) -> None:
    chat.type("/hel")
    chat.wait_for("> /hel")
    chat.type("\t")
    chat.wait_for("> /help")
    chat.type(ENTER)
    chat.wait_for("/undo", "take back the last turn")
    chat.type("/set temp")
    chat.wait_for("> /set temp")
    chat.type("\t")
    chat.wait_for("> /set temperature")
    chat.type(" 0" + ENTER)
    chat.wait_for("temperature = 0")
    chat.enter("/bye")
    assert chat.ended() == 0


def test_sigterm_at_the_prompt_ends_the_program(chat: Terminal) -> None:
    chat.type("half a question")
    chat.wait_for("half a question")
    chat.process.kill(15)
    assert chat.ended() == 143


def test_suspending_stops_the_worker_too_and_continuing_goes_on(tiny: Path) -> None:
    # Only a shell with job control can stop and continue a program. Its message about that depends on the locale.
    terminal = Terminal("bash", "--norc", "-i", LC_ALL="C.UTF-8", QWEN_TUI_LOOKUP="false")
    terminal.type(" ".join([*COMMAND, "chat", "-m", str(tiny), "--ctx-size", "32000", "-o", "temperature=0"]) + ENTER)
    terminal.wait_for("\n>", "Ctrl-D leaves")
    terminal.type("count" + ENTER)
    terminal.wait_for_answer()
    (program,) = psutil.Process(terminal.process.pid).children()
    (worker,) = program.children()
    terminal.type("\x1a")
    terminal.wait_for("Stopped")
    terminal.wait_until(lambda _text: {program.status(), worker.status()} == {psutil.STATUS_STOPPED})
    terminal.type("fg" + ENTER)
    terminal.wait_for_answer()
    terminal.type("typed" + ENTER)
    time.sleep(0.2)
    terminal.type(CTRL_C)
    assert terminal.wait_for("> typed", "tokens/s").count("typed") == 1
    terminal.close()


def test_ask_interactive_goes_on_in_the_terminal(tiny: Path) -> None:
    command = " ".join([*COMMAND, "ask", "-i", "-m", str(tiny), "-o", "max_tokens=5", "-o", "temperature=0", "what"])
    terminal = Terminal("sh", "-c", f"echo material | {command}")
    terminal.wait_for("\n>", "Ctrl-D leaves")
    terminal.enter("more")
    terminal.wait_for("> more", "tokens/s")
    assert terminal.leave() == 0


def test_after_leaving_one_file_holds_the_conversation(chat: Terminal, home: Path) -> None:
    chat.enter("hello")
    chat.wait_for("tokens/s")
    assert chat.leave() == 0
    assert [file.name for file in home.rglob("history.db*")] == ["history.db"]
