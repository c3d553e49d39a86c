"""Find where greedy answers first differ with prompt lookup or a restored prefix, and by how little.

    python scripts/stress/first_difference.py MODEL [--tokens 64] [--threads N]

Batches of another size round differently, so the answer may change where two logits are nearly equal. Each sample
question is answered in three ways: plainly; with drafts as long as if batches cost nothing; and after a restored
prefix, so that the prompt is computed in other batches. At the first token that differs, the script shows the margin:
by how much the logit of the plain answer's token exceeds that of the other token, and the spread of all logits there.
Models with random weights hardly prefer any token, and show the most differences; `compare_answers.py` asks a trained
one.
"""

import ctypes
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from qwen_tui.columns import markdown_table
from qwen_tui.engine.protocol import LoadOptions, SamplingOptions
from qwen_tui.engine.worker.binding import load_library
from qwen_tui.engine.worker.context import Context
from qwen_tui.engine.worker.generation import Generation
from qwen_tui.engine.worker.lookup import MOST_DRAFTED, BatchCosts, Drafter, Lookup, NoDrafts
from qwen_tui.engine.worker.model import Model
from qwen_tui.engine.worker.pace import Pace
from qwen_tui.engine.worker.prompt import ChatML
from qwen_tui.engine.worker.sampling import ChainSampler
from qwen_tui.engine.worker.stop import StopFlag
from qwen_tui.evaluation.measuring import samples
from qwen_tui.hardware.machine import physical_cores
from qwen_tui.hardware.plan import Plan
from qwen_tui.messages import Message
from scripts.command_line import command_line, report_progress

EAGER = tuple(1 + 0.01 * n for n in range(MOST_DRAFTED + 1))


class Difference(NamedTuple):
    """The first token that differs: its position in the answer, and the margin and spread of the plain logits."""

    position: int
    margin: float
    spread: float


class Answers:
    """Answers greedily, in this process."""

    def __init__(self, options: LoadOptions) -> None:
        self._llama: Any = load_library()
        # llama.cpp may call it for as long as the object lives, so Python must keep it.
        self._silence = self._llama.llama_log_callback(lambda _level, _text, _data: None)
        self._llama.llama_log_set(self._silence, None)
        self._model = Model(self._llama, options, lambda _fraction: None)
        self._options = options
        self._chatml = ChatML(self._model.vocabulary)
        self._size = self._model.vocabulary.size

    def prompt(self, text: str, system: str | None = None) -> Sequence[int]:
        """Return the tokens of the prompt with that question."""
        head = (Message("system", system),) if system else ()
        return self._chatml.tokens((*head, Message("user", text)))

    def tokens(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        return self._model.vocabulary.tokenize(text)

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, without an incomplete character at the end."""
        return b"".join(map(self._model.vocabulary.piece, tokens)).decode("utf-8", "ignore")

    def answer(
        self, prompt: Sequence[int], tokens: int, drafter: Drafter, restored: int = 0
    ) -> tuple[list[int], int, int]:
        """Return the tokens of the answer, and how many were drafted and accepted.

        The first `restored` tokens of the prompt come from a saved state.
        """
        stop = StopFlag()
        context = Context(self._model, self._options, self._options.plan.ctx_size, stop)
        sampler = ChainSampler(self._llama, self._model.vocabulary, SamplingOptions(temperature=0))
        try:
            if restored:
                context.reserve(len(prompt) + tokens)
                self._feed(context, prompt[:restored])
                state = context.save()
                assert state is not None and context.restore(prompt[:restored], state)
            # Another number of threads would add in another order.
            pace = Pace(self._options.plan.threads, adapts=False)
            generation = Generation(context, self._model.vocabulary, sampler, drafter, stop, time.perf_counter(), pace)
            usage = [*generation.events(prompt, tokens)][-1].usage  # type: ignore[union-attr]
            return generation.tokens, usage.drafted_tokens, usage.accepted_tokens
        finally:
            sampler.close()
            context.close()

    def difference(self, prompt: Sequence[int], plain: Sequence[int], other: Sequence[int]) -> Difference | None:
        """Return the first difference of `other` from `plain`; the logits are computed in the batches of `plain`."""
        pairs = enumerate(zip(plain, other, strict=False))
        at = next((index for index, (ours, theirs) in pairs if ours != theirs), None)
        if at is None:
            return None
        context = Context(self._model, self._options, self._options.plan.ctx_size, StopFlag())
        try:
            context.reserve(len(prompt) + at + 1)
            self._feed(context, prompt)
            for token in plain[:at]:
                context.decode([token])
            pointer = self._llama.llama_get_logits_ith(context.handle, -1)
            logits = np.ctypeslib.as_array(ctypes.cast(pointer, ctypes.POINTER(ctypes.c_float)), (self._size,)).copy()
        finally:
            context.close()
        return Difference(at, float(logits[plain[at]] - logits[other[at]]), float(logits.std()))

    def _feed(self, context: Context, tokens: Sequence[int]) -> None:
        for start in range(0, len(tokens), context.batch_size):
            context.decode(tokens[start : start + context.batch_size])


def main() -> None:
    """Answer every sample in three ways, and print the first differences."""
    parser = command_line(__doc__)
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("--tokens", type=int, default=64, help="of each answer (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=physical_cores(), help="default: the physical cores")
    arguments = parser.parse_args()
    options = LoadOptions(
        path=os.fsencode(arguments.model),
        plan=Plan(threads=arguments.threads, batch_threads=arguments.threads, ctx_size=2048),
    )
    answers = Answers(options)
    rows = []
    for sample in samples():
        prompt = answers.prompt(sample.prompt)
        plain, *_none = answers.answer(prompt, arguments.tokens, NoDrafts())
        lookup = Lookup(prompt, BatchCosts(EAGER), learn_costs=False)
        drafted, *counts = answers.answer(prompt, arguments.tokens, lookup)
        restored, *_none = answers.answer(prompt, arguments.tokens, NoDrafts(), restored=len(prompt) // 2)
        parted = [answers.difference(prompt, plain, other) for other in (drafted, restored)]
        rows.append([sample.name, len(plain), "/".join(map(str, reversed(counts))), *map(describe, parted)])
        report_progress(" ".join(map(str, rows[-1])))
    head = ["sample", "tokens", "drafts accepted", "with lookup", "behind a restored prefix"]
    print(markdown_table(head, rows))


def describe(difference: Difference | None) -> str:
    """Return a difference in words."""
    if difference is None:
        return "equal"
    return f"at {difference.position}: {difference.margin:.4f} of {difference.spread:.2f}"


if __name__ == "__main__":
    main()
