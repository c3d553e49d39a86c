"""Has a side answer once, and takes what that costs."""

import time
from collections.abc import Callable, Iterator, Sequence

from qwen_tui.chat.reasoning import separate_reasoning
from qwen_tui.engine.protocol import Engine, Request
from qwen_tui.errors import CancelledError
from qwen_tui.evaluation.compare.runs import Followed, Measured, Run
from qwen_tui.evaluation.measuring import peak_memory, workers
from qwen_tui.hardware.consumption import Counters, counters, used
from qwen_tui.messages import BestTwo, Event, Finished, Reasoning, Text, Timings

Show = Callable[[Event], None]


def answered(
    engine: Engine,
    request: Request,
    task: str,
    side: int,
    seed: int | None,
    show: Show,
    read: Callable[[Sequence[int]], Counters] = counters,
    busy: float | None = None,
) -> Run:
    """Return one finished answer; the model is loaded. `read` reads the counters of energy, see `not_here`.

    Raises what the engine raises, and `CancelledError`: half an answer tells nothing.
    """
    processes = workers()
    before, begun = read(processes), time.perf_counter()
    text, first = "", 0.0
    for event in separate_reasoning(_shown(engine.stream(request), show)):
        if isinstance(event, Text | Reasoning) and not first:
            first = time.perf_counter() - begun
        if isinstance(event, Reasoning) and event.taken_back:
            text = ""
        elif isinstance(event, Text):
            text += event.piece
        elif isinstance(event, Finished):
            if event.reason == "interrupted":
                raise CancelledError
            seconds = time.perf_counter() - begun
            after = read(processes)
            return Run(
                task=task,
                side=side,
                seed=seed,
                answer=text,
                reason=event.reason,
                prompt_tokens=event.usage.prompt_tokens,
                answer_tokens=event.usage.completion_tokens,
                measured=_measured(event.timings, first or seconds, seconds, before, after, busy),
            )
    raise AssertionError("every stream ends with Finished")


def not_here(_processes: Sequence[int]) -> Counters:
    """Read no counters: what this PC takes while a server computes says nothing of the server."""
    return Counters()


def _measured(
    timings: Timings, first: float, seconds: float, before: Counters, after: Counters, busy: float | None
) -> Measured:
    return Measured(
        first_s=first,
        reading_tps=timings.prefill_tps or None,
        writing_tps=timings.decode_tps or None,
        seconds=seconds,
        memory=peak_memory(),
        card_memory=after.card_memory,
        processor_j=used(before.processor, after.processor, after.wraps),
        card_j=used(before.card, after.card, {}),
        busy=busy,
    )


def followed(engine: Engine, request: Request, task: str, side: int, show: Show) -> Followed:
    """Lead a side through the answer that `request` holds, and return what it would have said at each place.

    Raises what the engine raises, and `CancelledError`.
    """
    tokens: list[int] = []
    best: list[BestTwo] = []
    for event in _shown(engine.stream(request), show):
        if isinstance(event, Text):
            tokens += event.tokens
            best += event.best
        elif isinstance(event, Finished) and event.reason == "interrupted":
            raise CancelledError
    places = list(zip(tokens, best, strict=False))
    return Followed(
        task=task,
        side=side,
        tokens=tuple(token for token, _best in places),
        best=tuple(found.tokens for _token, found in places),
        logits=tuple(found.logits for _token, found in places),
    )


def _shown(events: Iterator[Event], show: Show) -> Iterator[Event]:
    for event in events:
        show(event)
        yield event
