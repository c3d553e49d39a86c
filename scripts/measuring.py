"""What the measuring scripts share: questions of an exact length, the times of an answer, tables."""

import random
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import ReplayOptions, Request, SamplingOptions
from qwen_tui.messages import Finished, Message, Prefill, Usage

# One token each, in the real vocabulary and in that of the tests' tiny model.
WORDS = """
    the of and to in is that for it as with was on be at by this from or an are not have you which one all we can there
    has more if will would what when who their about up out so into other than some then them time only could these two
"""

Sampler = SamplingOptions | ReplayOptions


class Timed(NamedTuple):
    """One answer: the seconds that its prompt and its text took, how many tokens each computed, and what was cached."""

    prompt_s: float
    answer_s: float
    prompt_tokens: int
    answer_tokens: int
    usage: Usage


def ask(engine: LocalEngine, message: Message, sampler: Sampler, max_tokens: int | None) -> Timed:
    """Ask one question and take the times at which its events arrive."""
    begun = time.perf_counter()
    prefilled = 0.0
    for event in engine.stream(Request(messages=(message,), sampler=sampler, max_tokens=max_tokens)):
        # Progress may be repeated: the first that is complete counts.
        if not prefilled and isinstance(event, Prefill) and event.done == event.total:
            prefilled = time.perf_counter()
        if isinstance(event, Finished):
            finished = event
    usage = finished.usage
    return Timed(
        prompt_s=prefilled - begun,
        answer_s=time.perf_counter() - prefilled,
        prompt_tokens=usage.prompt_tokens - usage.cached_tokens,
        answer_tokens=usage.completion_tokens - (finished.reason == "length"),
        usage=usage,
    )


def question(engine: LocalEngine, tokens: int, rng: random.Random) -> Message:
    """Return a question that makes a prompt of exactly `tokens` tokens, in words of a random order."""
    words = rng.choices(WORDS.split(), k=tokens)
    length = tokens
    for _attempt in range(8):
        message = Message("user", " ".join(words[:length]))
        missing = tokens - engine.count((message,))
        if not missing:
            return message
        length = max(1, min(length + missing, tokens))
    raise SystemExit(f"no prompt of exactly {tokens} tokens can be made with this model's vocabulary")


def spread(values: Sequence[float | None], layout: str = ".2f") -> str:
    """Return median, lowest and highest as text."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    return f"{statistics.median(known):{layout}} ({min(known):{layout}} to {max(known):{layout}})"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; every column but the first is aligned to the right."""
    marks = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in (head, marks, *rows))


def tell(text: str) -> None:
    """Print progress where it disturbs no result."""
    print(text, file=sys.stderr, flush=True)
