"""An answer in progress, on the parent's side: with it, another worker can continue, and the figures of all add up."""

import time
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from qwen_tui.engine.protocol import Request
from qwen_tui.messages import Finished, Message, Prefill, Text, Timings, Usage


@dataclass(slots=True)
class _EngineShare:
    """What one worker has reported: the tokens that it prefilled and decoded, and the seconds that each took.

    `sent` is when the parent sent it the request, by `time.perf_counter`.
    """

    sent: float = 0.0
    cached: int = 0
    prefilled: int = 0
    prefill_s: float = 0.0
    decoded: int = 0
    decode_s: float = 0.0
    drafted: int = 0
    accepted: int = 0


class Trial(NamedTuple):
    """The beginning of a prompt of `messages` that was computed to learn what a token costs.

    `cached` tokens needed no computing, the `computed` ones behind them took `seconds`.
    """

    messages: tuple[Message, ...]
    cached: int
    computed: int
    seconds: float


class PartialAnswer:
    """A request, and the tokens that have come for it so far.

    It keeps the tokens, not only their text: the tokenizer may split the text into other tokens than the model wrote,
    and a grammar or a penalty would then be in another state.

    Where several workers took part, the figures cover all of them:

    - Each token of the answer counts once. Drafted and accepted tokens are summed.
    - The seconds of prefill and decode are summed, and the speeds follow from the sums. A worker that takes over
      prefills the prompt and the tokens that have come so far.
    - Cached are those tokens of the prompt that no worker computed.
    - What a worker did between its last event and its death is not known, and not counted.
    - `load_s` is the sum of the loadings that succeeded. A loading that failed counts only in `ttft_s`, because the
      first token had to wait for it.
    """

    def __init__(self, request: Request, asked: float, tried: "Trial | None" = None) -> None:
        """`asked` is when the person began to wait, by `time.perf_counter`.

        What was `tried` of the same prompt before counts as computed for this answer.
        """
        self._request = request
        self._tokens: list[int] = []
        # The share of each worker. The last one is that of the worker that answers now.
        self._shares: list[_EngineShare] = []
        if tried and tried.messages == request.messages:
            self._shares.append(_EngineShare(cached=tried.cached, prefilled=tried.computed, prefill_s=tried.seconds))
        # When the first text came, in seconds after `asked`; and the same, if that was before the current worker.
        self._first_s: float | None = None
        self._first_before_s: float | None = None
        self._prompt_tokens = 0
        self.asked = asked

    def prefill(self, progress: Prefill) -> None:
        """Take the progress of the prefill; with an answer behind it, the prompt is longer."""
        share = self._shares[-1]
        share.cached, share.prefilled = progress.cached, progress.done - progress.cached
        share.prefill_s = time.perf_counter() - share.sent
        if not self._tokens:
            self._prompt_tokens = progress.total - len(self._request.begun)

    def add(self, text: Text) -> None:
        """Take a piece of the answer."""
        now, share = time.perf_counter(), self._shares[-1]
        self._tokens += text.tokens
        share.decoded += len(text.tokens)
        share.decode_s = now - share.sent - share.prefill_s
        share.drafted += text.drafted
        share.accepted += text.accepted
        if self._first_s is None:
            self._first_s = now - self.asked

    def remaining(self) -> Request:
        """Return the request for the rest of the answer. Call it when a worker is asked."""
        self._first_before_s = self._first_s
        self._shares.append(_EngineShare(time.perf_counter()))
        return msgspec.structs.replace(self._request, begun=(*self._request.begun, *self._tokens))

    def bill(self, finished: Finished, load_s: float, waited: float) -> Finished:
        """Return the last worker's `Finished`, completed with what that worker cannot know.

        Loading took `load_s` seconds, and `waited` seconds passed before the last worker was asked.
        """
        usage, timings = finished.usage, finished.timings
        first_s = timings.ttft_s + waited if self._first_before_s is None else self._first_before_s
        timings = msgspec.structs.replace(timings, load_s=load_s, ttft_s=first_s)
        if len(self._shares) > 1:
            last = _EngineShare(
                cached=usage.cached_tokens,
                prefilled=round(timings.prefill_tps * timings.prefill_s),
                prefill_s=timings.prefill_s,
                # The first token comes from the logits of the prefill, and counts in no speed.
                decoded=round(timings.decode_tps * timings.decode_s) + 1,
                decode_s=timings.decode_s,
                drafted=usage.drafted_tokens,
                accepted=usage.accepted_tokens,
            )
            usage, timings = _sum([*self._shares[:-1], last], usage, timings)
        return Finished(usage, timings, finished.reason, finished.crowded)

    def interrupted(self, load_s: float) -> Finished:
        """Return the `Finished` of an answer that no worker finishes; loading took `load_s` seconds."""
        came = len(self._request.begun) + len(self._tokens)
        usage = Usage(prompt_tokens=self._prompt_tokens, completion_tokens=came)
        return Finished(*_sum(self._shares, usage, Timings(load_s=load_s, ttft_s=self._first_s or 0.0)), "interrupted")


def _sum(shares: list[_EngineShare], usage: Usage, timings: Timings) -> tuple[Usage, Timings]:
    """Return `usage` and `timings` with the sums of all `shares`."""
    prefilled, prefill_s = sum(share.prefilled for share in shares), sum(share.prefill_s for share in shares)
    decoded, decode_s = sum(max(share.decoded - 1, 0) for share in shares), sum(share.decode_s for share in shares)
    return (
        msgspec.structs.replace(
            usage,
            # The cached tokens are at the beginning: a worker with fewer cached tokens computed the others.
            cached_tokens=min(
                (min(share.cached, usage.prompt_tokens) for share in shares if share.prefilled), default=0
            ),
            drafted_tokens=sum(share.drafted for share in shares),
            accepted_tokens=sum(share.accepted for share in shares),
        ),
        msgspec.structs.replace(
            timings,
            prefill_s=prefill_s,
            decode_s=decode_s,
            prefill_tps=prefilled / prefill_s if prefill_s else 0.0,
            decode_tps=decoded / decode_s if decode_s else 0.0,
        ),
    )
