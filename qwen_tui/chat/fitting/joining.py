"""Joins the results of parts as they come, with what stood between the parts, and adds up their figures."""

from collections.abc import Iterator, Sequence

import msgspec

from qwen_tui.chat.fitting.kept_parts import PartAnswer
from qwen_tui.chat.fitting.part_answers import Ended
from qwen_tui.messages import Finished, FinishReason, Reasoning, Text, Timings, Usage


class Joining:
    """The results so far. `gaps` are the texts that stand before the result of each part."""

    def __init__(self, gaps: Sequence[str]) -> None:
        self._gaps = gaps
        # The answers to the parts that have ended.
        self.answers: list[PartAnswer] = []
        self._usage, self._timings = Usage(), Timings()
        # The prompt tokens that were computed, and the tokens that were written, in this run.
        self._read = self._written = 0
        self._is_cut = self._is_interrupted = False
        # The joined text of the parts before, the result of this part so far, and the blanks behind that: what follows
        # decides whether they belong to it.
        self._before, self._text, self._blanks = "", "", ""

    @property
    def tokens(self) -> int:
        """How many tokens the results have."""
        return self._usage.completion_tokens

    @property
    def is_whole(self) -> bool:
        """Whether all parts have ended."""
        return len(self.answers) == len(self._gaps)

    def begin(self) -> Iterator[Text]:
        """Yield what stands before the first part."""
        yield from self._gap()

    def feed(self, event: Text | Reasoning) -> Iterator[Text | Reasoning]:
        """Yield what to show of the next piece of a result, which begins and ends without blanks."""
        if isinstance(event, Text):
            come = self._blanks + (event.piece if self._text else event.piece.lstrip())
            shown = come.rstrip()
            self._blanks = come[len(shown) :]
            self._text += shown
            yield from _shown(shown)
            return
        yield event
        if event.taken_back:
            # The reader takes back everything so far, and gets again what was no reasoning.
            self._text = self._blanks = ""
            yield from _shown(self._before)

    def end(self, ended: Ended) -> Iterator[Text]:
        """Yield what to show at the end of a part: all of a result that is kept from before, and the gap behind it."""
        answer = ended.answer
        if ended.is_kept:
            yield from self.feed(Text(answer.text))  # type: ignore[misc]
        self._add(answer, is_kept=ended.is_kept)
        self._before += self._text
        self._text = self._blanks = ""
        if answer.reason == "interrupted":
            self._is_interrupted = True
            return
        self._is_cut |= answer.reason == "length"
        self.answers.append(answer)
        yield from self._gap()

    def cut(self, prompt: int, written: int) -> None:
        """Take note that the work ends here, at a limit, with so many tokens `written` on a part of so many tokens."""
        self._is_cut = True
        self._add(PartAnswer("", "length", Usage(prompt_tokens=prompt, completion_tokens=written)), is_kept=False)

    def finished(self) -> Finished:
        """Return the end of the joined answer, with the sums of the figures."""
        reason: FinishReason = "length" if self._is_cut else "stop"
        if self._is_interrupted or not (self.is_whole or self._is_cut):
            reason = "interrupted"
        timings = self._timings
        if timings.prefill_s:
            timings = msgspec.structs.replace(timings, prefill_tps=self._read / timings.prefill_s)
        if timings.decode_s:
            timings = msgspec.structs.replace(timings, decode_tps=self._written / timings.decode_s)
        return Finished(self._usage, timings, reason)

    def _gap(self) -> Iterator[Text]:
        if not self.is_whole:
            gap = self._gaps[len(self.answers)]
            self._before += gap
            yield from _shown(gap)

    def _add(self, answer: PartAnswer, *, is_kept: bool) -> None:
        usage, timings = answer.usage, answer.timings
        self._usage = Usage(
            prompt_tokens=self._usage.prompt_tokens + usage.prompt_tokens,
            cached_tokens=self._usage.cached_tokens + (usage.prompt_tokens if is_kept else usage.cached_tokens),
            completion_tokens=self._usage.completion_tokens + usage.completion_tokens,
            drafted_tokens=self._usage.drafted_tokens + usage.drafted_tokens,
            accepted_tokens=self._usage.accepted_tokens + usage.accepted_tokens,
        )
        if is_kept:
            return
        self._read += usage.prompt_tokens - usage.cached_tokens
        self._written += usage.completion_tokens
        self._timings = Timings(
            load_s=self._timings.load_s + timings.load_s,
            prefill_s=self._timings.prefill_s + timings.prefill_s,
            decode_s=self._timings.decode_s + timings.decode_s,
            ttft_s=self._timings.ttft_s or timings.ttft_s,
        )


def _shown(text: str) -> Iterator[Text]:
    if text:
        yield Text(text)
