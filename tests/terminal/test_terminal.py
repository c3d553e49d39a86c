"""What the program writes to the terminal, and reads from it."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_tui.errors import OutputClosedError, OutputError
from qwen_tui.messages import Finished, Loading, Note, Prefill, Text, Timings, Usage
from qwen_tui.terminal.output import HeldOutput, StreamingOutput
from qwen_tui.terminal.progress import StatusLine
from qwen_tui.terminal.sanitise import clean, mark
from qwen_tui.terminal.streams import write
from tests.streams import Clock, TerminalStream

END = Finished(Usage(), Timings(), "stop")


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b[2J",
        "\x1b]52;c;aGk=\x07",
        "\x9b31m",
        "\u202egnp.exe",
        "a\x00b",
        "\x7f",
        "\u2066x\u2069",
        "\U000e0041",
        "\r",
        "\u2060\ufeff\u00ad",
        "\ufe00\U000e0100",
        "a\u2028b",
        "\udc80",
    ],
)
def test_no_control_sequence_gets_through(hostile: str) -> None:
    shown = set(clean(f"before{hostile}after"))
    assert not shown & set("\x1b\x9b\x00\x07\x7f\r\u202e\u2066\u2069\U000e0041")
    assert not shown & set("\u2060\ufeff\u00ad\ufe00\U000e0100\u2028\udc80")


def test_what_is_pasted_is_shown_with_its_traps_and_as_long_as_it_is() -> None:
    assert mark("rm \u202egpj.x\u200b 🧑\u200d🚀 ❤\ufe0f\x1b") == "rm \ufffdgpj.x\ufffd 🧑\u200d🚀 ❤\ufe0f\x1b"


def test_ordinary_text_gets_through() -> None:
    text = "Tab\there, newline\nthere; 你好 🧑‍🚀 e\u0301 “”—… ❤\ufe0f می\u200cخواهم"
    assert clean(text) == text


@given(st.text(), st.integers(0, 50))
def test_pieces_are_cleaned_like_the_complete_text(text: str, cut: int) -> None:
    assert clean(text[:cut]) + clean(text[cut:]) == clean(text)


def test_a_pipe_gets_what_the_model_wrote_a_terminal_a_clean_text() -> None:
    for stream, expected in ((io.StringIO(), "a\x1b[2Jb\n"), (TerminalStream(), "a[2Jb\n")):
        output = StreamingOutput(stream, io.StringIO(), StatusLine(io.StringIO()))
        for event in (Text("a\x1b"), Text("[2Jb"), END):
            output.show(event)
        assert stream.getvalue() == expected


def test_an_answer_that_ends_its_line_gets_no_second_end() -> None:
    stream = io.StringIO()
    output = StreamingOutput(stream, io.StringIO(), StatusLine(io.StringIO()))
    for event in (Text("done\n"), END):
        output.show(event)
    assert stream.getvalue() == "done\n"


def test_held_output_writes_notes_only() -> None:
    notes = io.StringIO()
    output = HeldOutput(notes, StatusLine(notes))
    output.show(Text("answer"))
    output.note("a note\x1b")
    assert notes.getvalue() == "a note\n"


def test_a_note_in_the_middle_of_an_answer_splits_it_only_on_a_terminal() -> None:
    for stream, notes, expected in (
        (io.StringIO(), TerminalStream(), "one two\n"),
        (TerminalStream(), io.StringIO(), "one two\n"),
        (TerminalStream(), TerminalStream(), "one \ntwo\n"),
    ):
        output = StreamingOutput(stream, notes, StatusLine(io.StringIO()))
        for event in (Text("one "), Note("The engine died."), Text("two"), END):
            output.show(event)
        assert stream.getvalue() == expected
        assert notes.getvalue() == "The engine died.\n"


def test_write_distinguishes_a_closed_pipe_from_a_full_disk() -> None:
    class Failing(io.StringIO):
        def __init__(self, error: OSError) -> None:
            super().__init__()
            self._error = error

        def write(self, text: str) -> int:
            raise self._error

    with pytest.raises(OutputClosedError):
        write(Failing(BrokenPipeError()), "x")
    with pytest.raises(OutputError, match="No space"):
        write(Failing(OSError(28, "No space left on device")), "x")


def test_progress_says_how_far_and_how_long_and_leaves_nothing() -> None:
    screen, clock = TerminalStream(), Clock()
    status = StatusLine(screen, clock=clock)
    for seconds, event in ((0, Prefill(100, 500)), (4, Prefill(300, 500)), (1, Prefill(300, 500))):
        clock.now += seconds
        status.show(event)
    assert "300 of 500 tokens, 4 s left" in screen.getvalue()
    assert screen.getvalue().endswith("300 of 500 tokens, 3 s left"), "time passes between two steps"
    status.show(Text("Hi"))
    assert screen.getvalue().rpartition("left")[2].strip(" \r") == ""
    assert screen.getvalue().endswith("\r")


def test_restored_tokens_count_for_no_speed() -> None:
    screen, clock = TerminalStream(), Clock()
    status = StatusLine(screen, clock=clock)
    for event in (Prefill(0, 500), Prefill(400, 500, 400), Prefill(420, 500, 400)):
        status.show(event)
        clock.now += 2
    assert screen.getvalue().endswith("420 of 500 tokens, 8 s left")


def test_how_long_is_said_before_the_first_step_if_the_engine_has_learned_it() -> None:
    screen, clock = TerminalStream(), Clock()
    status = StatusLine(screen, clock=clock)
    for event in (Prefill(0, 500, left_s=9), Prefill(0, 500, left_s=9), Prefill(250, 500, left_s=1)):
        status.show(event)
        clock.now += 2
    assert "0 of 500 tokens, 7 s left" in screen.getvalue()
    assert screen.getvalue().endswith("250 of 500 tokens, 4 s left"), "what is measured now counts more"


def test_waiting_for_another_process_is_shown_and_does_not_count_for_the_speed() -> None:
    screen, clock = TerminalStream(), Clock()
    status = StatusLine(screen, clock=clock)
    events = (Prefill(0, 700, awaited=True),) * 2 + (Prefill(690, 710, 690),) * 2
    for event in events:
        clock.now += 1
        status.show(event)
    assert "Waiting for 700 tokens" in screen.getvalue()
    assert screen.getvalue().endswith("690 of 710 tokens")


def test_loading_says_how_long_as_soon_as_it_is_known() -> None:
    screen, clock = TerminalStream(), Clock()
    status = StatusLine(screen, clock=clock)
    for seconds, event in ((0, Loading(0.2)), (1, Loading(0.2)), (3, Loading(0.6)), (2, Loading(0.6))):
        clock.now += seconds
        status.show(event)
    assert "20%, " not in screen.getvalue()
    assert "60%, 4 s left" in screen.getvalue()
    assert screen.getvalue().endswith("60%, 2 s left")


def test_short_waits_show_nothing() -> None:
    screen, clock = TerminalStream(), Clock()
    status = StatusLine(screen, clock=clock)
    for event in (Loading(0.1), Loading(0.9), Prefill(0, 9), Prefill(9, 9), Text("Hi"), END):
        clock.now += 0.05
        status.show(event)
    assert screen.getvalue() == ""


def test_no_progress_outside_a_terminal() -> None:
    pipe, clock = io.StringIO(), Clock()
    status = StatusLine(pipe, clock=clock)
    status.show(Loading(0))
    clock.now += 9
    status.show(Loading(0.5))
    assert pipe.getvalue() == ""
