"""One question and its answer: events go from the engine to the output, and the text is kept."""

from dataclasses import dataclass

import msgspec

from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.keeping import Keeper
from qwen_tui.chat.question import prompt_text
from qwen_tui.chat.reasoning import apart
from qwen_tui.chat.repetition import Repetition
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
    """How to answer: the sampling, the most tokens, a JSON schema to follow (as JSON text), and whether to draft."""

    sampling: SamplingOptions = msgspec.field(default_factory=SamplingOptions)
    max_tokens: int | None = None
    schema: str | None = None
    lookup: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as far as it came."""

    text: str
    reason: FinishReason
    usage: Usage
    timings: Timings
    max_tokens: int | None = None
    # Whether it was seen to repeat itself in the end.
    repeats: bool = False
    # How many characters of reasoning came before it.
    reasoning: int = 0

    @property
    def limit(self) -> Limit | None:
        """What cut it off, None where nothing did."""
        if self.reason != "length":
            return None
        reached = self.max_tokens is not None and self.usage.completion_tokens >= self.max_tokens
        return "max_tokens" if reached else "context"

    def figures(self) -> str:
        """Say what it took: tokens, and speeds."""
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


NOTHING = Answer("", "interrupted", Usage(), Timings())


class Turn:
    """A question being answered. After an error, `text` still holds what had come."""

    def __init__(self, engine: Engine, output: Output, options: AnswerOptions, keeper: Keeper) -> None:
        self._engine = engine
        self._output = output
        self._options = options
        self._keeper = keeper
        self.text = ""
        self._repetition = Repetition()
        # How many characters of reasoning came.
        self._reasoning = 0

    def run(self, conversation: Conversation, question: Question, *, instead: bool = False) -> Answer:
        """Answer `question` and add the turn to `conversation`; nothing is added where nothing came.

        With `instead` the turn takes the place of the last one, which stays where nothing came.

        Raises what the engine and the output raise.
        """
        before = conversation.without_last() if instead else conversation
        self._keeper.begin(conversation, question, instead=instead)
        prompt = prompt_text(question)
        answer = NOTHING
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
            # While tokens were counted, or the history was waited for; nothing had come.
            return NOTHING
        finally:
            kept = self._keeper.finish(self.text, answer.reason, answer.limit)
            if self.text:
                replaced = conversation.exchanges[-1] if instead else None
                conversation.add(
                    Exchange(question, self.text, answer.reason, answer.limit, kept=kept, instead_of=replaced)
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
            # What is computed is kept only where what is said is kept, and removed with it.
            conversation=conversation if self._keeper.history is not None else None,
        )
        finished: Finished | None = None
        for event in apart(self._engine.stream(request)):
            if isinstance(event, Text):
                self.text += event.piece
                self._keeper.update(self.text)
            elif isinstance(event, Reasoning):
                self._reasoning += len(event.piece)
                self.text = "" if event.taken_back else self.text
            elif isinstance(event, Finished):
                finished = event
            self._output.show(event)
            # Without end in the thoughts is without end, too.
            if isinstance(event, Text | Reasoning) and self._repetition.feed(event.piece):
                self._output.note(_("The answer repeats itself. Ctrl-C stops it; what has come is kept."))
        assert finished is not None, "every stream ends with Finished"
        return finished
