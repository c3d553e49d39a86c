"""The loop of a conversation, with a scripted engine and a scripted person."""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from qwen_tui.chat.answer import AnswerOptions
from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.keeping import Keeper
from qwen_tui.chat.repl import Repl
from qwen_tui.chat.session import Session
from qwen_tui.chat.slash_commands import commands
from qwen_tui.errors import ModelNotFoundError, PromptTooLongError, QwenError, WorkerDiedError
from qwen_tui.history.store import History
from qwen_tui.messages import Draft, Material, Message, Question
from tests.kept import texts
from tests.scripted_engine import RecordingOutput, ScriptedEngine


class Person:
    """Types the given lines; `drafts` records the draft of each line."""

    def __init__(self, *lines: str) -> None:
        self._lines = iter(lines)
        self.drafts: list[str | Draft] = []

    @property
    def texts(self) -> list[str]:
        """The texts of the drafts."""
        return [draft if isinstance(draft, str) else draft.text for draft in self.drafts]

    def read(self, draft: str | Draft = "") -> str:
        self.drafts.append(draft)
        line = next(self._lines, None)
        if line is None:
            raise EOFError
        return line

    def answering(self) -> AbstractContextManager[None]:
        return nullcontext()


class Clearing(Person):
    """Clears every draft, as Ctrl-C does, before typing the next line."""

    def read(self, draft: str | Draft = "") -> str:
        if isinstance(draft, Draft) and draft.on_clear:
            draft.on_clear()
        return super().read(draft)


class Board:
    """A clipboard whose content a test can see."""

    def __init__(self, text: str = "") -> None:
        self.text = text

    def copy(self, text: str) -> str:
        self.text = text
        return ""

    def paste(self) -> str:
        return self.text


class Talk:
    """A whole conversation with its output, its stored turns and its errors. `others` are further models, by name."""

    def __init__(
        self,
        engine: ScriptedEngine,
        person: Person,
        history: History | None = None,
        *,
        board: Board | None = None,
        others: dict[str, ScriptedEngine] | None = None,
        templates: Path | None = None,
        attached: str = "",
        is_named: bool = False,
        models: Sequence[tuple[str, str]] = (),
        offer: Callable[[str], str] = lambda _model: "",
    ) -> None:
        self.errors: list[QwenError] = []
        self.shown: list[str] = []
        # What the keeper reported.
        self.warnings: list[str] = []
        output = RecordingOutput()
        self.notes = output.notes
        self._engine = engine
        self._others = others or {}
        self.session = Session(
            engine,
            Conversation(),
            AnswerOptions(),
            Keeper(history, "scripted", self.warnings.append),
            output,
            report=self.shown.append,
            open_engine=self._open,
            clipboard=board or Board(),
            template_folders=[templates] if templates else [],
            meaning=self._file,
            is_named=is_named,
            models=lambda: models,
            offer=offer,
        )
        if attached:
            self.session.attached.append(Material("attached", attached))
        Repl(self.session, person, self.errors.append).run()

    def _open(self, model: str) -> ScriptedEngine:
        if model not in self._others:
            raise ModelNotFoundError(f"no {model}")
        return self._others[model]

    def _file(self, model: str) -> Path:
        if model not in ("scripted", *self._others):
            raise ModelNotFoundError(f"no {model}")
        return Path(model)

    @property
    def contents(self) -> list[str]:
        return [message.content for message in self.session.conversation.turns]

    @property
    def prompts(self) -> list[list[str]]:
        """The messages of each request to the first engine."""
        return [[message.content for message in request.messages] for request in self._engine.requests]


def test_the_loop_runs_until_the_person_leaves() -> None:
    talk = Talk(ScriptedEngine("hi", "fine"), Person("hello", "  ", "how are you?"))
    assert talk.contents == ["hello", "hi ", "how are you?", "fine "]
    assert talk.errors == []


def test_after_an_error_the_question_is_given_back_and_the_conversation_goes_on() -> None:
    person = Person("too long", "short")
    talk = Talk(ScriptedEngine(PromptTooLongError("too long"), "fine"), person)
    assert [error.message for error in talk.errors] == ["too long"]
    assert person.drafts == ["", "too long", ""]
    assert len(talk.contents) == 2


def test_a_broken_answer_stays_in_the_conversation() -> None:
    person = Person("hello", "go on")
    talk = Talk(ScriptedEngine(("half an", WorkerDiedError("it died")), "answer"), person)
    assert len(talk.errors) == 1
    assert person.drafts == ["", "", ""]
    assert talk.contents == ["hello", "half an ", "go on", "answer "]


def test_help_lists_every_command() -> None:
    talk = Talk(ScriptedEngine(), Person("/help"))
    for command in commands():
        assert command.names[0] in talk.shown[0]
        assert command.description in talk.shown[0]


def test_bye_leaves() -> None:
    person = Person("/bye", "hello")
    assert Talk(ScriptedEngine("never"), person).contents == []
    assert person.drafts == [""]


def test_an_unknown_command_is_not_sent_to_the_model() -> None:
    talk = Talk(ScriptedEngine("/usr is a folder"), Person("/udno", "/file", " /usr/bin is what?"))
    assert "/undo" in talk.errors[0].remedy
    assert "/file PATH" in talk.errors[1].remedy
    assert talk.contents[0] == " /usr/bin is what?"


def test_undo_retry_and_edit_change_the_last_turn() -> None:
    person = Person("one", "two", "/undo", "/retry", "/edit", "uno", "/undo", "/undo", "/undo", "/undo")
    talk = Talk(ScriptedEngine("1", "2", "1 again", "1 uno"), person)
    assert [getattr(draft, "text", draft) for draft in person.drafts[:7]] == ["", "", "", "", "", "one", ""]
    assert [request[-1] for request in talk.prompts] == ["one", "two", "one", "uno"]
    assert talk.contents == []
    assert "no turn" in talk.errors[0].message


def test_a_retry_that_fails_gives_the_question_back() -> None:
    person = Person("one", "/retry")
    talk = Talk(ScriptedEngine("1", WorkerDiedError("gone")), person)
    assert getattr(person.drafts[-1], "text", "") == "one"
    assert len(talk.errors) == 1


def test_settings_apply_from_the_next_message_on() -> None:
    engine = ScriptedEngine("a", "b")
    talk = Talk(
        engine, Person("one", "/set temperature 0", "/set max_tokens 7", "/system Be brief.", "two", "/set x 1")
    )
    assert [r.sampler.temperature for r in engine.requests] == [0.7, 0.0]  # type: ignore[union-attr]
    assert engine.requests[1].max_tokens == 7
    assert engine.requests[1].messages[0] == Message("system", "Be brief.")
    assert len(talk.errors) == 1


def test_a_file_goes_with_the_next_message_only(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes("会议记录".encode("gb18030"))
    engine = ScriptedEngine("a", "b")
    talk = Talk(engine, Person(f"/file {tmp_path / 'notes.txt'}", "Summarise", "and now?", "/file /nowhere"))
    assert talk.contents[0] == "会议记录\n\nSummarise"
    assert talk.contents[2] == "and now?"
    assert "GB18030" in talk.shown[0]
    assert "/nowhere" in talk.errors[0].message


def test_attached_materials_wait_while_the_last_message_is_answered_again(tmp_path: Path) -> None:
    (tmp_path / "cats.txt").write_text("Cats.")
    talk = Talk(ScriptedEngine("1", "1 again", "2"), Person("one", f"/file {tmp_path / 'cats.txt'}", "/retry", "two"))
    assert [request[-1] for request in talk.prompts] == ["one", "one", "Cats.\n\ntwo"]


def test_answers_and_conversations_go_into_files(tmp_path: Path) -> None:
    talk = Talk(
        ScriptedEngine("the answer"), Person("hello", f"/save {tmp_path / 'a.txt'}", f"/export {tmp_path / 'c.json'}")
    )
    assert talk.errors == []
    assert (tmp_path / "a.txt").read_text() == "the answer "
    assert json.loads((tmp_path / "c.json").read_bytes())["messages"][1]["content"] == "the answer "


def test_conversations_are_found_resumed_and_branched(tmp_path: Path) -> None:
    history = History(tmp_path / "history.db")
    first = Talk(ScriptedEngine("发了"), Person("请发邮件"), history)
    kept = first.session.conversation.id
    second = Talk(ScriptedEngine("more"), Person("/logs 邮件", f"/resume {kept}", "/fork", "and?"), history)
    assert kept is not None
    assert kept in second.shown[0]
    assert second.session.conversation.id != kept
    assert second.contents == ["请发邮件", "发了 ", "and?", "more "]
    assert len(texts(history.read(kept))) == 2
    assert second.errors == []


def test_clear_begins_a_new_conversation(tmp_path: Path) -> None:
    history = History(tmp_path / "history.db")
    Talk(ScriptedEngine("a", "b"), Person("one", "/clear", "two", "/context", "/stats", "/show"), history)
    assert [summary.title for summary in history.recent()] == ["two", "one"]


def test_without_history_there_are_no_logs() -> None:
    assert "not kept" in Talk(ScriptedEngine(), Person("/logs")).errors[0].message


def with_other_model(tmp_path: Path) -> tuple[History, str]:
    """Return a history with a conversation of the model `other`, and its id."""
    history = History(tmp_path / "history.db")
    turn = history.begin(None, Question("one"), model="other", system=None)
    turn.update("1", "stop")
    return history, turn.conversation


def test_a_resumed_conversation_goes_on_with_its_own_model(tmp_path: Path) -> None:
    history, kept = with_other_model(tmp_path)
    other = ScriptedEngine("from the other")
    talk = Talk(ScriptedEngine(), Person(f"/resume {kept}", "two"), history, others={"other": other})
    assert talk.errors == []
    assert "From here on other answers." in talk.shown[-1]
    assert talk.contents == ["one", "1", "two", "from the other "]
    assert history.read(kept).summary.model == "other"


def test_a_named_model_continues_a_resumed_conversation_and_says_so(tmp_path: Path) -> None:
    history, kept = with_other_model(tmp_path)
    talk = Talk(
        ScriptedEngine("mine"),
        Person(f"/resume {kept}", "two"),
        history,
        others={"other": ScriptedEngine()},
        is_named=True,
    )
    assert "This conversation was with other; from here on scripted answers." in talk.shown[-1]
    assert talk.contents == ["one", "1", "two", "mine "]
    assert history.read(kept).summary.model == "scripted"


def test_a_conversation_whose_model_is_gone_is_not_continued(tmp_path: Path) -> None:
    history, kept = with_other_model(tmp_path)
    talk = Talk(ScriptedEngine("mine", "more"), Person("hello", f"/resume {kept}", "and?"), history)
    (error,) = talk.errors
    assert error.message == f"Conversation {kept} is with the model other, which is not on this computer."
    assert error.remedy == f"Go on with another model: qwen chat --cid {kept} -m MODEL"
    assert talk.contents == ["hello", "mine ", "and?", "more "]
    assert len(texts(history.read(kept))) == 2
