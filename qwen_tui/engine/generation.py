"""The token loop: a prompt is prefilled in steps, then answered token by token, all of it as events."""

import codecs
import time
from collections.abc import Generator, Iterator, Sequence

from qwen_tui.engine.context import Context
from qwen_tui.engine.model import Vocabulary
from qwen_tui.engine.sampling import Sampler
from qwen_tui.engine.stop import StopFlag
from qwen_tui.messages import Event, Finished, FinishReason, Prefill, Text, Timings, Usage


class Generation:
    """One answer. After its events are through, `text` and `tokens` hold it, as far as it came."""

    def __init__(
        self, context: Context, vocabulary: Vocabulary, sampler: Sampler, stop: StopFlag, begun: float
    ) -> None:
        """`begun` is when the question came, by `time.perf_counter`."""
        self._context = context
        self._vocabulary = vocabulary
        self._sampler = sampler
        self._stop = stop
        self._cached = self._done = self._decodes = 0
        self._begun = self._prefilled = self._first = begun
        self.text = ""
        self.tokens: list[int] = []

    def events(self, prompt: Sequence[int], max_tokens: int | None) -> Iterator[Event]:
        """Answer `prompt`, which must leave room in the context, with at most `max_tokens` tokens."""
        if not (yield from self._prefill(prompt)):
            yield self._finished(prompt, "interrupted")
            return
        room = self._context.size - len(prompt)
        reason = yield from self._decode(room if max_tokens is None else min(room, max_tokens))
        yield self._finished(prompt, reason)

    def _prefill(self, prompt: Sequence[int]) -> Generator[Event, None, bool]:
        context = self._context
        self._done = self._cached = context.reuse(prompt)
        yield Prefill(self._done, len(prompt))
        while self._done < len(prompt):
            step = prompt[self._done : self._done + context.batch_size]
            if self._stop or not context.decode(step):
                self._prefilled = self._first = time.perf_counter()
                return False
            self._done += len(step)
            yield Prefill(self._done, len(prompt))
        self._prefilled = self._first = time.perf_counter()
        return True

    def _decode(self, limit: int) -> Generator[Event, None, FinishReason]:
        # Characters come in pieces; what is no character at all is shown as U+FFFD, never dropped.
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        reason: FinishReason = "length"
        while len(self.tokens) < limit:
            token = self._sampler.sample(self._context)
            if not self.tokens:
                self._first = time.perf_counter()
            if self._vocabulary.is_end(token):
                reason = "stop"
                break
            self.tokens.append(token)
            piece = decoder.decode(self._vocabulary.piece(token))
            if piece:
                self.text += piece
                yield Text(piece)
            if self._stop:
                reason = "interrupted"
                break
            # The last token allowed is not decoded: nothing follows it.
            if len(self.tokens) < limit:
                if not self._context.decode((token,)):
                    reason = "interrupted"
                    break
                self._decodes += 1
        rest = decoder.decode(b"", final=True)
        if rest:
            self.text += rest
            yield Text(rest)
        return reason

    def _finished(self, prompt: Sequence[int], reason: FinishReason) -> Finished:
        end = time.perf_counter()
        prefill_s = self._prefilled - self._begun
        decode_s = end - self._prefilled
        computed = self._done - self._cached
        return Finished(
            usage=Usage(prompt_tokens=len(prompt), cached_tokens=self._cached, completion_tokens=len(self.tokens)),
            timings=Timings(
                prefill_s=prefill_s,
                decode_s=decode_s,
                ttft_s=self._first - self._begun,
                prefill_tps=computed / prefill_s if prefill_s else 0.0,
                decode_tps=self._decodes / decode_s if decode_s else 0.0,
            ),
            reason=reason,
        )
