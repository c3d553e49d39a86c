"""What a REPL is about, all of which commands can change: an engine, a conversation, and how to answer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from qwen_tui.chat.conversation import Conversation, ask_about
from qwen_tui.chat.keeping import Keeper
from qwen_tui.chat.material import Material, labelled
from qwen_tui.chat.turn import Answer, AnswerOptions, Turn
from qwen_tui.engine.protocol import Engine, EngineInfo
from qwen_tui.errors import UsageError
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Output


class Clipboard(Protocol):
    """The clipboard, touched on the person's own command alone; raises `ClipboardError`."""

    def copy(self, text: str) -> str:
        """Put `text` into it and return what the person should know about that, or an empty string."""

    def paste(self) -> str:
        """Return the text in it, empty where there is none."""


@dataclass(slots=True)
class Session:
    """One sitting. `say` shows text that is no answer; `last` and `info` are of the last answer, None before it.

    `open_engine` returns the engine of a model by its name, not yet started, or raises why it cannot.
    """

    engine: Engine
    conversation: Conversation
    options: AnswerOptions
    keeper: Keeper
    output: Output
    say: Callable[[str], None]
    open_engine: Callable[[str], Engine]
    clipboard: Clipboard
    attached: list[Material] = field(default_factory=list)
    unsent: str = ""
    last: Answer | None = None
    info: EngineInfo | None = None

    def answer(self, question: str) -> None:
        """Answer `question` with what is attached; raises what `Turn.run` raises.

        Until a word of an answer has come, the question is `unsent`: to be given back, not lost.
        """
        self.unsent = question
        turn = Turn(self.engine, self.output, self.options, self.keeper)
        try:
            self.last = turn.run(self.conversation, ask_about(labelled(self.attached), question))
            if turn.text:
                self.info = self.engine.info()
        finally:
            if turn.text:
                self.unsent = ""
                self.attached.clear()

    def use_model(self, name: str) -> None:
        """Go on with another model; raises what `open_engine` raises, and everything stays as it was."""
        engine = self.open_engine(name)
        # First the old one: two models may be more than the memory holds.
        self.engine.close()
        self.engine, self.keeper.model = engine, name
        self.info = None
        engine.start()

    def turn_to(self, conversation: Conversation) -> None:
        """Go on in another conversation; the figures of the last answer belong to the one before."""
        self.conversation = conversation
        self.last = None

    def take_back(self) -> str:
        """Take back the last turn and return its question; raises `UsageError` if there is none."""
        if not self.conversation.turns:
            raise UsageError(_("There is no turn to take back."), _("Ask something first."))
        question = self.conversation.take_back()
        self.keeper.take_back(self.conversation)
        return question

    def last_answer(self) -> str:
        """Return the last answer; raises `UsageError` if there is none."""
        if not self.conversation.turns:
            raise UsageError(_("There is no answer yet."), _("Ask something first."))
        return self.conversation.turns[-1].content
