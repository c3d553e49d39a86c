"""The reasoning of a model is not part of its answer: it is not shown as one, not copied, stored or sent back."""

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwen_tui.chat.reasoning import separate_reasoning
from qwen_tui.history.store import History
from qwen_tui.messages import Event, Finished, Reasoning, Text, Timings, Usage
from qwen_tui.terminal import painted_output
from qwen_tui.terminal.output import HeldOutput, StreamingOutput
from qwen_tui.terminal.painted_output import PaintedOutput
from qwen_tui.terminal.progress import StatusLine
from qwen_tui.terminal.theme import theme
from qwen_tui.terminal.width import Ruler
from tests.chat.test_repl import Board, Person, Talk
from tests.kept import texts
from tests.scripted_engine import Cut, ScriptedEngine
from tests.streams import Clock, TerminalStream
from tests.terminal.painting import Screen

THOUGHT = "<think>\nHm, they want a word.\n</think>\n\nYes."
UNOPENED = "Hm, they want a word.\n</think>\n\nYes."


def events(text: str, size: int) -> Iterator[Event]:
    for start in range(0, len(text), size):
        yield Text(text[start : start + size])
    yield Finished(Usage(), Timings(), "stop")


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 1000])
@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        (THOUGHT, "Hm, they want a word.", "Yes."),
        ("\n<think>a</think>b", "a", "b"),
        ("<think>\n\n</think>\n\nYes.", "", "Yes."),
        ("<think>and so on", "and so on", ""),
        ("<think>a < b </thin k></think>c", "a < b </thin k>", "c"),
        (UNOPENED, "Hm, they want a word.", "Yes."),
        ("\n\n</think>\n\nYes.", "", "Yes."),
        ("They want a word.\n</think>", "They want a word.", ""),
        ("Say <think>, then </think>.\n", "", "Say <think>, then </think>.\n"),
        ("Yes. <think>no</think>", "", "Yes. <think>no</think>"),
        ("```html\n<think>\n</think>\n```\n", "", "```html\n<think>\n</think>\n```\n"),
        ("<think>a</think>b\n</think>\nc", "a", "b\n</think>\nc"),
        ("<thinking> is no mark", "", "<thinking> is no mark"),
        ("<thi", "", "<thi"),
        ("  indented", "", "  indented"),
    ],
)
def test_reasoning_is_separated_from_the_answer(text: str, reasoning: str, answer: str, size: int) -> None:
    thought = said = ""
    for event in separate_reasoning(events(text, size)):
        if isinstance(event, Reasoning):
            thought, said = thought + event.piece, "" if event.taken_back else said
        elif isinstance(event, Text):
            said += event.piece
    assert (thought.rstrip(), said) == (reasoning, answer)


@pytest.mark.parametrize("text", [THOUGHT, UNOPENED])
def test_reasoning_is_neither_copied_nor_stored_nor_sent_back(tmp_path: Path, text: str) -> None:
    history, board = History(tmp_path / "history.db"), Board()
    engine = ScriptedEngine(text, "fine")
    person = Person("a word?", "/copy", f"/save {tmp_path / 'a.txt'}", f"/export {tmp_path / 'a.json'}", "and?")
    talk = Talk(engine, person, history, board=board)
    assert talk.prompts[1] == ["a word?", "Yes. ", "and?"]
    assert board.text == "Yes. \n"
    assert (tmp_path / "a.txt").read_text() == "Yes. "
    assert "they want" not in (tmp_path / "a.json").read_text()
    kept = history.read(str(talk.session.conversation.id))
    assert texts(kept) == ["a word?", "Yes. ", "and?", "fine "]
    assert json.loads((tmp_path / "a.json").read_text())["messages"][1]["content"] == "Yes. "


def test_reasoning_alone_is_no_answer_and_the_program_says_why() -> None:
    person = Person("/set max_tokens 9", "hard")
    talk = Talk(ScriptedEngine(Cut("<think>and so on", tokens=9)), person)
    assert talk.contents == []
    assert person.drafts[-1] == "hard", "the question is given back"
    assert talk.shown[-1].splitlines() == [
        "The model was still thinking at 9 tokens, and max_tokens allows no more.",
        "Allow more with: /set max_tokens N",
    ]


def shown(output: HeldOutput, text: str) -> None:
    for event in separate_reasoning(events(text, 4)):
        output.show(event)


def test_a_pipe_gets_the_answer_alone_and_a_terminal_a_line_about_the_reasoning() -> None:
    for stream, told in ((io.StringIO(), ""), (TerminalStream(), "Thought for 0 s (21 characters)\n")):
        notes = TerminalStream()
        shown(StreamingOutput(stream, notes, StatusLine(io.StringIO())), THOUGHT)
        assert stream.getvalue() == "Yes.\n"
        assert notes.getvalue() == told


def test_text_that_turns_out_to_be_reasoning_is_marked_as_such() -> None:
    stream, notes = io.StringIO(), io.StringIO()
    shown(StreamingOutput(stream, notes, StatusLine(io.StringIO())), UNOPENED)
    assert notes.getvalue() == "So far the model was thinking; the answer follows.\n"


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (THOUGHT, ["Thought for 0 s (21 characters)", "Yes."]),
        (UNOPENED, ["Hm, they want a word.", "So far the model was thinking; the answer follows.", "Yes."]),
        ("<think></think>Yes.", ["Yes."]),
    ],
)
def test_a_painted_screen_folds_the_reasoning(text: str, rows: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(80, 24)

    class Tty(TerminalStream):
        def write(self, text: str) -> int:
            screen.write(text)
            return len(text)

    monkeypatch.setattr(painted_output, "terminal_size", lambda _stream: os.terminal_size((80, 24)))
    status = StatusLine(io.StringIO())
    shown(PaintedOutput(Tty(), Tty(), status, theme=theme("dark"), ruler=Ruler(), apart=False), text)
    assert screen.text() == rows


def test_during_reasoning_a_terminal_says_so_and_how_much() -> None:
    stream, clock = TerminalStream(), Clock()
    status = StatusLine(stream, clock=clock)
    for _piece in range(3):
        clock.now += 1
        status.show(Reasoning("five!"))
    assert stream.getvalue().endswith("Thinking … 15 characters")
    status.show(Text("x"))
    assert stream.getvalue().endswith("\r")
