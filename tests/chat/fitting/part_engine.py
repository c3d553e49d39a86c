"""An engine for work in parts: it answers each prompt by a function, and refuses prompts that do not fit."""

from collections.abc import Callable, Iterator, Sequence

from qwen_tui import cancellation
from qwen_tui.chat.answer import AnswerOptions
from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.fitting.kept_parts import KeptParts
from qwen_tui.chat.fitting.way import Work
from qwen_tui.engine.protocol import Request
from qwen_tui.messages import Event, Finished, FinishReason, Message, Prefill, Question, Text, Timings, Usage
from tests.scripted_engine import ScriptedEngine


class PartEngine(ScriptedEngine):
    """Counts a character as a token. `answer` makes an answer of the last message of a prompt, None stops there."""

    def __init__(
        self, answer: Callable[[str], str | None], *, ctx_size: int = 4000, parallel: int = 1, piece: int = 50
    ) -> None:
        super().__init__(ctx_size=ctx_size)
        self._answer = answer
        self._at_once = parallel
        self._piece = piece

    @property
    def parallel(self) -> int:
        return self._at_once

    def count(self, messages: Sequence[Message]) -> int:
        return sum(len(message.content) + 2 for message in messages)

    def stream(self, request: Request) -> Iterator[Event]:
        self.requests.append(request)
        tokens = self.count(request.messages)
        assert tokens + (request.max_tokens or 16) <= self._ctx_size, "no prompt exceeds the context"
        yield Prefill(tokens, tokens)
        whole = self._answer(request.messages[-1].content)
        room = self._ctx_size - tokens if request.max_tokens is None else request.max_tokens
        text = (whole or "")[:room]
        for start in range(0, len(text), self._piece):
            yield Text(text[start : start + self._piece], tuple(range(len(text[start : start + self._piece]))))
        reason: FinishReason = "stop" if whole is not None and len(whole) <= room else "length"
        if whole is None or cancellation.current().requested:
            reason = "interrupted"
        yield Finished(
            Usage(prompt_tokens=tokens, completion_tokens=len(text)), Timings(prefill_s=1.0, decode_s=2.0), reason
        )


def work(engine: ScriptedEngine, question: Question, kept: KeptParts | None = None, **options: object) -> Work:
    """Return the work on a question in a new conversation."""
    return Work(engine, AnswerOptions(**options), Conversation(), question, kept)  # type: ignore[arg-type]
