"""Measures a server as it is felt from here: the first token, reading, writing, and several questions at a time.

What the server runs on, it does not tell. The figures hold with the network between and with whoever else asks it.
"""

import contextvars
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import msgspec

from qwen_tui.columns import markdown_table
from qwen_tui.engine.protocol import Engine, Request, SamplingOptions
from qwen_tui.errors import CancelledError
from qwen_tui.evaluation.measuring import spread, words
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import ngettext
from qwen_tui.messages import Event, Finished, Message, Reasoning, Text, Timings, Usage

# The question goes on for so many tokens of answer on any model.
_TASK = "Count from 1 to 1000, one number after the other."


class _Answered(msgspec.Struct, frozen=True):
    """What one answer took: until its first token, the tokens of its prompt, and what the server told of its speed."""

    first_s: float
    usage: Usage
    timings: Timings


class Together(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens per second of all answers together, of so many questions `at_once`, in each round."""

    at_once: int
    tps: tuple[float, ...]


class ServerReport(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of each round; scripts rely on the names. Times are in seconds, speeds in tokens per second."""

    model: str
    host: str
    first_s: tuple[float, ...]
    prompt_tokens: int
    reading_tps: tuple[float, ...]
    answer_tokens: int
    writing_tps: tuple[float, ...]
    together: tuple[Together, ...]

    def encoded(self) -> str:
        """Return the report as one JSON object."""
        return msgspec.json.encode(self).decode()

    def text(self) -> str:
        """Return the report as a table in Markdown, which a person can paste into an issue."""
        rows = [
            [_("first token of a short question, s"), spread(self.first_s)],
            [_("reading {n} tokens").format(n=self.prompt_tokens), spread(self.reading_tps)],
            [_("writing {n} tokens").format(n=self.answer_tokens), spread(self.writing_tps)],
        ]
        for one in self.together:
            row = ngettext("writing, {n} question at once", "writing, {n} questions at once, together", one.at_once)
            rows.append([row.format(n=one.at_once), spread(one.tps)])
        table = markdown_table([_("tokens/s: median (lowest–highest)"), self.host], rows)
        return "\n".join([table, "", f"- {_('model')}: {self.model}"])


def measure(engine: Engine, show: Callable[[Event], None], *, prompt: int, answer: int, rounds: int) -> ServerReport:
    """Measure with prompts of about `prompt` tokens and answers of `answer`, in so many `rounds`.

    `show` gets the progress. Raises what the engine raises, and `CancelledError`.
    """
    for event in engine.load():
        show(event)
    info, rng = engine.info(), random.Random()  # noqa: S311 - no secret; the server must not know the text already
    first: list[float] = []
    reading: list[float] = []
    writing: list[float] = []
    read = written = 0
    for _round in range(rounds):
        first.append(_ask(engine, f"{words(4, rng)}. {_TASK}", 1, show).first_s)
        long = _ask(engine, f"{words(prompt, rng)}. {_TASK}", 1, show)
        read = long.usage.prompt_tokens - long.usage.cached_tokens
        reading.append(long.timings.prefill_tps)
        answered = _ask(engine, f"{words(4, rng)}. {_TASK}", answer, show)
        written = answered.usage.completion_tokens
        writing.append(answered.timings.decode_tps)
    together = [
        Together(at_once=n, tps=tuple(_rounds(engine, n, answer, rounds, rng))) for n in _steps(engine.parallel)
    ]
    return ServerReport(
        model=info.model,
        host=info.device,
        first_s=tuple(first),
        prompt_tokens=read,
        reading_tps=tuple(reading),
        answer_tokens=written,
        writing_tps=tuple(writing),
        together=tuple(together),
    )


def _steps(most: int) -> list[int]:
    """Return 1, 2, 4, … up to the most questions that the server takes at once."""
    return sorted({*(2**power for power in range(most.bit_length()) if 2**power <= most), most})


def _rounds(engine: Engine, at_once: int, answer: int, rounds: int, rng: random.Random) -> Iterator[float]:
    for _round in range(rounds):
        questions = [f"{words(4, rng)}. {_TASK}" for _question in range(at_once)]
        begun = time.perf_counter()
        with ThreadPoolExecutor(at_once) as pool:
            # Each thread gets the operation of this one, so that Ctrl-C reaches it.
            asked = [
                pool.submit(contextvars.copy_context().run, _ask, engine, question, answer, _show_nothing)
                for question in questions
            ]
        tokens = sum(one.result().usage.completion_tokens for one in asked)
        yield tokens / (time.perf_counter() - begun)


def _show_nothing(_event: Event) -> None: ...


def _ask(engine: Engine, question: str, most: int, show: Callable[[Event], None]) -> _Answered:
    request = Request(
        messages=(Message("user", question),), sampler=SamplingOptions(temperature=0), max_tokens=most, lookup=False
    )
    begun, first = time.perf_counter(), 0.0
    for event in engine.stream(request):
        show(event)
        if not first and isinstance(event, Text | Reasoning):
            first = time.perf_counter() - begun
        if isinstance(event, Finished):
            if event.reason == "interrupted":
                raise CancelledError
            return _Answered(first, event.usage, event.timings)
    raise AssertionError("every stream ends with Finished")
