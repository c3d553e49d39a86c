"""What is on the disk of a conversation, and when."""

from pathlib import Path

import msgspec
import pytest

from qwen_tui.chat import keeping
from qwen_tui.chat.answer import AnswerOptions
from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.keeping import Keeper, resume
from qwen_tui.chat.turn import Turn
from qwen_tui.errors import HistoryError, WorkerDiedError
from qwen_tui.history.store import History
from qwen_tui.messages import Event, Prefill, Question, Text
from tests.kept import on_disk, texts
from tests.scripted_engine import RecordingOutput, ScriptedEngine


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


class Watching(RecordingOutput):
    """Records what is on the disk whenever an event is shown."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self.seen: list[tuple[Event, list[str]]] = []

    def show(self, event: Event) -> None:
        self.seen.append((event, on_disk(self._path)))


def test_the_question_is_there_before_its_prefill_and_the_answer_grows(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "_EVERY", 0.0)
    output = Watching(path)
    keeper = Keeper(History(path), "scripted", print)
    Turn(ScriptedEngine("one two"), output, AnswerOptions(), keeper).run(Conversation(), Question("count"))
    at_prefill = next(kept for event, kept in output.seen if isinstance(event, Prefill))
    assert at_prefill == ["count", ""]
    assert [kept[1] for event, kept in output.seen if isinstance(event, Text)] == ["one ", "one two "]
    assert on_disk(path) == ["count", "one two "]


def test_the_beginning_of_a_broken_answer_is_stored(path: Path) -> None:
    keeper, conversation = Keeper(History(path), "scripted", print), Conversation()
    with pytest.raises(WorkerDiedError):
        engine = ScriptedEngine(("half an", WorkerDiedError("gone")))
        Turn(engine, RecordingOutput(), AnswerOptions(), keeper).run(conversation, Question("question"))
    assert on_disk(path) == ["question", "half an "]


def test_a_question_without_an_answer_is_stored_once_even_if_it_is_asked_again(path: Path) -> None:
    keeper, conversation = Keeper(History(path), "scripted", print), Conversation()
    with pytest.raises(WorkerDiedError):
        Turn(ScriptedEngine(WorkerDiedError("gone")), RecordingOutput(), AnswerOptions(), keeper).run(
            conversation, Question("queston")
        )
    assert on_disk(path) == ["queston", ""]
    assert resume(History(path), conversation.id or "").turns == []
    Turn(ScriptedEngine("fine"), RecordingOutput(), AnswerOptions(), keeper).run(conversation, Question("question"))
    assert on_disk(path) == ["question", "fine "]


def test_a_resumed_conversation_continues(path: Path) -> None:
    keeper, conversation = Keeper(History(path), "scripted", print), Conversation("Be kind.")
    Turn(ScriptedEngine("fine"), RecordingOutput(), AnswerOptions(), keeper).run(conversation, Question("how are you"))
    again = resume(History(path), conversation.id or "")
    # What fills the context is known only in the sitting that has counted it.
    conversation.exchanges = [msgspec.structs.replace(one, tokens=None) for one in conversation.exchanges]
    assert again == conversation
    engine = ScriptedEngine("good")
    Turn(engine, RecordingOutput(), AnswerOptions(), Keeper(History(path), "scripted", print)).run(
        again, Question("and now?")
    )
    assert [m.content for m in engine.requests[0].messages] == ["Be kind.", "how are you", "fine ", "and now?"]
    assert len(on_disk(path)) == 4


def test_two_programs_in_one_conversation_get_two_conversations(path: Path) -> None:
    notes = list[str]()
    first, mine = Keeper(History(path), "scripted", notes.append), Conversation()
    Turn(ScriptedEngine("one"), RecordingOutput(), AnswerOptions(), first).run(mine, Question("count"))
    second, theirs = Keeper(History(path), "scripted", notes.append), resume(History(path), mine.id or "")
    shared = mine.id
    for keeper, conversation, question in ((first, mine, "mine"), (second, theirs, "theirs"), (first, mine, "more")):
        Turn(ScriptedEngine("fine"), RecordingOutput(), AnswerOptions(), keeper).run(conversation, Question(question))
    assert mine.id == shared
    assert theirs.id != shared
    assert kept(path, mine.id) == ["count", "one ", "mine", "fine ", "more", "fine "]
    assert kept(path, theirs.id) == ["count", "one ", "theirs", "fine "]
    assert len(notes) == 1
    assert str(theirs.id) in notes[0]


def test_a_question_whose_program_was_killed_stays_where_it_was_asked(path: Path) -> None:
    History(path).begin(None, Question("fatal"), model="m", system=None)
    conversation = resume(History(path), History(path).last() or "")
    assert conversation.turns == []
    for question in ("and now?", "then"):
        keeper = Keeper(History(path), "m", print)
        Turn(ScriptedEngine("fine"), RecordingOutput(), AnswerOptions(), keeper).run(conversation, Question(question))
    assert on_disk(path) == ["fatal", "", "and now?", "fine ", "then", "fine "]
    assert resume(History(path), conversation.id or "").turns == conversation.turns


def test_an_answer_is_stored_even_if_another_program_has_continued_the_conversation(path: Path) -> None:
    history = History(path)
    turn = history.begin(None, Question("slow"), model="m", system=None)
    other = resume(History(path), turn.conversation)
    Turn(ScriptedEngine("2"), RecordingOutput(), AnswerOptions(), Keeper(History(path), "m", print)).run(
        other, Question("quick")
    )
    turn.update("at last", "stop")
    assert kept(path, turn.conversation) == ["slow", "at last", "quick", "2 "]


def test_undo_keeps_what_another_program_has_added(path: Path) -> None:
    keeper, mine = Keeper(History(path), "m", print), Conversation()
    Turn(ScriptedEngine("one"), RecordingOutput(), AnswerOptions(), keeper).run(mine, Question("count"))
    theirs, shared = resume(History(path), mine.id or ""), mine.id
    Turn(ScriptedEngine("two"), RecordingOutput(), AnswerOptions(), Keeper(History(path), "m", print)).run(
        theirs, Question("on")
    )
    mine.undo()
    keeper.move(mine)
    Turn(ScriptedEngine("1"), RecordingOutput(), AnswerOptions(), keeper).run(mine, Question("count again"))
    assert kept(path, shared) == ["count", "one ", "on", "two "]
    assert kept(path, mine.id) == ["count again", "1 "]


def test_removing_a_conversation_during_an_answer_harms_no_other(path: Path) -> None:
    history, remover = History(path), History(path)
    turn = history.begin(None, Question("secret"), model="m", system=None)
    remover.remove(turn.conversation)
    other = remover.begin(None, Question("another"), model="m", system=None)
    with pytest.raises(HistoryError, match="no conversation"):
        turn.update("the answer", "stop")
    other.update("fine", "stop")
    assert kept(path, other.conversation) == ["another", "fine"]
    assert history.search("answer") == []


def kept(path: Path, conversation: str | None) -> list[str]:
    return texts(History(path).read(conversation or ""))


def test_a_failing_history_is_reported_once_and_the_conversation_goes_on(path: Path) -> None:
    history, notes = History(path), list[str]()
    history.close()
    keeper, conversation = Keeper(history, "scripted", notes.append), Conversation()
    engine = ScriptedEngine("one", "two")
    for question in ("first", "second"):
        Turn(engine, RecordingOutput(), AnswerOptions(), keeper).run(conversation, Question(question))
    assert len(conversation.turns) == 4
    assert len(notes) == 1
    assert "in memory only" in notes[0]
