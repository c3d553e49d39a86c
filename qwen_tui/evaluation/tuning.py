"""Finds the fastest plan for a model on this PC by trying plans, in about a minute.

The search changes one setting at a time in the best plan so far (a greedy coordinate search), the cheapest and most
promising first; repacked weights, which load slowly, come last. It compares the time of a typical turn: prefill and
decode count as in real use, and for a single question loading counts, too.
"""

import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, pairwise
from typing import Any, TypeVar

import msgspec

from qwen_tui import cancellation
from qwen_tui.engine.crashes import KERNELS, differing
from qwen_tui.engine.protocol import Engine, ReplayOptions, Request
from qwen_tui.errors import EngineError, WorkerDiedError
from qwen_tui.evaluation.measuring import words
from qwen_tui.hardware.machine import Machine
from qwen_tui.hardware.plan import Plan
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Event, Finished, Message
from qwen_tui.planning.in_force import difference
from qwen_tui.planning.tuned import Purpose, SearchResult, Trial

# So many tokens are decoded one by one, each timed twice. On a processor there are `_DEPTH` tokens before them, like a
# conversation of several turns: at such a depth flash attention and the KV type make a difference.
_WRITTEN = 6
_DEPTH = 2048
# The prefill of the prompt takes about so many seconds, but it has at least one whole batch and at most so many tokens.
_READING_S = 3.0
_LONGEST = 512
# The first prompt has so many tokens. It warms up the PC, reads the file from the disk, and shows the rough speed.
_WARM_UP = 32
# The sizes of batches that are timed. The costs of the sizes between them are interpolated.
BATCHES = (1, 2, 3, 4, 8, 16, 32)
# On a PC with slow memory, timing the batches takes as long as so many tokens, and loading repacked weights so many
# times as long as mapped ones.
_BATCHES_COST, _REPACK_LOADS = 36, 5

_Result = TypeVar("_Result")


@dataclass(slots=True)
class Search:
    """A search for the best plan from `start` on; `open_engine` builds an engine that is not yet started.

    `budget` is in seconds by `clock`. `may_repack` says whether the memory allows a second copy of the weights. If
    `avoid` returns a plan changed, the plan has settings that crash here, and the search does not try it.

    The search calls `on_step` with a sentence about what begins, `on_event` with the events of loading and reading,
    `on_trial` with each finished trial, `on_failure` with a sentence about what does not work here, and `on_crash` with
    the settings that ended the engine and the name of the signal.
    """

    open_engine: Callable[[Plan], Engine]
    start: Plan
    machine: Machine
    budget: float = 60.0
    gpu: bool = False
    may_repack: bool = True
    clock: Callable[[], float] = time.perf_counter
    on_step: Callable[[str], None] = lambda _sentence: None
    on_trial: Callable[[Trial], None] = lambda _trial: None
    on_failure: Callable[[str], None] = lambda _sentence: None
    avoid: Callable[[Plan], Plan] = lambda plan: plan
    on_crash: Callable[[dict[str, Any], str], None] = lambda _settings, _by: None
    on_event: Callable[[Event], None] = lambda _event: None
    _begun: float = 0.0
    _prompt: int = 0
    _tried: list[Plan] = field(default_factory=list)
    _failures: list[EngineError] = field(default_factory=list)
    _trials: list[Trial] = field(default_factory=list)
    _untried: list[Plan] = field(default_factory=list)
    _loads: dict[bool, list[float]] = field(default_factory=dict)
    _rng: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 - words

    def run(self) -> SearchResult:
        """Search until everything has been tried or the budget is used; raises what engines raise."""
        self._begun = self.clock()
        best = self._attempt(self.start, _all(self.start))
        for changes in self._candidates():
            plan = msgspec.structs.replace(best.plan if best else self.start, **changes)
            if plan in self._tried or not _makes_sense(plan) or self.avoid(plan) != plan:
                continue
            if best and self._left() < self._trial_s(plan) + self._reserve(plan):
                self._untried.append(plan)
                continue
            trial = self._attempt(plan, changes)
            if trial is not None and (best is None or trial.clearly_better(best, "chat")):
                best = trial
        if best is None:
            raise self._failures[-1]
        self._check(best)
        return self._found()

    def _candidates(self) -> Iterator[dict[str, Any]]:
        cores, logical = self.machine.cores, self.machine.logical_cores
        if self.gpu:
            yield from ({"flash_attention": not self.start.flash_attention}, {"kv_type": "q8_0"})
            yield from ({"batch_size": size} for size in (256, 1024))
            return
        yield {"batch_threads": logical}
        yield {"flash_attention": not self.start.flash_attention}
        yield {"kv_type": "q8_0"}
        yield {"threads": logical}
        if cores > 3:
            yield {"threads": cores - 1}
        yield {"batch_size": 256}
        if self.may_repack:
            yield {"repack": True}

    def _check(self, best: Trial) -> None:
        """Measure the start and the best plan again: a disturbance of a few seconds must not decide.

        Where that fails, the first figures of both stand: who is measured twice has the better chance.
        """
        if (
            best is self._trials[0]
            or self._left() < self._trial_s(self._trials[0].plan) + self._trial_s(best.plan) + self._costs_s()
        ):
            return
        second: list[Trial] = []
        for plan in (self._trials[0].plan, best.plan):
            try:
                second.append(self._surely(partial(self._try, plan, _("Once more: {plan}"))))
            except EngineError as error:
                cancellation.check()
                reason = _first_line(error)
                self.on_failure(_("  This failed, so the first figures count: {reason}").format(reason=reason))
                return
            self._trials.pop()
        for again in second:
            first = next(i for i, trial in enumerate(self._trials) if trial.plan == again.plan)
            before = self._trials[first]
            self._trials[first] = msgspec.structs.replace(
                before, reading=max(before.reading, again.reading), writing=max(before.writing, again.writing)
            )

    def _attempt(self, plan: Plan, changes: dict[str, Any]) -> Trial | None:
        """Try a plan; return None if it does not work. Only its `changes` can be at fault: not all models take q8_0."""
        self._tried.append(plan)
        try:
            return self._surely(partial(self._try, plan))
        except EngineError as error:
            self._give_up(changes, error)
            return None

    def _surely(self, measure: Callable[[], _Result]) -> _Result:
        """Measure, and again after a crash: that may be an accident, unless the processor lacks an instruction."""
        try:
            return measure()
        except WorkerDiedError as error:
            if error.crash in ("", "SIGILL"):
                raise
            return measure()

    def _give_up(self, changes: dict[str, Any], error: EngineError) -> None:
        self._failures.append(error)
        self.on_failure(_("  This does not work here: {reason}").format(reason=_first_line(error)))
        # Only a crash is remembered: a plan that lacked memory may work another time.
        if isinstance(error, WorkerDiedError) and error.crash:
            self.on_crash(changes, error.crash)

    def _try(self, plan: Plan, sentence: str = "") -> Trial:
        self.on_step((sentence or _("Trying: {plan}")).format(plan=difference(plan, self.start)))
        with closing(self.open_engine(plan)) as engine:
            begun = self.clock()
            for loading in engine.load():
                self.on_event(loading)
            cancellation.check()
            load_s = self.clock() - begun
            if not self._prompt:
                speed = self._reading(engine, _WARM_UP)
                longest = min(_LONGEST, engine.info().ctx_size // 3)
                self._prompt = _whole_batches(min(round(speed * _READING_S), longest), self.start.batch_size, longest)
            reading, writing = self._reading(engine, self._tokens(plan)), self._writing(engine)
        self._loads.setdefault(plan.repack, []).append(load_s)
        trial = Trial(plan=plan, load_s=load_s, reading=reading, writing=writing)
        self._trials.append(trial)
        self.on_trial(trial)
        return trial

    def _reading(self, engine: Engine, prompt: int) -> float:
        """Return the speed of prefill in tokens a second, for a prompt of so many tokens.

        A few tokens more would need a batch of their own, which takes as long as a much larger one.
        """
        text = words(prompt, self._rng).split()
        marks = engine.count((Message("user", " ".join(text)),)) - prompt
        request = Request(
            messages=(Message("user", " ".join(text[: max(1, prompt - marks)])),),
            sampler=ReplayOptions(text=words(1, self._rng)),
            max_tokens=1,
            lookup=False,
        )
        reading = 0.0
        for event in engine.stream(request):
            self.on_event(event)
            if isinstance(event, Finished):
                reading = event.timings.prefill_tps
        cancellation.check()
        return _whole(reading)

    def _writing(self, engine: Engine) -> float:
        """Return the speed of decode in tokens a second; on a processor, after `_DEPTH` tokens."""
        # A disturbance can only slow a token down, so the fastest one counts.
        return 1 / _whole(min(engine.batch_seconds((1,) * _WRITTEN, self._depth(engine)), default=0.0))

    def _depth(self, engine: Engine) -> int:
        # Timing needs a context of its own. On a GPU that the plan has filled, there is no room for a large one.
        return 0 if self.gpu else min(_DEPTH, engine.info().ctx_size // 2)

    def _tokens(self, plan: Plan) -> int:
        """Return the length of the prompt: it must fill a larger batch to show what that is worth."""
        return max(self._prompt, plan.batch_size) if plan.batch_size > self.start.batch_size else self._prompt

    def _left(self) -> float:
        return self.budget - (self.clock() - self._begun)

    def _trial_s(self, plan: Plan) -> float:
        """Estimate from the first trial how many seconds trying `plan` takes."""
        first = self._trials[0]
        return self._load_s(repack=plan.repack) + self._tokens(plan) / first.reading + 2 * _WRITTEN / first.writing

    def _load_s(self, *, repack: bool) -> float:
        """Estimate how many seconds loading takes. The first load may have waited for the disk: the shortest counts."""
        if known := self._loads.get(repack):
            return min(known)
        return min(min(times) for times in self._loads.values()) * (_REPACK_LOADS if repack else 1)

    def _costs_s(self) -> float:
        return self._load_s(repack=self.start.repack) + _BATCHES_COST / self._trials[0].writing

    def _reserve(self, plan: Plan) -> float:
        """Return how many seconds of the budget must remain after `plan` is tried: for repacking and the batches.

        Repacking that would take more than is left, even now, reserves nothing.
        """
        costs_s = self._costs_s()
        if not self.may_repack or self.gpu or plan.repack:
            return costs_s
        repacking_s = self._trial_s(msgspec.structs.replace(self.start, repack=True))
        return costs_s + (repacking_s if repacking_s + costs_s <= self._left() else 0.0)

    def _found(self) -> SearchResult:
        # Loading times vary most, and the first load may have waited for the disk. So all loads of one kind, repacked
        # or mapped, get their median.
        loads = {kind: statistics.median(times[1:] or times) for kind, times in self._loads.items()}
        trials = tuple(msgspec.structs.replace(trial, load_s=loads[trial.plan.repack]) for trial in self._trials)
        chat, ask = best_of(trials, "chat"), best_of(trials, "ask")
        costs: dict[Plan, tuple[float, ...]] = {}
        for plan in dict.fromkeys((chat.plan, ask.plan)):
            if costs and self._left() <= self._costs_s():
                break
            try:
                costs[plan] = self._surely(partial(self._costs, plan))
            except WorkerDiedError as error:
                # A batch size crashes that no prompt has used: the plan does not work.
                self._give_up(differing([plan], self.start) or _all(plan), error)
                self._trials = [trial for trial in self._trials if trial.plan != plan]
                if not self._trials:
                    raise
                return self._found()
            except EngineError as error:
                cancellation.check()
                # The figures hold. Without costs, the engine learns them while it answers.
                self.on_failure(_("  The batches could not be timed: {reason}").format(reason=_first_line(error)))
                costs[plan] = ()
        return SearchResult(trials, chat, ask, costs[chat.plan], costs.get(ask.plan, ()), tuple(self._untried))

    def _costs(self, plan: Plan) -> tuple[float, ...]:
        """Return the costs of batches, none if nothing is left of the budget."""
        if self._left() <= 0:
            return ()
        self.on_step(_("Timing batches of 1 to {most} tokens").format(most=BATCHES[-1]))
        with closing(self.open_engine(plan)) as engine:
            for loading in engine.load():
                self.on_event(loading)
            seconds = engine.batch_seconds(BATCHES, self._depth(engine))
            cancellation.check()
        return relative(BATCHES, seconds)


def best_of(trials: Sequence[Trial], purpose: Purpose) -> Trial:
    """Return the best trial for `purpose`: the fastest of those clearly better than the first, else the first."""
    better = [trial for trial in trials[1:] if trial.clearly_better(trials[0], purpose)]
    return min(better, key=lambda trial: trial.seconds(purpose), default=trials[0])


def _whole_batches(tokens: int, batch: int, longest: int) -> int:
    """Return `tokens` rounded down to whole batches, one at least; `longest` where a batch is longer than that."""
    return min(max(batch, tokens // batch * batch), longest)


def relative(sizes: Sequence[int], seconds: Sequence[float]) -> tuple[float, ...]:
    """Return the costs of batches of 1, 2, 3, … tokens relative to one token, interpolated between the measured ones.

    A larger batch never costs less: if it seems to, the measurement of the smaller one was disturbed.
    """
    if len(seconds) < 2 or not seconds[0]:
        return ()
    known = list(zip(sizes, accumulate(seconds, max), strict=False))
    costs = [1.0]
    for (low, low_s), (high, high_s) in pairwise(known):
        steps = high - low
        between = (low_s + (high_s - low_s) * step / steps for step in range(1, steps + 1))
        costs += [round(each / seconds[0], 3) for each in between]
    return tuple(costs)


def _first_line(error: EngineError) -> str:
    return error.message.splitlines()[0]


def _all(plan: Plan) -> dict[str, Any]:
    """Return all settings of a plan that choose kernels, which may crash."""
    return {name: getattr(plan, name) for name in KERNELS}


def _whole(figure: float) -> float:
    """Return a measured figure; raises `EngineError` if it is 0, because nothing was measured."""
    if not figure:
        raise EngineError(_("What was to be measured was cut short."), _("Try again."))
    return figure


def _makes_sense(plan: Plan) -> bool:
    # llama.cpp takes a quantised V cache with flash attention only.
    return plan.flash_attention or plan.kv_type == "f16"
