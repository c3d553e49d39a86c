"""/edit, /retry, /undo and /redo: a step that has only begun never loses a stored turn, in memory or on disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from qwen_tui.chat import keeping
from qwen_tui.chat.answer import AnswerOptions
from qwen_tui.chat.keeping import Keeper, resume
from qwen_tui.chat.session import Session
from qwen_tui.chat.turn import Turn
from qwen_tui.engine.protocol import Request
from qwen_tui.errors import WorkerDiedError
from qwen_tui.history.store import History
from qwen_tui.messages import Event, Finished, Prefill, Question, Text, Timings, Usage
from tests.chat.test_repl import Clearing, Person, Talk
from tests.kept import on_disk, texts
from tests.scripted_engine import RecordingOutput, ScriptedEngine


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


class Stopped(ScriptedEngine):
    """An engine that is stopped before the first word of its second answer."""

    def stream(self, request: Request) -> Iterator[Event]:
        if not self.requests:
            yield from super().stream(request)
            return
        self.requests.append(request)
        yield Prefill(1, 2)
        yield Finished(Usage(), Timings(), "interrupted")


def test_an_edit_that_is_cleared_changes_nothing(path: Path) -> None:
    talk = Talk(ScriptedEngine("1", "2"), Clearing("one", "/edit", "/edit", "/edit", "two"), History(path))
    assert talk.contents == ["one", "1 ", "two", "2 "]
    assert on_disk(path) == talk.contents
    assert talk.prompts[1] == ["one", "1 ", "two"], "what is typed then is the next question"


@pytest.mark.parametrize("leaving", ["/edit", "/retry"])
@pytest.mark.parametrize("engine", [Stopped, ScriptedEngine])
def test_a_turn_that_ends_before_its_first_word_leaves_the_old_one(
    path: Path, leaving: str, engine: type[ScriptedEngine]
) -> None:
    lines = ["one", leaving, *(["uno"] if leaving == "/edit" else [])]
    person = Person(*lines)
    talk = Talk(engine("1", WorkerDiedError("gone")), person, History(path))
    assert talk.contents == ["one", "1 "]
    assert on_disk(path) == talk.contents
    assert person.drafts[-1].text == lines[-1].replace("/retry", "one"), "the question is given back"  # type: ignore[union-attr]


def test_an_edited_question_that_was_given_back_still_replaces_the_old_one(path: Path) -> None:
    engine = ScriptedEngine("1", WorkerDiedError("gone"), WorkerDiedError("gone"), "eins")
    talk = Talk(engine, Person("one", "/edit", "uno", "uno", "ein"), History(path))
    assert talk.contents == ["ein", "eins "]
    assert on_disk(path) == talk.contents
    assert talk.prompts[3] == ["ein"]


def test_a_command_instead_of_an_edited_message_drops_the_edit(path: Path) -> None:
    talk = Talk(ScriptedEngine("1", "2"), Person("one", "/edit", "/show", "two"), History(path))
    assert talk.contents == ["one", "1 ", "two", "2 "]


def test_a_message_that_began_with_a_slash_may_be_edited(path: Path) -> None:
    talk = Talk(ScriptedEngine("1", "2"), Person(" /usr is what?", "/edit", " /etc is what?"), History(path))
    assert talk.contents == [" /etc is what?", "2 "]


def test_a_kill_before_the_new_answer_begins_leaves_the_old_turn(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill -9 leaves what is on the disk at that moment."""
    monkeypatch.setattr(keeping, "_EVERY", 0.0)
    seen: list[tuple[Event, list[str]]] = []

    class Watching(RecordingOutput):
        def show(self, event: Event) -> None:
            seen.append((event, on_disk(path)))

    talk = Talk(ScriptedEngine("1"), Person("one"), History(path))
    conversation = talk.session.conversation
    keeper = Keeper(History(path), "scripted", print)
    Turn(ScriptedEngine("first second"), Watching(), AnswerOptions(), keeper).run(
        conversation, Question("uno"), instead=True
    )
    assert [kept for event, kept in seen if not isinstance(event, Text | Finished)] == [["one", "1 "]] * 2
    assert [kept for event, kept in seen if isinstance(event, Text)] == [["uno", "first "], ["uno", "first second "]]


def test_a_question_is_stored_before_its_answer_even_after_a_replaced_one(path: Path) -> None:
    talk = Talk(ScriptedEngine("1", "2", WorkerDiedError("gone")), Person("one", "/retry", "two"), History(path))
    assert talk.contents == ["one", "2 "]
    assert on_disk(path) == ["one", "2 ", "two", ""]


def stepping(path: Path | None, *lines: str, answers: tuple[str, ...] = ("1", "2", "3", "4")) -> Talk:
    return Talk(ScriptedEngine(*answers), Person(*lines), History(path) if path else None)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize(
    ("lines", "left"),
    [
        (("one", "/undo"), []),
        (("one", "/undo", "/redo"), ["one", "1 "]),
        (("one", "two", "/undo", "/undo", "/redo"), ["one", "1 "]),
        (("one", "two", "/undo", "/undo", "/redo", "/redo"), ["one", "1 ", "two", "2 "]),
        (("one", "/retry"), ["one", "2 "]),
        (("one", "/retry", "/undo"), ["one", "1 "]),
        (("one", "/retry", "/undo", "/undo"), []),
        (("one", "/retry", "/retry", "/undo", "/redo"), ["one", "3 "]),
        (("one", "/edit", "uno", "/undo"), ["one", "1 "]),
        (("one", "/edit", "uno", "/undo", "/redo"), ["uno", "2 "]),
        (("one", "two", "/edit", "due", "/undo", "/undo"), ["one", "1 "]),
        (("one", "/undo", "two"), ["two", "2 "]),
        (("one", "two", "/undo", "/retry", "/undo", "/redo"), ["one", "3 "]),
    ],
)
def test_steps_back_and_forth(path: Path, lines: tuple[str, ...], left: list[str], *, kept: bool) -> None:
    talk = stepping(path if kept else None, *lines)
    assert talk.errors == []
    assert talk.contents == left
    if kept:
        assert on_disk(path) == left


def test_after_a_new_answer_redo_has_nothing_to_bring_back(path: Path) -> None:
    talk = stepping(path, "one", "/undo", "two", "/redo")
    assert "nothing to bring back" in talk.errors[0].message
    assert "/undo" in talk.errors[0].remedy
    assert stepping(None, "/redo").errors[0].message == talk.errors[0].message


def test_a_question_without_an_answer_keeps_redo_possible(path: Path) -> None:
    engine = ScriptedEngine("1", WorkerDiedError("gone"), "3")
    talk = Talk(engine, Clearing("one", "/undo", "two", "/redo"), History(path))
    assert talk.contents == ["one", "1 "]
    assert on_disk(path) == talk.contents


@pytest.mark.parametrize(
    ("lines", "after"),
    [
        (("one", "two", "/undo", "/undo"), [["one", "1 "], ["one", "1 ", "two", "2 "]]),
        (("one", "/retry", "/undo"), [["one", "2 "]]),
        (("one", "/retry", "/undo", "/undo"), [["one", "1 "], ["one", "2 "]]),
        (("one", "two", "/fork", "/undo"), [["one", "1 ", "two", "2 "]]),
        (("one", "two", "/undo", "/fork"), [["one", "1 ", "two", "2 "]]),
    ],
)
def test_the_next_program_can_redo_what_was_undone(path: Path, lines: tuple[str, ...], after: list[list[str]]) -> None:
    stepping(path, *lines)
    for expected in after:
        talk = stepping(path, f"/resume {History(path).last()}", "/redo")
        assert talk.errors == []
        assert talk.contents == expected
        assert on_disk(path) == expected
    assert stepping(path, f"/resume {History(path).last()}", "/redo").errors


def test_the_next_program_can_undo_a_replaced_turn(path: Path) -> None:
    stepping(path, "one", "/edit", "uno", "/retry")
    for expected in (["uno", "2 "], ["one", "1 "], []):
        assert stepping(path, f"/resume {History(path).last()}", "/undo").contents == expected
        assert on_disk(path) == expected


def test_a_question_whose_program_was_killed_does_not_hide_the_turn_before(path: Path) -> None:
    stepping(path, "one", "two")
    history = History(path)
    history.begin(history.last(), Question("fatal"), model="m", system=None)
    assert stepping(path, f"/resume {history.last()}", "/undo").contents == ["one", "1 "]
    assert on_disk(path) == ["one", "1 "]
    assert stepping(path, f"/resume {history.last()}", "/redo").contents == ["one", "1 ", "two", "2 "]


def test_a_question_after_an_interrupted_one_and_an_undo_makes_no_branch(path: Path) -> None:
    engine = ScriptedEngine("1", WorkerDiedError("gone"), "3")
    talk = Talk(engine, Clearing("one", "two", "/undo", "three"), History(path))
    assert talk.contents == ["three", "3 "]
    assert talk.warnings == [], "nobody went on with it elsewhere"
    assert len(History(path).recent()) == 1


def test_a_retry_beside_another_program_becomes_a_branch(path: Path) -> None:
    talk = stepping(path, "one")
    mine = talk.session
    shared = mine.conversation.id or ""

    class Meanwhile(RecordingOutput):
        """An output during which another program goes on with the conversation, before the first word of the retry."""

        def show(self, event: Event) -> None:
            if isinstance(event, Prefill):
                theirs = resume(History(path), shared)
                Turn(
                    ScriptedEngine("theirs"), RecordingOutput(), AnswerOptions(), Keeper(History(path), "m", print)
                ).run(theirs, Question("more"))

    again(mine, ScriptedEngine("mine"), Meanwhile())
    assert mine.conversation.id != shared
    assert str(mine.conversation.id) in talk.warnings[0]
    history = History(path)
    assert texts(history.read(shared)) == [
        "one",
        "1 ",
        "more",
        "theirs ",
    ]
    assert texts(history.read(mine.conversation.id or "")) == ["one", "mine "]
    history.remove(shared)
    assert texts(history.read(mine.conversation.id or "")) == ["one", "mine "]


def again(session: Session, engine: ScriptedEngine, output: RecordingOutput) -> None:
    Turn(engine, output, AnswerOptions(), session.keeper).run(session.conversation, Question("one"), instead=True)


def test_without_an_answer_the_last_figures_stay() -> None:
    talk = Talk(ScriptedEngine("1", WorkerDiedError("gone")), Person("one", "/retry", "/stats"))
    assert talk.session.last is not None
    assert talk.session.last.text == "1 "
