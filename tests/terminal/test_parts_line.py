"""The line of progress while a long text is worked through part by part."""

import io

from qwen_tui.messages import Event, Finished, Prefill, Step, Text, Timings, Usage
from qwen_tui.terminal.output import HeldOutput, StreamingOutput
from qwen_tui.terminal.painted_output import PaintedOutput
from qwen_tui.terminal.progress import StatusLine
from qwen_tui.terminal.theme import theme
from qwen_tui.terminal.width import Ruler
from tests.streams import Clock, TerminalStream

END = Finished(Usage(), Timings(), "stop")


def shown(*events: Event, alone: bool = False) -> list[str]:
    """What the line shows after each event, two seconds apart; "" while it is empty."""
    screen, clock = TerminalStream(), Clock()
    status = StatusLine(screen, alone=alone, clock=clock)
    lines = []
    for event in events:
        # A phase shows nothing in its first moment.
        for _time in range(2):
            status.show(event)
            clock.now += 1
        lines.append(screen.getvalue().rpartition("\r")[2].rstrip())
    return lines


def test_it_says_which_part_how_long_all_takes_and_what_happens_in_the_part() -> None:
    events = Step(2, 12, 60.0), Prefill(0, 400), Prefill(100, 400), Step(2, 12, 50.0, written=40), Step(3, 12, 240.0)
    assert shown(*events) == [
        "Part 3 of 12 … 60 s left",
        "Part 3 of 12 … 58 s left · reading, 0%",
        "Part 3 of 12 … 56 s left · reading, 25%",
        "Part 3 of 12 … 50 s left · writing, 40 tokens",
        "Part 4 of 12 … 4 min left",
    ]


def test_nothing_is_foretold_before_anything_is_known() -> None:
    assert shown(Step(0, 3), Prefill(10, 100)) == ["Part 1 of 3 …", "Part 1 of 3 … · reading, 10%"]


def test_it_goes_when_the_last_part_is_done_and_the_answer_is_read_as_ever() -> None:
    lines = shown(Step(1, 2), Prefill(5, 10), Step(2, 2), Prefill(5, 10))
    assert lines[2] == ""
    assert lines[3] == "Reading … 5 of 10 tokens"


def test_it_gives_way_to_the_result_of_a_part_on_the_same_terminal() -> None:
    assert shown(Step(0, 2), Text("one"), Step(0, 2, written=1), Text("two"), Step(1, 2), Prefill(1, 4)) == [
        "Part 1 of 2 …",
        "",
        "",
        "",
        "Part 2 of 2 …",
        "Part 2 of 2 … · reading, 25%",
    ]


def test_it_tells_how_much_is_written_where_the_result_goes_elsewhere() -> None:
    events = (Step(0, 2), Text("one"), Step(0, 2, written=1), Text("two"), Step(0, 2, written=2), END)
    assert shown(*events, alone=True)[2:] == [
        "Part 1 of 2 … · writing, 1 tokens",
        "Part 1 of 2 … · writing, 1 tokens",
        "Part 1 of 2 … · writing, 2 tokens",
        "",
    ]


def test_after_a_stop_the_next_question_shows_no_part() -> None:
    assert shown(Step(0, 2), Prefill(1, 4), END, Prefill(1, 4))[-1] == "Reading … 1 of 4 tokens"


def test_an_unfinished_line_of_the_answer_is_not_overwritten() -> None:
    screen, clock = TerminalStream(), Clock()
    output = StreamingOutput(screen, screen, StatusLine(screen, clock=clock))
    for event in (Step(0, 2), Text("half a"), Step(1, 2), Prefill(1, 4), Prefill(2, 4), Text(" sentence"), END):
        output.show(event)
        clock.now += 1
    assert screen.getvalue().endswith("half a sentence\n")


def test_a_pipe_gets_the_result_and_nothing_of_the_parts() -> None:
    out, err = io.StringIO(), io.StringIO()
    output = StreamingOutput(out, err, StatusLine(err))
    for event in (Step(0, 2, 9.0), Prefill(1, 4), Text("one\n"), Step(1, 2, 4.0), Text("two"), Step(2, 2), END):
        output.show(event)
    assert (out.getvalue(), err.getvalue()) == ("one\ntwo\n", "")


def test_held_back_the_result_shows_nothing_but_progress() -> None:
    screen = TerminalStream()
    output = HeldOutput(screen, StatusLine(screen, alone=True))
    for event in (Step(0, 1), Text("one"), Step(0, 1, written=1), END):
        output.show(event)
    assert "one" not in screen.getvalue()


def test_between_two_parts_the_painter_shows_all_and_leaves_a_row_for_the_line() -> None:
    screen, clock = TerminalStream(), Clock()
    status = StatusLine(screen, clock=clock)
    output = PaintedOutput(
        screen, screen, status, theme=theme("dark", {}), ruler=Ruler(1, 100), colour=False, apart=False
    )
    for event in (Step(0, 2), Text("A para"), Text("graph that goes on"), Step(1, 2)):
        output.show(event)
    assert "A paragraph that goes on" in screen.getvalue(), "not only what the last tick has painted"
    clock.now += 1
    output.show(Step(1, 2))
    lines = screen.getvalue().split("\n")
    assert lines[-1].rpartition("\r")[2] == "Part 2 of 2 …", "below the answer"
