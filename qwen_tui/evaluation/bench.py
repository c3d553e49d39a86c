"""How fast the program is on this PC: reading and writing at several depths, the first token, drafting, memory.

Where llama.cpp's `llama-bench` is at hand, both work in turn, so that a noisy machine disturbs both alike: read the
ratios. Our times are taken where the answer arrives, so frames, events and decoding text are in them. Answers follow a
given text, as those of llama-bench do: nothing is drawn.
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

# The marks that open a prompt: <|im_start|>, user, newline. They are always cached, so a depth has so many words less.
_OPENING = 3
_STEP = 256
_STORE_LIMIT = 16 << 30
# A store is through when it has not grown for so long, and empty when nothing came for so long, in seconds.
_SETTLED_S, _NOTHING_S = 0.5, 3.0

What = Literal["prompt", "answer"]


class Shape(NamedTuple):
    """How much is measured, in tokens: `depths` before `prompt` and `answer`, `long` to wait for a first token of.

    `sample` is how much of the answer of a sample is written, None for all of it.
    """

    depths: tuple[int, ...] = (0, 1024)
    prompt: int = 128
    answer: int = 16
    long: int = 512
    sample: int | None = None
    rounds: int = 3


QUICK = Shape(depths=(0, 256), prompt=64, answer=8, long=128, sample=32, rounds=1)


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens per second of each round, ours and those of llama-bench, which are as many or none."""

    what: What
    tokens: int
    depth: int
    ours: tuple[float, ...]
    theirs: tuple[float, ...] = ()

    def ratios(self) -> list[float]:
        """Return ours divided by theirs, round by round."""
        return [our / their for our, their in zip(self.ours, self.theirs, strict=False)]


class FirstToken(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds to the first token of an answer in a new process, after loading, and again from what the store kept."""

    prompt_tokens: int
    load_s: float
    cold_s: float
    from_store_s: float
    restored_tokens: int


class Drafting(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens per second of a known answer without and with drafting from the text at hand, in each round.

    `drafted` and `accepted` are tokens, of the last round.
    """

    sample: str
    tokens: int
    off: tuple[float, ...]
    on: tuple[float, ...]
    drafted: int
    accepted: int

    def ratios(self) -> list[float]:
        """Return with divided by without, round by round."""
        return [on / off for off, on in zip(self.off, self.on, strict=True)]


class BenchReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured; `peak_memory` is in bytes, of the worker, at the greatest depth."""

    speeds: tuple[Speed, ...]
    first_token: FirstToken
    drafting: tuple[Drafting, ...]
    peak_memory: int | None


# Runs llama-bench once at a depth and returns its speeds by ("prompt" or "answer", depth).
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
        # As large as the run needs, as llama-bench makes its own: a larger one spreads the KV cache and costs time.
        size = _ctx_size(max(shape.depths) + shape.prompt + shape.answer)
        speeds: list[Speed] = []
        with closing(self.open_engine(self.options.planned(ctx_size=size))) as engine:
            self.on_step(_("Loading and warming up"))
            ask(engine, Message("user", words(shape.prompt, self._rng)), self._replay(4), 2, on_event=self.on_event)
            for depth in shape.depths:
                speeds += self._at_depth(engine, depth)
            return tuple(speeds), peak_memory()

    def _at_depth(self, engine: Engine, depth: int) -> Iterator[Speed]:
        """Measure reading and writing behind `depth` tokens, in rounds, llama-bench in turn."""
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
            # Neither is always the one that finds the machine as the other left it.
            for measure in (measure_ours, measure_theirs) if index % 2 == 0 else (measure_theirs, measure_ours):
                measure()
        lengths: dict[What, int] = {"prompt": self.shape.prompt, "answer": self.shape.answer}
        for what, tokens in lengths.items():
            yield Speed(what=what, tokens=tokens, depth=depth, ours=tuple(ours[what]), theirs=tuple(theirs[what]))

    def _ours(self, engine: Engine, base: str, depth: int) -> tuple[float, float]:
        """Return tokens per second of reading and of writing behind the words of `base`, which are cached."""
        shape = self.shape
        message = question(engine, depth + shape.prompt, self._rng, start=base if depth else "")
        read = ask(engine, message, self._replay(4), 1, on_event=self.on_event)
        # Nothing is decoded after the last token, so that one more makes as many decodes as tokens are counted.
        written = ask(engine, Message("user", base), self._replay(shape.answer), shape.answer + 1)
        return read.prompt_tokens / read.prompt_s, written.answer_tokens / written.answer_s

    def _first_token(self) -> FirstToken:
        """Ask the same long question of two engines, the second of which finds what the first left in the store."""
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
        """Write the answer without and with lookup in turn, each round the other way round."""
        message, replay = Message("user", sample.prompt), ReplayOptions(text=sample.answer)
        self.on_step(_("Prompt lookup: {name}").format(name=sample.name))
        # Reads the prompt, so that all of the others find it read.
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
    """Wait until what an engine that was left keeps in `folder` is written; not for long where it keeps nothing."""
    size, since = 0, time.monotonic()
    while time.monotonic() - since < (_SETTLED_S if size else _NOTHING_S):
        cancellation.current().sleep(0.05)
        try:
            now = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        except FileNotFoundError:
            # One was renamed in between: it is being written.
            continue
        if now != size:
            size, since = now, time.monotonic()


def _ctx_size(tokens: int) -> int:
    return -(-(tokens + 64) // _STEP) * _STEP
