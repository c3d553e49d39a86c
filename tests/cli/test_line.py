"""The input line of `qwen chat`: slots, earlier questions, completion, the editor, and Chinese at the screen's edge."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qwen_tui import files
from qwen_tui.chat.question import prompt_text
from qwen_tui.history.store import History
from qwen_tui.messages import Question
from tests.conftest import COMMAND

if sys.platform == "win32":
    pytest.skip("needs a POSIX terminal", allow_module_level=True)

from tests.terminal_screen import CTRL_C, ENTER, NEWLINE, PATIENCE, Terminal

TAB, BACK_TAB, BACKSPACE, DELETE, UP, LEFT = "\t", "\x1b[Z", "\x7f", "\x1b[3~", "\x1b[A", "\x1b[D"
CTRL_R, CTRL_U, UNDO, EDITOR, ALT_ENTER = "\x12", "\x15", "\x1f", "\x18\x05", "\x1b\r"
Start = Callable[..., Terminal]


@pytest.fixture
def start(tiny: Path) -> Iterator[Start]:
    """Start `qwen chat` with some options, and wait for its prompt."""
    running: list[Terminal] = []

    def run(*options: str) -> Terminal:
        model = ["-m", str(tiny), "--ctx-size", "16000", "-o", "temperature=0", "-o", "max_tokens=5"]
        terminal = Terminal(*COMMAND, "chat", *model, *options)
        running.append(terminal)
        terminal.wait_for("\n>", "Ctrl-D leaves")
        return terminal

    yield run
    for terminal in running:
        terminal.close()


def paste(text: str) -> str:
    return "\x1b[200~" + text.replace("\n", "\r") + "\x1b[201~"


def sent(chat: Terminal, count: int = 1) -> list[str]:
    """Wait for `count` messages and the last answer; return the messages of the last conversation, in order."""
    chat.wait_for("tokens/s")
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        history = History(files.folders().history)
        last = history.last()
        said = [prompt_text(exchange.question) for exchange in history.read(last).exchanges] if last else []
        history.close()
        if len(said) >= count:
            return said
        time.sleep(0.1)
    raise AssertionError(f"fewer than {count} messages")


def system() -> str | None:
    history = History(files.folders().history)
    last = history.last()
    assert last is not None
    return history.read(last).system


EMAIL = "Write an email.\nTo: {}\nPurpose and points: {}\nTone: {}\nLength: about 120 words"


def test_a_template_is_filled_in_the_line_and_takes_its_defaults(start: Start) -> None:
    chat = start()
    chat.enter("/template email")
    chat.wait_for("To: [who gets it, e.g. Ms Lee, all parents]", "Tone: professional", "who gets it")
    chat.type("王老师" + TAB)
    chat.wait_for("To: 王老师\n", "what it must say")
    chat.type(paste("one\ntwo"))
    chat.wait_for("points: one\n  two")
    chat.type(ENTER)
    assert sent(chat) == [EMAIL.format("王老师", "one\ntwo", "professional")]
    assert "executive assistant" in str(system())


def test_a_message_with_an_empty_required_slot_is_not_sent(start: Start) -> None:
    chat = start("-t", "email", "-p", "tone=firm")
    chat.wait_for("To: [who gets it", "Tone: firm")
    chat.type(ENTER)
    chat.wait_for("Still to be filled in: who gets it")
    chat.type("Lee" + ENTER)
    chat.wait_for("To: Lee", "Still to be filled in: what it must say")
    chat.type("x{{recipient}}" + ENTER)
    assert sent(chat) == [EMAIL.format("Lee", "x{{recipient}}", "firm")], "text of one's own stays text"


def test_backspace_empties_a_slot_undo_brings_it_back_and_shift_tab_goes_back(start: Start) -> None:
    chat = start("-t", "email")
    chat.type("Lee" + TAB + "meeting" + TAB + BACKSPACE)
    chat.wait_for("points: meeting\n  Tone:\n")
    chat.type(UNDO)
    chat.wait_for("Tone: professional\n", "how it sounds (professional, friendly")
    chat.type("direct" + BACK_TAB + " moved" + BACK_TAB + TAB + TAB + TAB + DELETE)
    chat.wait_for("points: meeting moved\n  Tone: direct\n  Length:\n")
    chat.type(ENTER)
    assert sent(chat) == [EMAIL.format("Lee", "meeting moved", "direct")], "the length took its default again"


def test_clearing_the_line_drops_the_template_and_in_a_running_talk_it_goes_into_one_message(start: Start) -> None:
    chat = start()
    chat.enter("/template email")
    chat.wait_for("[who gets it")
    chat.type(CTRL_C + "hello" + ENTER)
    chat.wait_for("> hello", "tokens/s")
    assert system() is None
    chat.enter("/template translate Guten Tag")
    chat.wait_for("> Guten Tag\n", "Translate the text above into")
    chat.type(ENTER)
    assert sent(chat, 2)[1].startswith("You are")
    assert "\n\nGuten Tag\n\nTranslate" in sent(chat, 2)[1]
    chat.wait_for("above into", "tokens/s")
    chat.enter("thanks")
    assert sent(chat, 3)[2] == "thanks"


def test_the_editor_may_change_a_draft_but_no_placeholder_is_sent_unnoticed(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i -e 's/To: /For: /' -e 's/Purpose and points: .*/About: me/' \"$1\"\n")
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    chat = start("-t", "email")
    chat.type(EDITOR)
    chat.wait_for("all parents]\n  About: me\n  Tone: professional")
    chat.type(ENTER)
    chat.wait_for("The text still has [who gets it, e.g. Ms Lee, all parents]; Enter")
    chat.type(ENTER)
    assert sent(chat)[0].startswith("Write an email.\nFor: [who gets it, e.g. Ms Lee, all parents]\nAbout: me\n")


def test_text_with_no_slots_goes_through_the_editor_too(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho 第二行 >> "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    chat = start()
    chat.type("第一行" + NEWLINE + EDITOR)
    chat.wait_for("> 第一行\n  第二行")
    chat.type(ENTER)
    assert sent(chat) == ["第一行\n第二行"]


@pytest.mark.parametrize("editor", ["it's", "no-such-editor", "false"])
def test_a_missing_editor_is_reported_and_the_line_stays(
    start: Start, monkeypatch: pytest.MonkeyPatch, editor: str
) -> None:
    monkeypatch.setenv("EDITOR", editor)
    monkeypatch.delenv("VISUAL", raising=False)
    chat = start()
    chat.type("hello" + EDITOR)
    chat.wait_for(f"The editor “{editor}” could not be used", "export EDITOR=", "\n> hello")
    chat.type(" you" + ENTER)
    assert sent(chat) == ["hello you"]


def test_questions_of_earlier_sittings_are_found_and_the_arrow_goes_to_them(start: Start) -> None:
    history = History(files.folders().history)
    for question in ("请写一封邮件", "what is HTTP?", "请写一封邮件"):
        history.begin(None, Question(question), model="m", system=None)
    history.close()
    chat = start()
    chat.type(CTRL_R + "http")
    chat.wait_for("> what is HTTP?")
    chat.type(ENTER)
    time.sleep(0.3)
    chat.type(" 简单说" + ENTER)
    assert sent(chat) == ["what is HTTP? 简单说"]
    chat.wait_for("tokens/s")
    chat.type(UP + UP)
    chat.wait_for("> 请写一封邮件")
    chat.type(UP)
    chat.wait_for("> what is HTTP?\n")


def test_a_draft_is_still_there_after_a_look_at_earlier_questions(start: Start) -> None:
    history = History(files.folders().history)
    history.begin(None, Question("earlier"), model="m", system=None)
    history.close()
    chat = start("-t", "email")
    chat.type("Lee" + UP + UP)
    chat.wait_for("> earlier")
    chat.type("\x1b[B")
    chat.wait_for("To: Lee\n", "points: [what it must say")
    chat.type(TAB + TAB + "x" + ENTER)
    assert sent(chat)[0].startswith("Write an email.\nTo: Lee")


def test_without_a_log_earlier_questions_are_those_of_this_session(start: Start, home: Path) -> None:
    chat = start("-n")
    chat.enter("秘密 question")
    chat.wait_for("tokens/s")
    chat.type(UP)
    chat.wait_for_times("> 秘密 question", 2)
    chat.type(CTRL_C + CTRL_R + "秘")
    chat.wait_for("> 秘密 question")
    chat.type(ENTER + CTRL_C)
    assert chat.leave() == 0
    kept = b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file())
    assert "秘密".encode() not in kept


def test_templates_and_conversations_are_completed_with_their_descriptions(start: Start) -> None:
    history = History(files.folders().history)
    turn = history.begin(None, Question("关于猫的故事"), model="m", system=None)
    turn.update("从前", "stop")
    history.close()
    chat = start()
    chat.type("/template em" + TAB)
    chat.wait_for("email-tone", "Draft an email")
    chat.type(CTRL_C + "/template weekl" + TAB)
    chat.wait_for("> /template weekly-report")
    chat.type(CTRL_C + "/template 16 x" + CTRL_U + "/resume 猫" + TAB)
    chat.wait_for(f"> /resume {turn.conversation}")
    chat.type(ENTER)
    chat.wait_for("1 turn ·")
    chat.enter("/template emial")
    chat.wait_for("There is no template “emial”", "email")
    chat.enter("/template")
    chat.wait_for("weekly-report", "Draft an email")


def test_chinese_wraps_whole_at_the_edge_and_is_deleted_whole(start: Start) -> None:
    chat = start()
    # The prompt takes two columns, the letter one: the last of 39 wide characters would cross the edge.
    chat.type("x" + "中" * 38 + "文")
    chat.wait_for("> x" + "中" * 38 + "\n", "文")
    chat.type(BACKSPACE * 3 + LEFT + "字")
    chat.wait_for("> x" + "中" * 35 + "字中\n")
    chat.type(ENTER)
    assert sent(chat) == ["x" + "中" * 35 + "字中"]


def test_200_pasted_lines_are_one_message_and_other_keys_make_lines(start: Start) -> None:
    chat = start()
    text = "\n".join(f"第 {i} 行" for i in range(200))
    chat.type(paste(text))
    chat.wait_for("第 199 行")
    chat.type(ALT_ENTER + "alt" + NEWLINE + "ctrl")
    chat.wait_for("第 199 行\n  alt\n  ctrl")
    chat.type(ENTER)
    assert sent(chat) == [text + "\nalt\nctrl"]


def test_the_window_may_change_its_size_while_one_types(start: Start) -> None:
    chat = start()
    chat.type("一二三四五六七八九十" * 3)
    chat.wait_for("> " + "一二三四五六七八九十" * 3)
    chat.resize(40, 20)
    chat.wait_for("一二三四五六七八九十一二三四五六七八九\n")
    chat.type("末")
    chat.wait_for("十末")
    chat.resize(100, 24)
    chat.wait_for("> " + "一二三四五六七八九十" * 3 + "末")
    chat.type(ENTER)
    assert sent(chat) == ["一二三四五六七八九十" * 3 + "末"]


def test_of_a_message_too_long_for_the_context_and_the_screen_the_error_is_seen_above_it(start: Start) -> None:
    chat = start("--ctx-size", "512", "--fit", "error")
    chat.type(paste("\n".join(f"第 {n} 行 of a message that is far too long" for n in range(80))))
    chat.wait_for("第 79 行")
    chat.type(ENTER)
    chat.wait_for("The prompt has", "the context holds 512", "Or shorten it", "第 79 行 of a message")
    chat.resize(40, 16)
    chat.type("!")
    text = chat.wait_for("第 79 行", "!\n", "\ntiny.gguf · context 512")
    assert text.endswith("\ntiny.gguf · context 512"), "whole parts are left out"
    chat.type(CTRL_C + "/nonsense" + ENTER)
    text = chat.wait_for("Did you mean", "\n>\n")
    said = " ".join(text.rpartition("> /nonsense")[2].split())
    assert "send the line as it is, put a space before it." in said, "it is broken between words"


def test_resume_paints_the_last_answer_and_undo_empties_the_toolbar(start: Start) -> None:
    history = History(files.folders().history)
    turn = history.begin(None, Question("code"), model="", system=None)
    turn.update("Here **it** is:\n\n```python\nprint(1)\n```\n", "stop")
    history.close()
    chat = start()
    chat.enter("/resume " + turn.conversation)
    chat.wait_for("> code\n\nHere it is:\n\nprint(1)\n")
    chat.enter("more")
    chat.wait_for("tokens/s", " of 16000")
    chat.enter("/undo")
    chat.wait_for("Taken back: more", "tiny.gguf · CPU · context 16000")


def test_commands_of_a_chinese_input_method_and_blanks_behind_what_tab_completes(start: Start) -> None:
    chat = start()
    for typed, shown in (("／te", "> /template"), ("weekl", "> /template weekly-report"), ("x", "weekly-report x")):
        chat.type(typed + TAB)
        chat.wait_for(shown)
    for typed, shown in ((CTRL_C + "/mod", "> /model"), ("de", "> /model demo")):
        chat.type(typed + TAB)
        chat.wait_for(shown)
    chat.type(CTRL_C + "/model" + ENTER)
    chat.wait_for("demo  the demonstration model")
    chat.enter("、help")
    chat.wait_for("/stats", "Ctrl-X Ctrl-E editor", "\n>\n")
    assert chat.leave() == 0


def test_without_an_editor_of_ones_own_it_is_told_how_to_leave(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nano = tmp_path / "nano"
    nano.write_text('#!/bin/sh\necho " more" >> "$1"\n')
    nano.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for name in ("VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)
    chat = start()
    chat.type("text" + EDITOR)
    chat.wait_for("The editor is nano: Ctrl-O and Enter save, Ctrl-X leaves.", "> text more")
