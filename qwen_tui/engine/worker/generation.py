"""The token loop: prefills a prompt in batches, then decodes the answer, and yields both as events.

Where it pays, the drafter guesses the next few tokens, and they are decoded in one batch with the last token. The
sampler still chooses each token, from the logits of the token before it. What follows a wrong guess is forgotten.
"""

import codecs
import time
from collections.abc import Generator, Iterator, Sequence
from itertools import takewhile

from qwen_tui.engine.wire import AnswerEvent
from qwen_tui.engine.worker.context import Context
from qwen_tui.engine.worker.lookup import Drafter
from qwen_tui.engine.worker.model import Vocabulary
from qwen_tui.engine.worker.pace import Pace
from qwen_tui.engine.worker.sampling import Sampler
from qwen_tui.engine.worker.stop import StopFlag
from qwen_tui.messages import Finished, FinishReason, Prefill, Text, Timings, Usage

# Most answers stay under this many tokens: the context makes room for them at the start.
ROOM = 1024


class Generation:
    """One answer. `text` and `tokens` hold what has been generated so far, and all of it after the last event."""

    def __init__(
        self,
        context: Context,
        vocabulary: Vocabulary,
        sampler: Sampler,
        drafter: Drafter,
        stop: StopFlag,
        begun: float,
        pace: Pace,
    ) -> None:
        """`begun` is when the worker received the question, by `time.perf_counter`."""
        self._pace = pace
        # The processor time at which the last batch was sent, and how many batches fewer threads have decoded.
        self._sent_processor = 0.0
        self._batches = self._crowded = 0
        self._context = context
        self._vocabulary = vocabulary
        self._sampler = sampler
        self._drafter = drafter
        self._stop = stop
        self._cached = self._done = self._sampled = self._drafted = self._accepted = 0
        self._begun = self._prefilled = self._first = self._sent = begun
        self._draft: Sequence[int] = ()
        # How many tokens of the answer, drafted tokens and accepted tokens the `Text` events so far have reported.
        self._reported = (0, 0, 0)
        # How many tokens of the answer another worker has sampled.
        self._begun_tokens = 0
        # A token may hold only a part of a character: the decoder waits for the rest. Bytes that are no character
        # become U+FFFD, but not at the end of an answer.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.text = ""
        self.tokens: list[int] = []

    def events(self, prompt: Sequence[int], max_tokens: int | None, begun: Sequence[int] = ()) -> Iterator[AnswerEvent]:
        """Answer `prompt`, which must leave room in the context, with at most `max_tokens` tokens.

        `begun` are the first tokens of an answer that is to be continued; only what follows them is reported.
        """
        self.tokens += begun
        self._reported = (len(begun), 0, 0)
        self._begun_tokens = len(begun)
        self.text = self._decoder.decode(b"".join(map(self._vocabulary.piece, begun)))
        self._sampler.follow(begun)
        if not (yield from self._prefill([*prompt, *begun])):
            yield self._finished(prompt, "interrupted")
            return
        room = self._context.size - len(prompt)
        reason = yield from self._decode(room if max_tokens is None else min(room, max_tokens))
        yield self._finished(prompt, reason)

    def _prefill(self, prompt: Sequence[int]) -> Generator[AnswerEvent, None, bool]:
        context = self._context
        context.reuse(prompt)
        context.reserve(len(prompt) + ROOM)
        # A last batch of one token is computed by as many threads as an answer.
        context.use_threads(self._pace.threads)
        self._done = self._cached = len(context.tokens)
        yield Prefill(self._done, len(prompt), self._cached)
        begun, processor = time.perf_counter(), time.process_time()
        while self._done < len(prompt):
            batch = prompt[self._done : self._done + context.batch_size]
            if self._stop or not context.decode(batch):
                self._prefilled = self._first = time.perf_counter()
                return False
            self._done += len(batch)
            if self._done == len(prompt):
                # The prefill has ended when the GPU has finished. This wait costs nothing: the first token needs the
                # logits anyway.
                context.synchronize()
            yield Prefill(self._done, len(prompt), self._cached)
        self._prefilled = self._first = time.perf_counter()
        self._pace.has_read(self._prefilled - begun, time.process_time() - processor, context.batch_threads)
        return True

    def _decode(self, limit: int) -> Generator[AnswerEvent, None, FinishReason]:
        reason: FinishReason | None = None if len(self.tokens) < limit else "length"
        while reason is None:
            for token in self._verify():
                self._sampled += 1
                if self._vocabulary.is_end(token):
                    reason = "stop"
                    break
                self.tokens.append(token)
                piece = self._decoder.decode(self._vocabulary.piece(token))
                if piece:
                    self.text += piece
                    yield self._text(piece)
                if self._stop:
                    reason = "interrupted"
                    break
            if reason is None:
                # The last token allowed is not decoded, because nothing follows it.
                if len(self.tokens) == limit:
                    reason = "length"
                elif not self._advance(limit):
                    reason = "interrupted"
        # The decoder may still hold the first bytes of a character that was never completed: they are left out.
        return reason

    def _text(self, piece: str) -> Text:
        """Return `piece` with the tokens and counts since the last one: the parent needs them to continue elsewhere."""
        tokens, drafted, accepted = self._reported
        self._reported = (len(self.tokens), self._drafted, self._accepted)
        # Only sampled tokens have an entry there.
        best = self._sampler.best[tokens - self._begun_tokens : len(self.tokens) - self._begun_tokens]
        return Text(piece, tuple(self.tokens[tokens:]), self._drafted - drafted, self._accepted - accepted, tuple(best))

    def _advance(self, limit: int) -> bool:
        """Decode the last token, and in the same batch a draft of what may follow; False if stopped."""
        # A draft of n tokens brings at most n + 1 tokens.
        most = min(limit - len(self.tokens) - 1, self._context.most_drafted)
        # A draft ends where it guesses the end of the answer: what is behind that cannot be right.
        draft = list(takewhile(lambda token: not self._vocabulary.is_end(token), self._drafter.draft(most)))
        self._draft = draft
        self._drafted += len(draft)
        self._context.use_threads(self._pace.threads)
        self._batches += 1
        self._crowded += self._pace.is_crowded
        self._sent, self._sent_processor = time.perf_counter(), time.process_time()
        return self._context.decode((self.tokens[-1], *draft), drafted=len(draft))

    def _verify(self) -> Sequence[int]:
        """Sample the tokens that follow. While the sampled token equals the drafted one, the next logits are ready."""
        size = len(self._draft) + 1
        sampled = [self._sampler.sample(self._context, -size)]
        # Sampling waits for the logits, so a GPU has finished the batch only now.
        now = time.perf_counter()
        if self._sampled:
            self._drafter.measured(size, now - self._sent)
            if size == 1:
                self._pace.took(now - self._sent, time.process_time() - self._sent_processor)
        else:
            self._first = now
        for index, guessed in enumerate(self._draft, start=1 - size):
            if sampled[-1] != guessed:
                break
            sampled.append(self._sampler.sample(self._context, index))
        self._accepted += len(sampled) - 1
        self._context.forget(size - len(sampled))
        self._drafter.follow(sampled)
        return sampled

    def _finished(self, prompt: Sequence[int], reason: FinishReason) -> Finished:
        end = time.perf_counter()
        prefill_s = self._prefilled - self._begun
        decode_s = end - self._prefilled
        computed = self._done - self._cached
        return Finished(
            usage=Usage(
                prompt_tokens=len(prompt),
                cached_tokens=min(self._cached, len(prompt)),
                completion_tokens=len(self.tokens),
                drafted_tokens=self._drafted,
                accepted_tokens=self._accepted,
            ),
            timings=Timings(
                prefill_s=prefill_s,
                decode_s=decode_s,
                ttft_s=self._first - self._begun,
                prefill_tps=computed / prefill_s if prefill_s else 0.0,
                # The prefill computed the logits of the first token: only the others count for the decode speed.
                decode_tps=max(self._sampled - 1, 0) / decode_s if decode_s else 0.0,
            ),
            reason=reason,
            crowded=self._crowded / self._batches if self._batches else 0.0,
        )
