"""Slash commands in the real program, where the screen, the clipboard or the engine matters."""

import base64
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from wcwidth import width

from tests.conftest import COMMAND
from tests.kept import on_disk

if sys.platform == "win32":
    pytest.skip("needs a POSIX terminal", allow_module_level=True)

from tests.terminal_screen import CTRL_C, ENTER, Terminal


@pytest.fixture(autouse=True)
def no_display(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_TTY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def chat(tiny: Path) -> Iterator[Terminal]:
    terminal = start("-m", str(tiny), "-o", "max_tokens=8", "-o", "temperature=0")
    yield terminal
    terminal.close()


def start(*options: str) -> Terminal:
    # Without prompt lookup, an answer that is to be interrupted takes its time.
    terminal = Terminal(*COMMAND, "chat", *options, QWEN_TUI_LOOKUP="false")
    terminal.wait_for("\n>", "Ctrl-D ")
    return terminal


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_help_fits_the_screen(tiny: Path, language: str) -> None:
    chat = start("-m", str(tiny), "--lang", language)
    chat.enter("/?")
    text = chat.wait_for("/help, /?", "/stats", "\n>\n")
    shown = text[text.index("/help, /?") :].partition("\n\n")[0].splitlines()
    starts = {width(line) - width(line.partition("  ")[2].lstrip()) for line in shown}
    assert len(starts) == 1, "the descriptions stand in one column, and no line is broken"
    assert chat.leave() == 0


def test_the_search_of_earlier_questions_is_in_the_language_in_use(tiny: Path) -> None:
    chat = start("-m", str(tiny), "--lang", "zh")
    chat.enter("/show")
    chat.wait_for("temperature")
    chat.type("\x12sh")
    chat.wait_for("搜索：sh", "> /show\n\n")
    chat.type(ENTER + CTRL_C)
    assert chat.leave() == 0


def test_an_answer_goes_to_the_terminals_clipboard(chat: Terminal, tiny: Path) -> None:
    chat.enter("hello")
    chat.wait_for("tokens/s")
    chat.enter("/save answer.txt")
    chat.wait_for("Written: answer.txt")
    chat.enter("/copy")
    chat.wait_for("The answer was copied.", "wl-clipboard")
    answer = Path("answer.txt").read_text(encoding="utf-8")
    sequence = chat.written.getvalue().partition("\x1b]52;c;")[2].partition("\a")[0]
    assert base64.b64decode(sequence).decode() == answer.strip("\n") + "\n"
    chat.enter("/paste")
    chat.wait_for("The clipboard cannot be read from here.", "Ctrl-Shift-V")
    assert chat.leave() == 0


def test_another_model_answers_and_can_be_interrupted(chat: Terminal, tiny: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(tiny.read_bytes())
    chat.enter("one")
    chat.wait_for("tiny.gguf · CPU")
    (old,) = psutil.Process(chat.process.pid).children()
    chat.enter("/model none.gguf")
    chat.wait_for("There is no file none.gguf")
    assert old.is_running()
    chat.enter("/model other.gguf")
    chat.wait_for("From here on other.gguf answers.", "other.gguf · context")
    assert not psutil.wait_procs([old], timeout=30)[1]
    chat.enter("/set max_tokens 8000")
    chat.wait_for("max_tokens = 8000")
    chat.enter("count")
    chat.wait_for_answer()
    chat.type(CTRL_C)
    chat.wait_for("other.gguf · CPU", "tokens/s")
    (new,) = psutil.Process(chat.process.pid).children()
    chat.enter("/logs")
    chat.wait_for("  one")
    assert chat.leave() == 0
    assert not psutil.wait_procs([new], timeout=30)[1]


def test_files_given_at_the_start_go_with_the_first_message(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes("会议记录".encode("gb18030"))
    terminal = start("-m", str(tiny), "-o", "max_tokens=5", "-f", "notes.txt")
    terminal.wait_for("notes.txt was read as GB18030.", "notes.txt goes with the next message (4 characters).")
    terminal.enter("Summarise")
    terminal.wait_for("tokens/s")
    terminal.enter("/resume")
    terminal.wait_for("/resume needs something more.", "Write: /resume ID")
    terminal.enter("/edit")
    terminal.wait_for("Attached again: notes.txt, 4 characters.", "> Summarise")
    terminal.type(CTRL_C)
    assert terminal.leave() == 0


@pytest.mark.parametrize(("path", "words"), [("none.txt", "No such file"), ("-", "qwen ask -i")])
def test_a_missing_file_ends_the_program_before_the_conversation(tiny: Path, path: str, words: str) -> None:
    terminal = Terminal(*COMMAND, "chat", "-m", str(tiny), "-f", path)
    terminal.wait_for(words)
    assert terminal.ended() == (2 if path == "-" else 1)


def test_a_session_with_all_the_other_commands(chat: Terminal, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Friday it is.", encoding="utf-8")
    chat.enter("/retry")
    chat.wait_for("There is no question to answer again.", "\n>\n")
    chat.enter("hello")
    chat.wait_for("tokens/s")
    for line, words in (
        ("/context", "The context holds"),
        ("/stats", "the first after"),
        ("/show", "temperature = 0"),
        ("/system Be brief.", "It applies from the next message on."),
        ("/file notes.txt", "notes.txt goes with the next message (13 characters)."),
        ("/template nonsense", "There is no template “nonsense”"),
        ("/fork", "From here on this is conversation"),
        ("/export talk.md", "Written: talk.md"),
        ("/export talk.md", "There is a file talk.md already"),
        ("/undo", "Taken back: hello"),
        ("/clear", "A new conversation."),
        ("/clear now", "/clear takes nothing more."),
        ("/cler", "There is no command /cler."),
    ):
        chat.enter(line)
        chat.wait_for(words, "\n>\n")
    chat.enter("again")
    # The speed below the line may be that of the answer before.
    chat.wait_for("> again", "tokens/s", "\n>\n")
    chat.enter("/retry")
    chat.wait_for("> /retry", "tokens/s", "\n>\n")
    chat.enter("/logs again")
    chat.wait_for("  again")
    assert (tmp_path / "talk.md").read_text(encoding="utf-8").startswith("# hello")
    chat.enter("/exit")
    assert chat.ended() == 0


def test_quit_leaves_too(chat: Terminal) -> None:
    chat.enter("/quit")
    assert chat.ended() == 0


def test_show_says_with_which_settings_the_model_is_computed(chat: Terminal) -> None:
    chat.enter("/show")
    chat.wait_for("no flash attention", "(by rule", "temperature = 0")


def test_leaving_an_edit_changes_nothing_and_redo_reverses_undo(chat: Terminal, home: Path) -> None:
    chat.enter("hello")
    chat.wait_for("tokens/s")
    before = on_disk(home / "history.db")
    for _time in range(2):
        chat.enter("/edit")
        wait_for_line(chat, "> hello")
        chat.type(CTRL_C)
        wait_for_line(chat, ">")
    assert chat.leave() == 0
    assert on_disk(home / "history.db") == before
    assert before[0] == "hello"
    for command, said, left in (("/undo", "Taken back: hello", []), ("/redo", "Brought back: hello", before)):
        again = Terminal(*COMMAND, "chat", "-c")
        again.wait_for("\n>", "Ctrl-D ")
        again.enter(command)
        again.wait_for(said)
        assert again.leave() == 0
        assert on_disk(home / "history.db") == left


@pytest.mark.parametrize("ending", ["stopped", "killed"])
def test_a_retry_that_never_begins_leaves_the_old_turn(chat: Terminal, home: Path, ending: str) -> None:
    chat.enter("hello")
    chat.wait_for("tokens/s")
    before = on_disk(home / "history.db")
    (worker,) = psutil.Process(chat.process.pid).children()
    # This engine will not generate a word.
    worker.suspend()
    chat.enter("/retry")
    chat.wait_for("> /retry")
    while len(messages(home)) == len(before):
        assert chat.process.isalive()
    if ending == "killed":
        chat.process.kill(9)
        chat.process.wait()
        worker.kill()
    else:
        chat.type(CTRL_C)
        wait_for_line(chat, "> hello")
        chat.type(CTRL_C)
        wait_for_line(chat, ">")
        assert chat.leave() == 0
    assert on_disk(home / "history.db") == before


def wait_for_line(terminal: Terminal, line: str) -> None:
    """Wait until the input line, which is the last one above the toolbar, has this text."""
    terminal.wait_until(lambda text: [*filter(None, text.splitlines())][-2:-1] == [line])


def messages(home: Path) -> list[str]:
    """Return all messages on the disk, of all conversations."""
    with sqlite3.connect(home / "history.db") as connection:
        return [row[0] for row in connection.execute("SELECT content FROM messages")]
