"""The token loop: a prompt is prefilled in steps, then answered token by token, all of it as events.

Where it pays, the next few tokens are guessed and decoded together with the last one. Each token is drawn all the same,
from the logits behind the one before it; what follows a wrong guess is forgotten.
"""

import codecs
import time
from collections.abc import Generator, Iterator, Sequence
from itertools import takewhile

from qwen_tui.engine.worker.context import Context
from qwen_tui.engine.worker.lookup import Drafter
from qwen_tui.engine.worker.model import Vocabulary
from qwen_tui.engine.worker.sampling import Sampler
from qwen_tui.engine.worker.stop import StopFlag
from qwen_tui.messages import Event, Finished, FinishReason, Prefill, Text, Timings, Usage

# What most answers stay under, in tokens: room is made for them at once.
ROOM = 1024


class Generation:
    """One answer. After its events are through, `text` and `tokens` hold it, as far as it came."""

    def __init__(
        self,
        context: Context,
        vocabulary: Vocabulary,
        sampler: Sampler,
        drafter: Drafter,
        stop: StopFlag,
        begun: float,
    ) -> None:
        """`begun` is when the question came, by `time.perf_counter`."""
        self._context = context
        self._vocabulary = vocabulary
        self._sampler = sampler
        self._drafter = drafter
        self._stop = stop
        self._cached = self._done = self._drawn = self._drafted = self._accepted = 0
        self._begun = self._prefilled = self._first = self._sent = begun
        self._draft: Sequence[int] = ()
        # How many tokens of the answer, drafted and accepted ones were told with a piece.
        self._told = (0, 0, 0)
        # Characters come in pieces; what is no character at all is shown as U+FFFD, unless the answer ends in it.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.text = ""
        self.tokens: list[int] = []

    def events(self, prompt: Sequence[int], max_tokens: int | None, begun: Sequence[int] = ()) -> Iterator[Event]:
        """Answer `prompt`, which must leave room in the context, with at most `max_tokens` tokens.

        An answer that has `begun` with these tokens is continued; only what follows them is told.
        """
        self.tokens += begun
        self._told = (len(begun), 0, 0)
        self.text = self._decoder.decode(b"".join(map(self._vocabulary.piece, begun)))
        self._sampler.follow(begun)
        if not (yield from self._prefill([*prompt, *begun])):
            yield self._finished(prompt, "interrupted")
            return
        room = self._context.size - len(prompt)
        reason = yield from self._decode(room if max_tokens is None else min(room, max_tokens))
        yield self._finished(prompt, reason)

    def _prefill(self, prompt: Sequence[int]) -> Generator[Event, None, bool]:
        context = self._context
        context.reuse(prompt)
        context.reserve(len(prompt) + ROOM)
        self._done = self._cached = len(context.tokens)
        yield Prefill(self._done, len(prompt), self._cached)
        while self._done < len(prompt):
            step = prompt[self._done : self._done + context.batch_size]
            if self._stop or not context.decode(step):
                self._prefilled = self._first = time.perf_counter()
                return False
            self._done += len(step)
            if self._done == len(prompt):
                # The clock stops when a GPU is done. Waiting costs nothing: the first token needs the logits anyway.
                context.synchronize()
            yield Prefill(self._done, len(prompt), self._cached)
        self._prefilled = self._first = time.perf_counter()
        return True

    def _decode(self, limit: int) -> Generator[Event, None, FinishReason]:
        reason: FinishReason | None = None if len(self.tokens) < limit else "length"
        while reason is None:
            for token in self._verify():
                self._drawn += 1
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
                # The last token allowed is not decoded: nothing follows it.
                if len(self.tokens) == limit:
                    reason = "length"
                elif not self._advance(limit):
                    reason = "interrupted"
        # What the decoder still holds is the beginning of a character that never came whole: it is left out.
        return reason

    def _text(self, piece: str) -> Text:
        """Return `piece` with what was drawn since the one before it: who takes the answer over must know it."""
        tokens, drafted, accepted = self._told
        self._told = (len(self.tokens), self._drafted, self._accepted)
        return Text(piece, tuple(self.tokens[tokens:]), self._drafted - drafted, self._accepted - accepted)

    def _advance(self, limit: int) -> bool:
        """Decode the last token, and with it a draft of what may follow; False if stopped."""
        # A batch of n drafted tokens brings at most n + 1.
        most = min(limit - len(self.tokens) - 1, self._context.most_drafted)
        # Behind the end of an answer nothing can be right.
        draft = list(takewhile(lambda token: not self._vocabulary.is_end(token), self._drafter.draft(most)))
        self._draft = draft
        self._drafted += len(draft)
        self._sent = time.perf_counter()
        return self._context.decode((self.tokens[-1], *draft), drafted=len(draft))

    def _verify(self) -> Sequence[int]:
        """Draw the tokens that follow: as long as each is the one drafted, the next one's logits are here already."""
        size = len(self._draft) + 1
        drawn = [self._sampler.sample(self._context, -size)]
        # Only now is a GPU sure to be done.
        now = time.perf_counter()
        if self._drawn:
            self._drafter.measured(size, now - self._sent)
        else:
            self._first = now
        for index, guessed in enumerate(self._draft, start=1 - size):
            if drawn[-1] != guessed:
                break
            drawn.append(self._sampler.sample(self._context, index))
        self._accepted += len(drawn) - 1
        self._context.forget(size - len(drawn))
        self._drafter.follow(drawn)
        return drawn

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
                # The first token, and no other, came from the prefill's logits.
                decode_tps=max(self._drawn - 1, 0) / decode_s if decode_s else 0.0,
            ),
            reason=reason,
        )
