"""One question and its answer: passes events from the engine to the output, and the text to the history."""

from collections.abc import Generator, Iterator
from typing import TypeVar

import msgspec

from qwen_tui.chat.answer import Answer, AnswerOptions
from qwen_tui.chat.checking.coverage import covered
from qwen_tui.chat.checking.doubts import Doubts
from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.fitting.fitting import fit
from qwen_tui.chat.fitting.places import placed
from qwen_tui.chat.fitting.way import Front, Work
from qwen_tui.chat.keeping import Keeper
from qwen_tui.chat.material import some_names
from qwen_tui.chat.reasoning import separate_reasoning
from qwen_tui.chat.remarks import remarks
from qwen_tui.chat.repetition import Repetition
from qwen_tui.engine.protocol import Engine
from qwen_tui.errors import CancelledError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed, ngettext
from qwen_tui.messages import (
    Event,
    Exchange,
    Finished,
    Loss,
    Output,
    Question,
    Reasoning,
    Text,
    Timings,
    Usage,
)

T = TypeVar("T")

_NO_ANSWER = Answer("", "interrupted", Usage(), Timings())


class Turn:
    """Answers one question. After an error, `text` holds the answer so far."""

    def __init__(
        self, engine: Engine, output: Output, options: AnswerOptions, keeper: Keeper, front: Front | None = None
    ) -> None:
        """`front` knows whom to ask about a question that does not fit or takes long; by default there is nobody."""
        self._front = front or Front(output.note)
        self._engine = engine
        self._output = output
        self._options = options
        self._keeper = keeper
        self.text = ""
        self._repetition = Repetition()
        # How many characters of reasoning have come.
        self._reasoning = 0

    def run(self, conversation: Conversation, question: Question, *, instead: bool = False) -> Answer:
        """Answer `question`, and add the turn to `conversation` unless the answer is empty.

        With `instead`, the turn replaces the last one, unless the answer is empty. Raises what the engine and the
        output raise.
        """
        before = conversation.without_last() if instead else conversation
        # A question that is asked again gets what bears on it and fits now.
        question = msgspec.structs.replace(question, given=None, cites=self._options.schema is None)
        self._keeper.begin(conversation, question, instead=instead)
        answer = _NO_ANSWER
        try:
            if self._last_of(self._engine.load()):
                self._make_room(before, question)
                parts = self._keeper.kept_parts(conversation)
                work = Work(self._engine, self._options, before, question, parts, self._front)
                question, events = self._last_of(fit(work))
                if question.given is not None:
                    self._keeper.give(question.given)
                finished = self._follow(events or self._ask(before, question, conversation.id))
                answer = self._answer(finished, before, question, is_joined=events is not None)
                for sentence in remarks(answer.coverage, answer.doubts):
                    self._output.note(sentence)
        except CancelledError:
            # Cancelled while tokens were counted or while the history was locked: there is no answer yet.
            return _NO_ANSWER
        finally:
            kept = self._keeper.finish(self.text, answer.reason, answer.limit)
            if self.text:
                replaced = conversation.exchanges[-1] if instead else None
                conversation.add(
                    Exchange(
                        question,
                        self.text,
                        answer.reason,
                        answer.limit,
                        kept=kept,
                        instead_of=replaced,
                        tokens=answer.held or None,
                    )
                )
                conversation.left_out, conversation.outside = before.left_out, before.outside
        return answer

    def _answer(self, finished: Finished, before: Conversation, question: Question, *, is_joined: bool) -> Answer:
        """Return the answer that has ended so, with what was read for it and what it cites without ground."""
        # An answer that is joined from parts is whole only if it was not cut off.
        is_covered = finished.reason == "stop" or (not is_joined and finished.reason == "length")
        return Answer(
            self.text,
            finished.reason,
            finished.usage,
            finished.timings,
            max_tokens=self._options.max_tokens,
            repeats=finished.reason == "length" and self._repetition.ended_so(),
            reasoning=self._reasoning,
            crowded=finished.crowded,
            is_joined=is_joined,
            cut_by=finished.limit,
            estimated=finished.estimated,
            coverage=covered(question) if is_covered else None,
            doubts=self._doubts(before, question),
        )

    def _last_of(self, progress: Generator[Event, None, T]) -> T:
        """Show what `progress` yields, and return what it returns."""
        while True:
            try:
                self._output.show(next(progress))
            except StopIteration as ended:
                returned: T = ended.value
                return returned

    def _doubts(self, conversation: Conversation, question: Question) -> Doubts | None:
        # The strings of JSON are in quotation marks, and are no quotations.
        if self._options.schema is not None:
            return None
        questions = [*(exchange.question for exchange in conversation.exchanges), question]
        if not any(one.materials for one in questions):
            return None
        # Imported only here, because the import takes time.
        from qwen_tui.chat.checking.checking import Checking

        return Checking().doubts(questions, self.text)

    def _ask(self, conversation: Conversation, question: Question, kept: str | None) -> Iterator[Event]:
        """Ask the engine `question` in `conversation`, whose id is `kept`."""
        self._make_room(conversation, question)
        # The engine stores computed states only for conversations in the history, and removes them together.
        kept = kept if self._keeper.history is not None else None
        messages = conversation.prompt(question)
        events = self._engine.stream(self._options.request(messages, kept))
        return placed(events, messages, conversation.whole_materials(question))

    def _make_room(self, conversation: Conversation, question: Question) -> None:
        """Let the oldest turns leave the prompt if there is no room, and say what has left and what becomes of it."""
        left = conversation.make_room(self._engine, question)
        if left.turns:
            sentence = ngettext(
                "The context is full: the oldest turn is no longer part of the prompt.",
                "The context is full: the oldest {n} turns are no longer part of the prompt.",
                left.turns,
            )
            self._output.note(Loss(sentence.format(n=left.turns)))
        if left.moved:
            names = listed(some_names(left.moved))
            self._output.note(_("Still in the prompt: {names}.").format(names=names))
        if left.outside:
            names = listed(some_names(left.outside))
            sentence = _("No longer whole in the prompt: {names}. Questions get the passages that bear on them.")
            self._output.note(Loss(sentence.format(names=names)))

    def _follow(self, events: Iterator[Event]) -> Finished:
        """Show and keep the answer that `events` bring."""
        finished: Finished | None = None
        for event in separate_reasoning(events):
            if isinstance(event, Text):
                self.text += event.piece
                self._keeper.update(self.text)
            elif isinstance(event, Reasoning):
                self._reasoning += len(event.piece)
                self.text = "" if event.taken_back else self.text
            elif isinstance(event, Finished):
                finished = event
            self._output.show(event)
            # Reasoning may repeat itself without end, too.
            if isinstance(event, Text | Reasoning) and self._repetition.feed(event.piece):
                self._output.note(_("The answer repeats itself. Ctrl-C stops it; what has come is kept."))
        assert finished is not None, "every stream ends with Finished"
        return finished
