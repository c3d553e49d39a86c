"""The ways to load one model, the best first, and which of them worked on this computer."""

import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import msgspec

from qwen_tui import learned
from qwen_tui.engine.protocol import LoadOptions
from qwen_tui.engine.recovery import OF_MEMORY, Action, Cause
from qwen_tui.hardware.plan import ALL_LAYERS, Plan
from qwen_tui.i18n import gettext as _

# After this time, in seconds, the program tries the best way again: the memory may have been short only then.
_BELIEVED = 14 * 24 * 3600
# The free memory changes all the time. It counts as more than before if it has grown by so many bytes, and by one part
# in so many.
_MORE, _PART = 64 << 20, 8
# How many plans are remembered, the latest first.
_MOST = 50


class _WorkingPlan(msgspec.Struct, frozen=True):
    key: str
    when: float
    plan: Plan
    free: int | None = None


class _File(msgspec.Struct, frozen=True):
    version: Literal[2]
    worked: tuple[_WorkingPlan, ...] = ()


class Worked:
    """Remembers in a file which plan worked the last time.

    The plan holds for a key that the caller makes of the machine, the driver, the model and the context. With another
    key, no plan is known. Nor is one known if more memory is free now than then, because the better ways may have
    failed for want of it. The file holds no numbers of threads: they do not decide how much memory a plan takes.
    """

    def __init__(self, path: Path, key: Callable[[], str], free: int | None = None) -> None:
        """`key` is called only if the file holds a plan, or is to hold one. `free` is in bytes, None if unknown."""
        self._path = path
        self._free = free
        self._ask_key = key

    @cached_property
    def _key(self) -> str:
        return self._ask_key()

    def recall(self) -> Plan | None:
        """Return the plan that worked; None if that is not known, or too long ago."""
        oldest = time.time() - _BELIEVED
        return next(
            (
                entry.plan
                for entry in _read(self._path)
                if entry.when > oldest and not self._is_more_than(entry.free) and entry.key == self._key
            ),
            None,
        )

    def _is_more_than(self, free: int | None) -> bool:
        return free is not None and self._free is not None and self._free > free + max(_MORE, free // _PART)

    def keep(self, plan: Plan) -> None:
        """Remember `plan`. If it cannot be written, the program finds it again the next time."""
        others = [entry for entry in _read(self._path) if entry.key != self._key]
        latest = _WorkingPlan(self._key, time.time(), plan.without_threads(), self._free)
        learned.write(self._path, _File(2, (latest, *others)[:_MOST]))


class Ladder:
    """The ways to load a model, in the order in which to try them, as steps: it never goes up again.

    It passes over a step with a smaller context than the first: only the person may decide that. The message names it.
    """

    def __init__(self, steps: Sequence[LoadOptions], worked: Worked | None = None) -> None:
        """Begin with the step that worked the last time, or else with the first."""
        self._steps = tuple(steps)
        self._worked = worked if len(self._steps) > 1 else None
        known = self._worked.recall() if self._worked else None
        self._at = next((at for at, options in enumerate(self._steps) if options.plan.without_threads() == known), 0)
        # The step that the person knows of: the planned one, or one that a message named.
        self._told = self._at
        # Whether every step down had a cause that will be there the next time, too.
        self._keep = True
        # The causes of the steps that the person does not know of yet.
        self._untold: set[Cause] = set()

    @property
    def options(self) -> LoadOptions:
        """The step that is in use, or will be loaded next."""
        return self._steps[self._at]

    def take(self, action: Action, cause: Cause) -> bool:
        """Go to the step that `action` names, because of `cause`; False where there is none."""
        below = range(self._at + 1, len(self._steps))
        at = next((at for at in below if self._leads_to(action, self._steps[at])), None)
        if at is None:
            return False
        self._at = at
        self._keep &= action == "less, and keep it"
        self._untold.add(cause)
        return True

    def _leads_to(self, action: Action, step: LoadOptions) -> bool:
        now, plan = self.options.plan, step.plan
        if not self._keeps_context(step):
            return False
        match action:
            case "less" | "less, and keep it":
                return True
            case "less on the card":
                return now.gpu_layers != 0
            case "without the card":
                return now.gpu_layers != 0 and not plan.gpu_layers
            case "other code":
                return _computes_otherwise(now, plan)
            case "no repacking":
                return now.repack and _computes_otherwise(now, plan)
            case "again" | "older instructions":
                return False

    def grow(self, ctx_size: int) -> None:
        """Load with a context of `ctx_size` tokens from now on, where the one that the person wanted was loaded."""
        self._steps = tuple(
            step.planned(ctx_size=ctx_size) if self._keeps_context(step) else step for step in self._steps
        )

    def told(self) -> None:
        """Know that the person has been told of the step in use."""
        self._told = self._at
        self._untold.clear()

    def works(self) -> None:
        """Remember the step in use, unless it is the planned one, is known already, or is for now only."""
        if not (self._worked and self._at and self._keep):
            return
        plan = self.options.plan
        if self._worked.recall() != plan.without_threads():
            self._worked.keep(plan)

    def news(self, all_layers: int) -> str:
        """Return what the person does not know yet of the step in use; empty if there is nothing.

        `all_layers` is how many layers the model has.
        """
        before, now = self._steps[self._told], self.options
        if self._told == self._at:
            return ""
        short, gone = bool(self._untold & OF_MEMORY), "card gone" in self._untold
        self.told()
        if gone:
            return _("llama.cpp sees no graphics card: the processor computes alone. See: qwen doctor")
        if before.plan.gpu_layers and not now.plan.gpu_layers:
            return self._news_of_cpu(short=short)
        layers = _counted(now.plan.gpu_layers, all_layers)
        if layers == _counted(before.plan.gpu_layers, all_layers):
            if short:
                return _("Memory is short: the model was loaded in a way that takes less of it, and may be slower.")
            return _("The model was loaded anew in a way that asks less of this PC.")
        if short:
            sentence = _("The graphics card had too little memory for all layers: {n} of {all} are on it.")
        else:
            sentence = _("{n} of {all} layers are on the card now.")
        return sentence.format(n=layers, all=all_layers)

    def _news_of_cpu(self, *, short: bool) -> str:
        if not short:
            return _("The graphics card failed: the processor computes alone.")
        sentence = _("The graphics card failed or has too little memory: the processor computes alone.")
        smaller = self.smaller_context()
        hint = _("The card could be used with a smaller context: --ctx-size {size}").format(size=smaller)
        return f"{sentence} {hint}" if smaller and self._smaller().plan.gpu_layers else sentence

    def smaller_context(self) -> int | None:
        """Return the largest of the smaller contexts, in tokens, for which there is a step; None without one."""
        return max((step.plan.ctx_size for step in self._steps if not self._keeps_context(step)), default=None)

    def _keeps_context(self, options: LoadOptions) -> bool:
        return options.plan.ctx_size >= self._steps[0].plan.ctx_size

    def _smaller(self) -> LoadOptions:
        return next(step for step in self._steps if step.plan.ctx_size == self.smaller_context())


def forget(path: Path, concerns: Callable[[str], bool]) -> bool:
    """Forget the plans whose key `concerns` accepts, so that the best way is tried first; whether there were any.

    The plans of other models stay.
    """
    entries = _read(path)
    others = tuple(entry for entry in entries if not concerns(entry.key))
    if len(others) == len(entries):
        return False
    # If this cannot be written, the program believes the plan for two more weeks at most.
    learned.write(path, _File(2, others))
    return True


def _read(path: Path) -> tuple[_WorkingPlan, ...]:
    return learned.read(path, _File, _File(2)).worked


def _computes_otherwise(now: Plan, plan: Plan) -> bool:
    """Whether the processor computes alone with both plans, and with `plan` by other code, so that it may not crash."""
    if now.gpu_layers or plan.gpu_layers or (now.repack and plan.repack):
        # Repacked weights are the likeliest reason of a crash.
        return False
    return (now.repack, now.flash_attention, now.kv_type) != (plan.repack, plan.flash_attention, plan.kv_type)


def _counted(gpu_layers: int, all_layers: int) -> int:
    return all_layers if gpu_layers == ALL_LAYERS else min(gpu_layers, all_layers)
