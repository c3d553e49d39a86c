"""An engine that gives the answers of a test, for tests whose subject is not the engine."""

from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple

from qwen_tui import cancellation
from qwen_tui.engine.protocol import EngineInfo, LargerContext, Request
from qwen_tui.errors import QwenError
from qwen_tui.messages import Event, Finished, FinishReason, Loading, Message, Prefill, Text, Timings, Usage


class Cut(NamedTuple):
    """An incomplete answer of so many tokens; it comes in `pieces`, by default in words."""

    text: str
    reason: FinishReason = "length"
    tokens: int = 5
    pieces: Sequence[str] = ()


class ScriptedEngine:
    """Gives the next of `answers` to each request; an exception among them is raised after the text before it.

    Every word counts as one token, and the context has room for `ctx_size` of them. It can become as large as
    `most_ctx`. With `token_s`, reading and writing take so many seconds a token.
    """

    def __init__(
        self,
        *answers: "str | QwenError | tuple[str, QwenError] | Cut",
        ctx_size: int = 1000,
        most_ctx: int = 1000,
        token_s: float = 0.0,
    ) -> None:
        self._answers = iter(answers)
        self._ctx_size, self._most_ctx, self._token_s = ctx_size, most_ctx, token_s
        self.requests: list[Request] = []
        self.requests_ahead: list[Request] = []
        self.places_ahead: list[int] = []
        self.stopped_ahead = 0
        self.closed = False

    @property
    def parallel(self) -> int:
        return 1

    @property
    def host(self) -> str:
        return ""

    def start(self) -> None:
        return None

    def load(self) -> Generator[Loading, None, bool]:
        yield Loading(0.5)
        return not cancellation.current().requested

    def info(self) -> EngineInfo:
        return EngineInfo(model="scripted", device="CPU", ctx_size=self._ctx_size, threads=1, gpu_layers=0)

    def count(self, messages: Sequence[Message]) -> int:
        return sum(len(message.content.split()) for message in messages)

    def larger(self, ctx_size: int) -> LargerContext:
        return LargerContext(ctx_size, 10**9, "" if ctx_size <= self._most_ctx else "There is no memory for it.")

    def resize(self, ctx_size: int) -> None:
        self._ctx_size = ctx_size

    def cached(self, messages: Sequence[Message]) -> int:
        return 0

    def try_out(self, messages: Sequence[Message]) -> Iterator[Event]:
        return iter(())

    def estimate(self, tokens: int, cached: int = 0, written: int = 0) -> float | None:
        return (tokens - cached + written) * self._token_s if self._token_s else None

    def batch_seconds(self, sizes: Sequence[int], depth: int = 0) -> tuple[float, ...]:
        return tuple(float(size) for size in sizes)

    def stream(self, request: Request) -> Iterator[Event]:
        self.requests.append(request)
        answer = next(self._answers)
        cut = answer if isinstance(answer, Cut) else Cut("", "stop", 0)
        text, error = (answer.text, None) if isinstance(answer, Cut) else _parted(answer)
        if isinstance(text, QwenError):
            raise text
        total = self.count(request.messages)
        yield Prefill(total, total)
        for piece in cut.pieces or [word + " " for word in text.split(" ")]:
            yield Text(piece)
        if error is not None:
            raise error
        yield Finished(Usage(prompt_tokens=total, completion_tokens=cut.tokens), Timings(), cut.reason)

    def loading(self) -> None:
        return None

    def read_ahead(self, request: Request | None, place: int = 0) -> None:
        if request is None:
            self.stopped_ahead += 1
        else:
            self.requests_ahead.append(request)
            self.places_ahead.append(place)

    def reading_ahead(self) -> tuple[int, int] | None:
        return None

    def pause(self) -> None:
        return None

    def resume(self) -> None:
        return None

    def close(self) -> None:
        self.closed = True


def _parted(answer: str | QwenError | tuple[str, QwenError]) -> tuple[str | QwenError, QwenError | None]:
    return answer if isinstance(answer, tuple) else (answer, None)


class RecordingOutput:
    """An output that stores the events and notes."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.notes: list[str] = []

    def show(self, event: Event) -> None:
        self.events.append(event)

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)

    def show_end(self, text: str, rows: int) -> None:
        self.notes.append("\n".join(text.splitlines()[-rows:]))
