"""The state of a REPL, which slash commands can change: the engine, the conversation, and how to answer."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from qwen_tui.chat import endings, going_on
from qwen_tui.chat.answer import Answer, AnswerOptions
from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.fitting.way import Front, Person
from qwen_tui.chat.from_template import with_system
from qwen_tui.chat.keeping import Keeper
from qwen_tui.chat.material import MOST_NAMED, Reading, some_names
from qwen_tui.chat.overviews import COLUMNS
from qwen_tui.chat.question import ask_about, to_edit
from qwen_tui.chat.templates import Template
from qwen_tui.chat.turn import Turn
from qwen_tui.documents.document import Password
from qwen_tui.documents.encodings import Encoding
from qwen_tui.engine.protocol import Engine, EngineInfo
from qwen_tui.errors import CancelledError, DoesNotFitError, PromptTooLongError, UsageError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import in_a_row, listed
from qwen_tui.messages import Exchange, FileRead, Filled, Material, Output, Question
from qwen_tui.models.locate import Meaning, lasting
from qwen_tui.typed_text import as_command


class Clipboard(Protocol):
    """The clipboard; the program uses it only when the person says so. Raises `ClipboardError`."""

    def copy(self, text: str) -> str:
        """Put `text` into the clipboard; return a sentence that the person should read about it, or ""."""

    def paste(self) -> str:
        """Return the text in the clipboard, "" if there is none."""


@dataclass(slots=True)
class Session:
    """The state of a REPL.

    - `report` shows text that is not part of an answer.
    - `open_engine` returns an engine for the name of a model; it is not started yet. It raises the reason if it cannot.
    - `meaning` returns what the name of a model stands for, `computing` how a model is computed, as a sentence.
    - `unsent` are the words of a question that has no answer yet.
    - `last` and `info` belong to the last answer; they are None before the first.
    - `template` began the next message, and applies to that message alone.
    - `replacing`: the next message replaces the last turn. `attached_again` are those of the `attached` materials that
      come from that turn.
    - `left_edit`: the person has left such a message; true until the end of the next line.
    - `is_named`: the person has named the model, so it goes on with every conversation.
    - `encoding` is the one of the files that the person attaches; None if it is to be guessed.
    - `password` returns the password of a document that the person attaches; None if none was named.
    - `show_reading` is told how far a file is read.
    - `person` can be asked about a question that does not fit or takes long; None if nobody can.
    - `models` returns the names of the models on this computer, each with a word about it.
    - `offer` is asked after each answer, with the name of its model, for a sentence on what the person could do to be
      faster; "" for nothing.
    - `columns` returns how wide a line of a list may be.
    """

    engine: Engine
    conversation: Conversation
    options: AnswerOptions
    keeper: Keeper
    output: Output
    report: Callable[[str], None]
    open_engine: Callable[[str], Engine]
    clipboard: Clipboard
    attached: list[Material] = field(default_factory=list)
    attached_again: tuple[Material, ...] = ()
    unsent: str = ""
    last: Answer | None = None
    info: EngineInfo | None = None
    template_folders: Sequence[Path] = ()
    template: Template | None = None
    replacing: bool = False
    left_edit: bool = False
    computing: Callable[[str], str] | None = None
    meaning: Meaning = Path
    models: Callable[[], Sequence[tuple[str, str]]] = tuple
    columns: Callable[[], int] = lambda: COLUMNS
    offer: Callable[[str], str] = lambda _model: ""
    is_named: bool = False
    encoding: Encoding | None = None
    password: Password | None = None
    show_reading: Callable[[FileRead], None] = lambda _event: None
    person: Person | None = None

    def reading(self) -> Reading:
        """Return how the files are read that the person attaches."""
        return Reading(
            self.report,
            self.encoding,
            "/set encoding {name}",
            self.password,
            "/set password_file FILE",
            self.show_reading,
        )

    def is_command(self, line: str) -> bool:
        """Whether a line is a slash command, and not a message."""
        if self.replacing and self.conversation.exchanges[-1].question.words.startswith("/"):
            return False
        # A line that a template began is a message, even if the first filled-in value begins with a slash.
        return as_command(line) is not None and self.template is None

    def question(self, conversation: Conversation, words: str) -> Question:
        """Return the question of these words about the attached materials.

        A template may give the `conversation` its system prompt.
        """
        question = ask_about(self.attached, words)
        if self.template is not None:
            return with_system(conversation, self.template, question)
        if self.replacing and (before := self.conversation.exchanges[-1].question.template).system:
            return msgspec.structs.replace(question, template=Filled(before.name, before.system))
        return question

    def answer(self, words: str) -> None:
        """Answer a question of these words about the attached materials; raises what `Turn.run` raises.

        Until the answer begins, the words stay in `unsent`: if it never begins, the person gets them back.
        """
        self.unsent = words
        system, from_template = self.conversation.system, self.conversation.from_template
        question = self.question(self.conversation, words)
        turn = self._turn()
        try:
            self._run(turn, question)
        except DoesNotFitError:
            raise
        except PromptTooLongError as error:
            # The options of the command line cannot be typed here.
            remedy = in_a_row(
                _("Shorten it; /context shows what fills it."),
                _("For a larger context, leave, and begin with: qwen chat --ctx-size N"),
            )
            if self.attached:
                remedy = in_a_row(_("/drop leaves out what is attached."), remedy)
            raise PromptTooLongError(error.message, remedy) from error
        finally:
            if turn.text:
                self.attached.clear()
                self.drop_draft()
            else:
                # The template will be applied when the message is sent again.
                self.conversation.system, self.conversation.from_template = system, from_template

    def answer_again(self) -> None:
        """Answer the last question again, with all its parts; raises `UsageError`, and what `Turn.run` raises.

        Until the new answer begins, the state is as after /edit. Materials attached since go with the next message.
        """
        if not self.conversation.exchanges:
            raise UsageError(_("There is no question to answer again."), _("Ask something first."))
        self.unsent = self.replace_last()
        turn = self._turn()
        try:
            self._run(turn, self.conversation.exchanges[-1].question)
        finally:
            if turn.text:
                self.drop_draft()
            else:
                self.tell_attached_again()

    def _turn(self) -> Turn:
        shorter = _("Or shorten it; /context shows what fills it.")
        if self.attached:
            shorter = in_a_row(_("/drop leaves out what is attached."), shorter)
        advised = self.template.fit if self.template else None
        front = Front(self.report, self.person, "/set fit {way}", shorter, advised)
        return Turn(self.engine, self.output, self.options, self.keeper, front)

    def _run(self, turn: Turn, question: Question) -> None:
        try:
            answer = turn.run(self.conversation, question, instead=self.replacing)
            if turn.text:
                self.last = answer
                if answer.reason == "stop" and (offer := self.offer(self.keeper.model)):
                    self.report(offer)
                # If the engine did not stop in time, its worker was killed and loads again. After Ctrl-C, do not wait.
                with contextlib.suppress(CancelledError):
                    self.info = self.engine.info()
            self._tell_ending(answer)
        finally:
            if turn.text:
                self.unsent = ""

    def _tell_ending(self, answer: Answer) -> None:
        """Say below an incomplete answer that it is incomplete, and how to go on."""
        # Otherwise the next question pushes this answer out of the prompt, or has no material to go on with.
        goes_on = not answer.is_joined and (
            answer.limit == "max_tokens" or 2 * answer.usage.completion_tokens < answer.held
        )
        ended = endings.of_conversation(answer, goes_on=goes_on, kept=self.keeper.history is not None)
        if ended.what:
            self.report(str(ended))

    def drop_draft(self) -> None:
        """Forget the draft of the line: it was sent, or the person has cleared it."""
        self.left_edit = self.left_edit or self.replacing
        self.template, self.replacing = None, False
        self.attached = [one for one in self.attached if not any(one is again for again in self.attached_again)]
        self.attached_again = ()

    def use_model(self, name: str) -> None:
        """Go on with another model; if `open_engine` raises, nothing has changed."""
        engine, name = self.open_engine(name), lasting(name, self.meaning(name))
        # Close the old engine first: two models may not fit into memory.
        self.engine.close()
        self.engine, self.keeper.model = engine, name
        self.info = None
        engine.start()

    def turn_to(self, conversation: Conversation) -> None:
        """Go on in another conversation, and forget the figures of the last answer."""
        self.conversation = conversation
        self.last = None

    def go_on_with(self, conversation: Conversation) -> str:
        """Go on in a conversation of the history with its own model, and return a sentence if the model changes.

        If `open_engine` raises, nothing has changed.
        """
        if self.is_named:
            said = going_on.change_of_model(conversation, self.keeper.model, self.meaning)
        else:
            said, own = "", going_on.own_model(conversation, self.meaning)
            if own and not going_on.is_same(own, self.keeper.model, self.meaning):
                self.use_model(own)
                said = _("From here on {name} answers.").format(name=own)
        self.turn_to(conversation)
        return said

    def replace_last(self) -> str:
        """Let the next message replace the last turn, and return the line to edit; raises `UsageError`.

        The materials of its question are attached again. The turn stays until the new answer begins.
        """
        if not self.conversation.exchanges:
            raise UsageError(_("There is no message to change."), _("Ask something first."))
        self.drop_draft()
        self.replacing = True
        line, self.attached_again = to_edit(self.conversation.exchanges[-1].question)
        self.attached = [*self.attached_again, *self.attached]
        return line

    def tell_attached_again(self) -> None:
        """Say which materials are attached again, and how to leave them out."""
        if len(self.attached_again) > MOST_NAMED:
            self.report(_("Attached again: {names}.").format(names=listed(some_names(self.attached_again))))
        else:
            for one in self.attached_again:
                self.report(_("Attached again: {name}, {n} characters.").format(name=one.name, n=f"{len(one.text):,}"))
        if self.attached_again:
            self.report(_("Write /drop in place of the message to ask without it."))

    def undo(self) -> Exchange:
        """Go back by one step, and return the exchange it took back; raises `UsageError` if there is none."""
        if not self.conversation.exchanges:
            raise UsageError(_("There is no turn to take back."), _("Ask something first."))
        undone = self.conversation.undo()
        try:
            self.keeper.move(self.conversation)
        except CancelledError:
            # The step is not stored, so it must not count here either.
            self.conversation.redo()
            raise
        return undone

    def redo(self) -> Exchange:
        """Go forward by one step, and return the exchange it brought back; raises `UsageError` if there is none."""
        if not self.conversation.undone:
            raise UsageError(_("There is nothing to bring back."), _("/redo brings back what /undo has taken back."))
        redone = self.conversation.redo()
        try:
            self.keeper.move(self.conversation)
        except CancelledError:
            self.conversation.undo()
            raise
        return redone

    def last_answer(self) -> str:
        """Return the last answer; raises `UsageError` if there is none."""
        if not self.conversation.exchanges:
            raise UsageError(_("There is no answer yet."), _("Ask something first."))
        return self.conversation.exchanges[-1].answer
