"""What the engine is told to read ahead while a person types, with a scripted engine."""

from pathlib import Path

from qwen_tui.chat.answer import AnswerOptions
from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.keeping import Keeper
from qwen_tui.chat.reading_ahead import NextPrompt
from qwen_tui.chat.session import Session
from qwen_tui.chat.templates import Template
from qwen_tui.messages import Exchange, Material, Message, Question
from tests.chat.test_repl import Board
from tests.scripted_engine import RecordingOutput, ScriptedEngine

REPORT = Material("report.txt", "The market grew by 3 percent.")


class Line:
    """A line being typed in a session with this engine."""

    def __init__(self, *, allowed: bool = True, conversation: Conversation | None = None, ctx_size: int = 1000) -> None:
        self.engine = ScriptedEngine(ctx_size=ctx_size)
        output = RecordingOutput()
        self.session = Session(
            self.engine,
            conversation or Conversation(),
            AnswerOptions(),
            Keeper(None, "demo", output.note),
            output,
            output.note,
            lambda _name: self.engine,
            Board(),
        )
        self.allowed = allowed
        self.next_prompt = NextPrompt(self.session, ctx_size, lambda: self.allowed)

    def type(self, text: str, *, paused: bool = False) -> None:
        """Type `text` key by key."""
        for end in range(1, len(text) + 1):
            self.next_prompt.typing(text[:end], paused=False)
        if paused:
            self.next_prompt.typing(text, paused=True)

    def begin(self) -> None:
        self.next_prompt.typing("", paused=True)

    @property
    def read(self) -> list[str]:
        """The last message of each request that the engine was told to read ahead."""
        return [request.messages[-1].content for request in self.engine.requests_ahead]


def test_the_conversation_so_far_is_read_before_the_first_key() -> None:
    line = Line(conversation=Conversation("Be brief.", [Exchange(Question("Hello"), "Hi!")]))
    line.begin()
    assert line.engine.requests_ahead[0].messages == (
        Message("system", "Be brief."),
        Message("user", "Hello"),
        Message("assistant", "Hi!"),
    )


def test_of_an_empty_conversation_nothing_is_known() -> None:
    line = Line()
    line.begin()
    assert line.read == []


def test_what_is_attached_is_read_at_once() -> None:
    line = Line()
    line.session.attached = [REPORT]
    line.begin()
    assert line.read == [REPORT.text]


def test_words_are_read_now_and_then_while_keys_come_and_wholly_after_a_pause() -> None:
    line = Line()
    question = "How much did the market for street food grow in the last twelve months, and why did it do so?"
    line.type(question, paused=True)
    assert 1 < len(line.read) < 5
    assert line.read[-1] == question


def test_words_that_come_back_after_a_stop_are_read_on() -> None:
    line = Line()
    line.type("How much did the market grow?", paused=True)
    line.begin()
    line.next_prompt.typing("How much did the market grow?", paused=True)
    assert line.read == ["How much did the market grow?"] * 2


def test_without_the_charger_the_reading_ends() -> None:
    line = Line()
    line.type("How much did the market grow?", paused=True)
    line.allowed = False
    assert not line.next_prompt.may_read()
    assert not line.next_prompt.may_read()
    assert line.engine.stopped_ahead == 1
    line.allowed = True
    line.type("How much did the market grow?", paused=True)
    assert line.read == ["How much did the market grow?"] * 2


def test_another_conversation_has_another_number() -> None:
    line = Line()
    line.type("How much did the market grow?", paused=True)
    line.session.turn_to(Conversation())
    line.type("What is HTTP?", paused=True)
    assert line.engine.places_ahead == [0, 1]


def test_chinese_words_need_no_blanks_to_be_read() -> None:
    line = Line()
    line.type("请把下面这份报告总结成三句话，并且说明每个结论的依据在哪里。")
    assert line.read
    assert all("请把下面这份报告总结成三句话，并且说明每个结论的依据在哪里。".startswith(text) for text in line.read)


def test_a_command_is_no_message() -> None:
    line = Line()
    line.type("/file a-report-with-a-very-long-name-of-more-than-one-word.txt --and-more-of-the-same", paused=True)
    assert line.read == []


def test_a_template_brings_its_system_prompt() -> None:
    line = Line()
    line.session.template = Template("email", Path(), "", "You write mails.", (), "Write a mail to {{input}}.")
    line.type("Write a mail to my landlord", paused=True)
    assert line.engine.requests_ahead[-1].messages[0] == Message("system", "You write mails.")
    assert line.session.conversation.system is None, "until it is sent, nothing is decided"


def test_an_edited_message_is_read_in_the_place_of_the_last_turn() -> None:
    line = Line(conversation=Conversation(None, [Exchange(Question("Helo"), "Hi!")]))
    line.session.replace_last()
    line.type("Hello", paused=True)
    assert line.engine.requests_ahead[-1].messages == (Message("user", "Hello"),)


def test_an_edited_message_that_begins_with_a_slash_is_read_as_a_message() -> None:
    line = Line(conversation=Conversation(None, [Exchange(Question("/etc is full, what now?"), "Hi!")]))
    line.session.replace_last()
    line.type("/etc is full", paused=True)
    assert line.read[-1] == "/etc is full"


def test_what_does_not_fit_is_not_read() -> None:
    line = Line(ctx_size=256)
    line.session.attached = [Material("book.txt", "word " * 2000)]
    line.begin()
    assert line.read == []


def test_without_power_nothing_is_read() -> None:
    line = Line(allowed=False)
    line.session.attached = [REPORT]
    line.begin()
    line.type("What does it say about the market of street food in the town?", paused=True)
    assert line.read == []


def test_without_a_history_no_state_may_be_stored() -> None:
    line = Line(conversation=Conversation(None, [Exchange(Question("Hello"), "Hi!")], id="bcdfgh"))
    line.begin()
    assert line.engine.requests_ahead[0].conversation is None
