"""What the program says about an incomplete answer, and how to go on with it."""

from pathlib import Path

from qwen_tui.history.store import History
from tests.chat.test_repl import Board, Person, Talk
from tests.scripted_engine import Cut, ScriptedEngine


def test_an_answer_cut_by_max_tokens_says_so_and_how_to_go_on() -> None:
    talk = Talk(ScriptedEngine(Cut("half an", tokens=7), "answer"), Person("/set max_tokens 7", "hello", "go on"))
    assert talk.shown[1:] == [
        "The answer was cut off at 7 tokens: max_tokens allows no more.\n"
        "To go on with it, write: go on · Allow more with: /set max_tokens N"
    ]


def test_an_answer_cut_by_the_context_names_that_and_not_max_tokens(tmp_path: Path) -> None:
    engine = ScriptedEngine(Cut("half an", tokens=99), ctx_size=100)
    talk = Talk(engine, Person("/set max_tokens 500", "hello"), History(tmp_path / "history.db"))
    assert talk.shown[1:] == [
        "The answer was cut off: the context of 100 tokens is full.\n"
        "For more room, leave, then: qwen chat -c --ctx-size 200"
    ]


def test_a_stopped_answer_says_so_but_an_empty_one_does_not() -> None:
    talk = Talk(ScriptedEngine(Cut("half an", "interrupted"), Cut("", "interrupted", 0, [" "][:0])), Person("hello"))
    assert talk.shown == ["The answer was stopped."]


def test_a_complete_answer_has_no_remark() -> None:
    assert Talk(ScriptedEngine("all of it"), Person("hello")).shown == []


def test_a_full_context_shows_no_more_than_its_size() -> None:
    engine = ScriptedEngine(Cut("word " * 110, tokens=100), ctx_size=100)
    shown = Talk(engine, Person("/system be brief", "hello", "/context")).shown[-1].splitlines()
    assert shown == [
        "The context holds 100 tokens:",
        "        2    2%  system prompt",
        "       98   98%  turn 1: hello",
        "The context is full: the oldest turns are no longer part of the next prompt.",
    ]


def test_what_fills_the_context_adds_up(tmp_path: Path) -> None:
    (tmp_path / "large.txt").write_text("word " * 500)
    engine = ScriptedEngine("a b c", ctx_size=300)
    person = Person("/system be brief", "hello", f"/file {tmp_path / 'large.txt'}", "/context")
    shown = Talk(engine, person).shown[-1].splitlines()
    rows = [line.split()[:2] for line in shown[1:] if "%" in line]
    assert sum(int(tokens) for tokens, _share in rows) == 300
    assert sum(int(share.rstrip("%")) for _tokens, share in rows) == 100
    assert shown[-1] == "What is attached takes 500 tokens, more than is free."


def test_an_empty_copy_is_not_reported_as_a_copy() -> None:
    board = Board("before")
    talk = Talk(ScriptedEngine("```\n```", "\n\n"), Person("x", "/copy code", "y", "/copy"), board=board)
    assert [error.message for error in talk.errors] == [
        "The last answer has no code block.",
        "The last answer is empty.",
    ]
    assert board.text == "before"


def test_unclosed_code_is_copied_with_a_warning() -> None:
    board = Board()
    talk = Talk(ScriptedEngine("```py\nprint("), Person("x", "/copy code"), board=board)
    assert board.text == "print( \n"
    assert talk.shown == ["The code block was copied. The answer ended inside the last one: it may not be whole."]
