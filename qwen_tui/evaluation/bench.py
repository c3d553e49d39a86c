"""Measures how fast the program is on this PC: prefill and decode at several depths, the first token, drafting, memory.

If llama.cpp's `llama-bench` is there, both programs measure in turn, so that a busy PC disturbs both equally: trust the
ratios. Our times are taken where the answer arrives, so they include the frames of the pipe, the events, and the
conversion of tokens to text. Answers replay a given text: as in llama-bench, nothing is sampled.
"""

import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from qwen_tui import cancellation
from qwen_tui.engine.protocol import Engine, LoadOptions, ReplayOptions, StoreOptions
from qwen_tui.evaluation.measuring import Sample, ask, peak_memory, question, words
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Event, Message

# The tokens before the words of a prompt: <|im_start|>, user, newline. They are always cached and count for the depth.
_OPENING = 3
_STEP = 256
_STORE_LIMIT = 16 << 30
# An engine has stored its states when its folder has not grown for `_SETTLED_S` seconds. It stores nothing if the
# folder is still empty after `_NOTHING_S` seconds.
_SETTLED_S, _NOTHING_S = 0.5, 3.0

What = Literal["prompt", "answer"]


class Shape(NamedTuple):
    """How much is measured, in tokens.

    At each of `depths`, `prompt` tokens are read and `answer` tokens written. The first token is measured after a
    prompt of `long` tokens. `sample` limits the answer of a sample, None is all of it.
    """

    depths: tuple[int, ...] = (0, 1024)
    prompt: int = 128
    answer: int = 16
    long: int = 512
    sample: int | None = None
    rounds: int = 3


QUICK = Shape(depths=(0, 256), prompt=64, answer=8, long=128, sample=32, rounds=1)


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens per second of each round: ours, and if llama-bench is there, as many of it."""

    what: What
    tokens: int
    depth: int
    ours: tuple[float, ...]
    theirs: tuple[float, ...] = ()

    def ratios(self) -> list[float]:
        """Return for each round our speed divided by that of llama-bench."""
        return [our / their for our, their in zip(self.ours, self.theirs, strict=False)]


class FirstToken(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds to the first token in a new process, after loading: `cold_s` without stored states, then with them."""

    prompt_tokens: int
    load_s: float
    cold_s: float
    from_store_s: float
    restored_tokens: int


class Drafting(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens per second of a known answer without and with prompt lookup, in each round.

    `drafted` and `accepted` are the numbers of tokens in the last round.
    """

    sample: str
    tokens: int
    off: tuple[float, ...]
    on: tuple[float, ...]
    drafted: int
    accepted: int

    def ratios(self) -> list[float]:
        """Return for each round the speed with lookup divided by the speed without."""
        return [on / off for off, on in zip(self.off, self.on, strict=True)]


class BenchReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured; `peak_memory` is in bytes, of the worker, at the greatest depth."""

    speeds: tuple[Speed, ...]
    first_token: FirstToken
    drafting: tuple[Drafting, ...]
    peak_memory: int | None


# Runs llama-bench once at a depth, and returns its speeds by ("prompt" or "answer", depth).
Yardstick = Callable[[LoadOptions, Shape, int], dict[tuple[str, int], float]]


@dataclass(slots=True)
class Bench:
    """One measurement of a model with the plan in `options`; `open_engine` builds an engine that is not yet started.

    `on_step` is called with a sentence about what begins, `on_event` with the events of loading and reading.
    """

    open_engine: Callable[[LoadOptions], Engine]
    options: LoadOptions
    shape: Shape
    samples: Sequence[Sample]
    yardstick: Yardstick | None = None
    on_step: Callable[[str], None] = lambda _sentence: None
    on_event: Callable[[Event], None] = lambda _event: None
    _rng: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 - words

    def run(self) -> BenchReport:
        """Measure everything; raises what engines raise, and what the yardstick does."""
        speeds, peak = self._speeds()
        return BenchReport(
            speeds=speeds,
            first_token=self._first_token(),
            drafting=tuple(self._drafting()),
            peak_memory=peak,
        )

    def _speeds(self) -> tuple[tuple[Speed, ...], int | None]:
        shape = self.shape
        # The context is as small as the run allows, like that of llama-bench: a larger KV cache would cost time.
        size = _ctx_size(max(shape.depths) + shape.prompt + shape.answer)
        speeds: list[Speed] = []
        with closing(self.open_engine(self.options.planned(ctx_size=size))) as engine:
            self.on_step(_("Loading and warming up"))
            ask(engine, Message("user", words(shape.prompt, self._rng)), self._replay(4), 2, on_event=self.on_event)
            for depth in shape.depths:
                speeds += self._at_depth(engine, depth)
            return tuple(speeds), peak_memory()

    def _at_depth(self, engine: Engine, depth: int) -> Iterator[Speed]:
        """Measure prefill and decode after `depth` tokens, in rounds, in turn with llama-bench."""
        base = words(max(1, depth - _OPENING), self._rng)
        ours: dict[str, list[float]] = {"prompt": [], "answer": []}
        theirs: dict[str, list[float]] = {"prompt": [], "answer": []}

        def measure_ours() -> None:
            for what, speed in zip(("prompt", "answer"), self._ours(engine, base, depth), strict=True):
                ours[what].append(speed)

        def measure_theirs() -> None:
            if self.yardstick is not None:
                for (what, _depth), speed in self.yardstick(self.options, self.shape, depth).items():
                    theirs[what].append(speed)

        if depth:
            self.on_step(_("Filling the context with {depth} tokens").format(depth=depth))
            ask(engine, Message("user", base), self._replay(4), 1, on_event=self.on_event)
        for index in range(self.shape.rounds):
            self.on_step(
                _("Depth {depth}, round {n} of {count}").format(depth=depth, n=index + 1, count=self.shape.rounds)
            )
            # The order alternates, so that neither program is always the second one.
            for measure in (measure_ours, measure_theirs) if index % 2 == 0 else (measure_theirs, measure_ours):
                measure()
        lengths: dict[What, int] = {"prompt": self.shape.prompt, "answer": self.shape.answer}
        for what, tokens in lengths.items():
            yield Speed(what=what, tokens=tokens, depth=depth, ours=tuple(ours[what]), theirs=tuple(theirs[what]))

    def _ours(self, engine: Engine, base: str, depth: int) -> tuple[float, float]:
        """Return tokens per second of prefill and of decode after the words of `base`, which are in the KV cache."""
        shape = self.shape
        message = question(engine, depth + shape.prompt, self._rng, start=base if depth else "")
        read = ask(engine, message, self._replay(4), 1, on_event=self.on_event)
        # The last token of an answer is not decoded. So one more token gives as many decodes as tokens counted.
        written = ask(engine, Message("user", base), self._replay(shape.answer), shape.answer + 1)
        return read.prompt_tokens / read.prompt_s, written.answer_tokens / written.answer_s

    def _first_token(self) -> FirstToken:
        """Ask two engines the same long question; the second finds the states that the first has stored."""
        size = _ctx_size(self.shape.long)
        with tempfile.TemporaryDirectory(prefix="qwen-bench-", ignore_cleanup_errors=True) as folder:
            store = StoreOptions(folder=os.fsencode(folder), limit=_STORE_LIMIT, worth_s=0.0)
            timed, loads = [], []
            message = None
            for sentence in (_("First token, computed"), _("First token, from the store")):
                self.on_step(sentence)
                options = msgspec.structs.replace(self.options.planned(ctx_size=size), store=store)
                with closing(self.open_engine(options)) as engine:
                    begun = time.perf_counter()
                    engine.info()
                    loads.append(time.perf_counter() - begun)
                    message = message or question(engine, self.shape.long, self._rng)
                    timed.append(ask(engine, message, self._replay(4), 4, conversation="bench", on_event=self.on_event))
                _settled(Path(folder))
        cold, restored = timed
        return FirstToken(
            prompt_tokens=cold.usage.prompt_tokens,
            load_s=loads[0],
            cold_s=cold.first_s,
            from_store_s=restored.first_s,
            restored_tokens=restored.usage.cached_tokens,
        )

    def _drafting(self) -> Iterator[Drafting]:
        with closing(self.open_engine(self.options)) as engine:
            for sample in self.samples:
                yield self._sample(engine, sample)

    def _sample(self, engine: Engine, sample: Sample) -> Drafting:
        """Replay the answer without and with lookup in turn; the order alternates from round to round."""
        message, replay = Message("user", sample.prompt), ReplayOptions(text=sample.answer)
        self.on_step(_("Prompt lookup: {name}").format(name=sample.name))
        # After this, the prompt is in the KV cache for all measured answers.
        ask(engine, message, replay, 1, on_event=self.on_event)
        speeds: dict[bool, list[float]] = {False: [], True: []}
        for index in range(self.shape.rounds):
            for lookup in (False, True) if index % 2 == 0 else (True, False):
                timed = ask(engine, message, replay, self.shape.sample, lookup=lookup)
                speeds[lookup].append(timed.usage.completion_tokens / timed.answer_s)
                if lookup:
                    usage = timed.usage
        return Drafting(
            sample=sample.name,
            tokens=usage.completion_tokens,
            off=tuple(speeds[False]),
            on=tuple(speeds[True]),
            drafted=usage.drafted_tokens,
            accepted=usage.accepted_tokens,
        )

    def _replay(self, tokens: int) -> ReplayOptions:
        return ReplayOptions(text=words(2 * tokens, self._rng))


def _settled(folder: Path) -> None:
    """Wait until a closed engine has written its states to `folder`; not for long if it writes none."""
    size, since = 0, time.monotonic()
    while time.monotonic() - since < (_SETTLED_S if size else _NOTHING_S):
        cancellation.current().sleep(0.05)
        try:
            now = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        except FileNotFoundError:
            # A file was renamed meanwhile, so the engine is still writing.
            continue
        if now != size:
            size, since = now, time.monotonic()


def _ctx_size(tokens: int) -> int:
    return -(-(tokens + 64) // _STEP) * _STEP
