"""An answer as its asker has it: what is needed to go on with it in another worker, and what all of it took."""

import time
from dataclasses import dataclass

import msgspec

from qwen_tui.engine.protocol import Request
from qwen_tui.messages import Finished, Prefill, Text, Timings, Usage


@dataclass(slots=True)
class _Part:
    """What one worker did, as far as it told: the tokens that it read and drew, and the seconds that either took.

    `sent` is when it was asked, by `time.perf_counter`.
    """

    sent: float = 0.0
    cached: int = 0
    read: int = 0
    read_s: float = 0.0
    drawn: int = 0
    drawn_s: float = 0.0
    drafted: int = 0
    accepted: int = 0


class Answer:
    """A request, and the tokens that have come for it.

    The tokens themselves, not only their text: the tokenizer might cut the text otherwise than the model wrote it, and
    a grammar or a penalty would then stand elsewhere.

    Where several workers were needed, the figures are those of all. The tokens of the answer count once. Those drafted
    and accepted are summed, and so are the seconds of reading (of the prompt, and by a worker that takes over also of
    what had come) and of writing; speeds are of the sums. Cached are the tokens of the prompt that none of the workers
    computed. What a worker did between its last sign and its death is not known, and not counted. `load_s` is the sum
    of the loadings that succeeded; for what failed only the first token had to wait, in `ttft_s`.
    """

    def __init__(self, request: Request, asked: float) -> None:
        """`asked` is when the person began to wait, by `time.perf_counter`."""
        self._request = request
        self._tokens: list[int] = []
        # What each worker did; the last one is the one that answers now.
        self._parts: list[_Part] = []
        # When the first piece came, and the same where that was before the worker that answers now.
        self._first_s: float | None = None
        self._came_s: float | None = None
        self._prompt_tokens = 0
        self.asked = asked

    def prefill(self, progress: Prefill) -> None:
        """Take how far the prompt is read, and how long it is; with an answer behind it, it is longer."""
        part = self._parts[-1]
        part.cached, part.read = progress.cached, progress.done - progress.cached
        part.read_s = time.perf_counter() - part.sent
        if not self._tokens:
            self._prompt_tokens = progress.total - len(self._request.begun)

    def add(self, text: Text) -> None:
        """Take what came."""
        now, part = time.perf_counter(), self._parts[-1]
        self._tokens += text.tokens
        part.drawn += len(text.tokens)
        part.drawn_s = now - part.sent - part.read_s
        part.drafted += text.drafted
        part.accepted += text.accepted
        if self._first_s is None:
            self._first_s = now - self.asked

    def remaining(self) -> Request:
        """Return the request for the rest of the answer, for the worker that is asked now."""
        self._came_s = self._first_s
        self._parts.append(_Part(time.perf_counter()))
        return msgspec.structs.replace(self._request, begun=(*self._request.begun, *self._tokens))

    def bill(self, finished: Finished, load_s: float, waited: float) -> Finished:
        """Return the end of the answer as the last worker tells it, with what it cannot know.

        That is what the loading took, what was `waited` before it was asked, and what others did before it.
        """
        usage, timings = finished.usage, finished.timings
        first_s = timings.ttft_s + waited if self._came_s is None else self._came_s
        timings = msgspec.structs.replace(timings, load_s=load_s, ttft_s=first_s)
        if len(self._parts) > 1:
            last = _Part(
                cached=usage.cached_tokens,
                read=round(timings.prefill_tps * timings.prefill_s),
                read_s=timings.prefill_s,
                # The first one comes from the prompt's logits, and is in no speed.
                drawn=round(timings.decode_tps * timings.decode_s) + 1,
                drawn_s=timings.decode_s,
                drafted=usage.drafted_tokens,
                accepted=usage.accepted_tokens,
            )
            usage, timings = _sum([*self._parts[:-1], last], usage, timings)
        return Finished(usage, timings, finished.reason)

    def interrupted(self, load_s: float) -> Finished:
        """Return the end of an answer that no worker finishes, where the loading took `load_s`."""
        came = len(self._request.begun) + len(self._tokens)
        usage = Usage(prompt_tokens=self._prompt_tokens, completion_tokens=came)
        return Finished(*_sum(self._parts, usage, Timings(load_s=load_s, ttft_s=self._first_s or 0.0)), "interrupted")


def _sum(parts: list[_Part], usage: Usage, timings: Timings) -> tuple[Usage, Timings]:
    """Return the figures with those that the `parts` have added up to."""
    read, read_s = sum(part.read for part in parts), sum(part.read_s for part in parts)
    drawn, drawn_s = sum(max(part.drawn - 1, 0) for part in parts), sum(part.drawn_s for part in parts)
    return (
        msgspec.structs.replace(
            usage,
            # What is cached is a beginning: beyond the shortest of them, some worker computed.
            cached_tokens=min((min(part.cached, usage.prompt_tokens) for part in parts if part.read), default=0),
            drafted_tokens=sum(part.drafted for part in parts),
            accepted_tokens=sum(part.accepted for part in parts),
        ),
        msgspec.structs.replace(
            timings,
            prefill_s=read_s,
            decode_s=drawn_s,
            prefill_tps=read / read_s if read_s else 0.0,
            decode_tps=drawn / drawn_s if drawn_s else 0.0,
        ),
    )
