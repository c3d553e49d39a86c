"""One question and its answer: passes events from the engine to the output, and the text to the history."""

from dataclasses import dataclass

import msgspec

from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.keeping import Keeper
from qwen_tui.chat.question import prompt_text
from qwen_tui.chat.reasoning import separate_reasoning
from qwen_tui.chat.repetition import Repetition
from qwen_tui.config import Config
from qwen_tui.engine.protocol import Engine, Request, SamplingOptions
from qwen_tui.errors import CancelledError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import ngettext
from qwen_tui.messages import (
    Exchange,
    Finished,
    FinishReason,
    Limit,
    Message,
    Output,
    Question,
    Reasoning,
    Text,
    Timings,
    Usage,
)


class AnswerOptions(msgspec.Struct, frozen=True):
    """How to answer: the sampling, the most tokens, a JSON schema as JSON text, and whether to use prompt lookup."""

    sampling: SamplingOptions = msgspec.field(default_factory=SamplingOptions)
    max_tokens: int | None = None
    schema: str | None = None
    lookup: bool = True

    @classmethod
    def of(cls, settings: Config, schema: str | None = None) -> "AnswerOptions":
        """Return how to answer under `settings`."""
        sampling = SamplingOptions(**{name: getattr(settings, name) for name in SamplingOptions.__struct_fields__})
        return cls(sampling=sampling, max_tokens=settings.max_tokens, schema=schema, lookup=settings.lookup)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, complete or cut off, and its figures."""

    text: str
    reason: FinishReason
    usage: Usage
    timings: Timings
    max_tokens: int | None = None
    # Whether it repeated itself at the end, until it was cut off.
    repeats: bool = False
    # How many characters of reasoning came before the answer.
    reasoning: int = 0

    @property
    def limit(self) -> Limit | None:
        """The limit that cut the answer off, None if there was none."""
        if self.reason != "length":
            return None
        reached = self.max_tokens is not None and self.usage.completion_tokens >= self.max_tokens
        return "max_tokens" if reached else "context"

    def figures(self) -> str:
        """Return the tokens and speeds of the answer in a sentence."""
        return _(
            "{prompt} prompt tokens ({cached} cached), {completion} in the answer; "
            "{prefill:.1f} tokens/s reading, {decode:.1f} writing; first after {ttft:.1f} s"
        ).format(
            prompt=self.usage.prompt_tokens,
            cached=self.usage.cached_tokens,
            completion=self.usage.completion_tokens,
            prefill=self.timings.prefill_tps,
            decode=self.timings.decode_tps,
            ttft=self.timings.ttft_s,
        )


_NO_ANSWER = Answer("", "interrupted", Usage(), Timings())


class Turn:
    """Answers one question. After an error, `text` holds the answer so far."""

    def __init__(self, engine: Engine, output: Output, options: AnswerOptions, keeper: Keeper) -> None:
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
        self._keeper.begin(conversation, question, instead=instead)
        prompt = prompt_text(question)
        answer = _NO_ANSWER
        try:
            if self._load():
                self._make_room(before, prompt)
                finished = self._stream(before.prompt(prompt), conversation.id)
                most = self._options.max_tokens
                answer = Answer(
                    self.text,
                    finished.reason,
                    finished.usage,
                    finished.timings,
                    max_tokens=most,
                    repeats=finished.reason == "length" and self._repetition.ended_so(),
                    reasoning=self._reasoning,
                )
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
                        tokens=answer.usage.prompt_tokens + answer.usage.completion_tokens or None,
                    )
                )
                conversation.left_out = before.left_out
        return answer

    def _load(self) -> bool:
        loading = self._engine.load()
        while True:
            try:
                self._output.show(next(loading))
            except StopIteration as loaded:
                return bool(loaded.value)

    def _make_room(self, conversation: Conversation, prompt: str) -> None:
        left_out = conversation.make_room(self._engine, prompt)
        if left_out:
            self._output.note(
                ngettext(
                    "The context is full: the oldest turn is no longer part of the prompt.",
                    "The context is full: the oldest {n} turns are no longer part of the prompt.",
                    left_out,
                ).format(n=left_out)
            )

    def _stream(self, messages: tuple[Message, ...], conversation: str | None) -> Finished:
        options = self._options
        request = Request(
            messages=messages,
            sampler=options.sampling,
            max_tokens=options.max_tokens,
            schema=options.schema,
            lookup=options.lookup,
            # The engine stores computed states only for conversations in the history, and removes them together.
            conversation=conversation if self._keeper.history is not None else None,
        )
        finished: Finished | None = None
        for event in separate_reasoning(self._engine.stream(request)):
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
