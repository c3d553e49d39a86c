"""The loop of a conversation, with a scripted engine and a scripted person."""

from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.keeping import Keeper
from qwen_tui.chat.repl import Repl
from qwen_tui.chat.turn import AnswerOptions
from qwen_tui.errors import PromptTooLongError, QwenError, WorkerDiedError
from tests.scripted_engine import RecordingOutput, ScriptedEngine


class Person:
    """Types the given lines; `drafts` is what each line started with, `typed` what is typed during each answer."""

    def __init__(self, *lines: str, typed: str = "") -> None:
        self._lines = iter(lines)
        self.typed = typed
        self.drafts: list[str] = []

    def read(self, draft: str = "") -> str:
        self.drafts.append(draft)
        line = next(self._lines, None)
        if line is None:
            raise EOFError
        return line

    def answering(self) -> "Person":
        return self

    def __enter__(self) -> "Person":
        return self

    def __exit__(self, *exception: object) -> None:
        return None


def converse(engine: ScriptedEngine, person: Person) -> tuple[Conversation, list[QwenError]]:
    errors: list[QwenError] = []
    conversation = Conversation()
    Repl(
        engine, conversation, person, RecordingOutput(), AnswerOptions(), Keeper(None, "scripted", print), errors.append
    ).run()
    return conversation, errors


def test_it_asks_until_the_person_leaves() -> None:
    conversation, errors = converse(ScriptedEngine("hi", "fine"), Person("hello", "  ", "how are you?"))
    assert [m.content for m in conversation.turns] == ["hello", "hi ", "how are you?", "fine "]
    assert errors == []


def test_an_error_is_shown_the_question_given_back_and_the_talk_goes_on() -> None:
    person = Person("too long", "short")
    conversation, errors = converse(ScriptedEngine(PromptTooLongError("too long"), "fine"), person)
    assert [error.message for error in errors] == ["too long"]
    assert person.drafts == ["", "too long", ""]
    assert len(conversation.turns) == 2


def test_an_answer_that_broke_off_stays_in_the_conversation() -> None:
    person = Person("hello", "go on")
    conversation, errors = converse(ScriptedEngine(("half an", WorkerDiedError("it died")), "answer"), person)
    assert len(errors) == 1
    assert person.drafts == ["", "", ""]
    assert [m.content for m in conversation.turns] == ["hello", "half an ", "go on", "answer "]


def test_what_was_typed_during_the_answer_is_in_the_next_line() -> None:
    person = Person("hello", typed="and then")
    converse(ScriptedEngine("hi"), person)
    assert person.drafts == ["", "and then"]
