"""What a REPL is about, all of which commands can change: an engine, a conversation, and how to answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from qwen_tui.chat import endings
from qwen_tui.chat.composing import with_system
from qwen_tui.chat.conversation import Conversation, ask_about
from qwen_tui.chat.keeping import Keeper
from qwen_tui.chat.material import Material, labelled
from qwen_tui.chat.templates import Template
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

    `open_engine` returns the engine of a model by its name, not yet started, or raises why it cannot. `template` is the
    one that the next message was begun with; it applies to that message alone. `computing` says by a model's name with
    which settings it is computed.
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
    template_folders: Sequence[Path] = ()
    template: Template | None = None
    computing: Callable[[str], str] | None = None

    def answer(self, question: str) -> None:
        """Answer `question` with what is attached; raises what `Turn.run` raises.

        Until a word of an answer has come, the question is `unsent`: to be given back, not lost.
        """
        self.unsent = question
        system, from_template = self.conversation.system, self.conversation.from_template
        turn = Turn(self.engine, self.output, self.options, self.keeper)
        try:
            message = ask_about(labelled(self.attached), question)
            if self.template is not None:
                message = with_system(self.conversation, self.template, message)
            self.last = turn.run(self.conversation, message, title=question)
            if turn.text:
                self.info = self.engine.info()
            self._tell_ending()
        finally:
            if turn.text:
                self.unsent = ""
                self.attached.clear()
                self.template = None
            else:
                # The template is still to be applied.
                self.conversation.system, self.conversation.from_template = system, from_template

    def _tell_ending(self) -> None:
        """Say below an answer that it is not whole, and how to go on."""
        assert self.last is not None
        held = self.last.usage.prompt_tokens + self.last.usage.completion_tokens
        # Else the next question pushes this answer out of the prompt.
        goes_on = self.last.limit == "max_tokens" or 2 * self.last.usage.completion_tokens < held
        ended = endings.of_conversation(self.last, goes_on=goes_on, kept=self.keeper.history is not None)
        if ended.what:
            self.say(str(ended))

    def drop_template(self) -> None:
        """Forget the template: the person has cleared what it put into the line."""
        self.template = None

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
