"""Remembers settings with which the engine crashed on this computer, so that they are not chosen again."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from qwen_tui import learned
from qwen_tui.engine.library import library_stamp
from qwen_tui.hardware.machine import Machine, this_machine
from qwen_tui.hardware.plan import Plan

# The settings that decide which code computes. The number of threads does not matter for that.
KERNELS = ("batch_size", "kv_type", "flash_attention", "repack")
# How many crashes are remembered, the latest first.
_MOST = 50
PlanSettings = Mapping[str, Any]


class _Crash(msgspec.Struct, frozen=True, kw_only=True):
    """The signal `by` ended the engine with these `settings`, with layers on the `gpu` or without, on this machine.

    `library` is the stamp of llama.cpp, `when` is in seconds since 1970.
    """

    machine: Machine
    library: str
    gpu: bool
    settings: dict[str, Any]
    by: str
    when: float


class _File(msgspec.Struct, frozen=True):
    version: Literal[1]
    crashes: tuple[_Crash, ...] = ()


class Crashes:
    """The crashes in the file at `path`. Those on this machine count, with the llama.cpp that is installed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, settings: PlanSettings, by: str, *, gpu: bool = False) -> None:
        """Remember that the signal `by` ended the engine with `settings`; nothing happens if that cannot be written."""
        machine, library = _here()
        new = _Crash(machine=machine, library=library, gpu=gpu, settings=dict(settings), by=by, when=time.time())
        self._write((new, *(one for one in self._read() if msgspec.structs.replace(one, by=by, when=new.when) != new)))

    def around(self, plan: Plan, instead: Plan, *, gpu: bool = False) -> Plan:
        """Return `plan` without the settings that crash: as in `instead`, or another way where those crash too."""
        # Only with a crash in the file, because looking at the library takes time.
        here = _here() if (known := self._read()) else None
        crashes = [one for one in known if one.gpu == gpu and (one.machine, one.library) == here]
        # Each round changes at least one setting. A plan that still crashes after as many rounds as there are crashes
        # goes in a circle: no way works.
        for _time in range(len(crashes)):
            found = next((one for one in crashes if has(plan, one.settings)), None)
            if found is None:
                break
            plan = msgspec.structs.replace(plan, **_other(found.settings, instead))
            if not plan.flash_attention and plan.kv_type != "f16":
                # llama.cpp takes a quantised V cache with flash attention only.
                plan = msgspec.structs.replace(plan, kv_type="f16")
        return plan

    def forget(self) -> bool:
        """Forget the crashes on this machine, so that everything is tried again; whether there were any."""
        crashes = self._read()
        others = tuple(one for one in crashes if one.machine != this_machine())
        if len(others) == len(crashes):
            return False
        self._write(others)
        return True

    def _read(self) -> tuple[_Crash, ...]:
        return learned.read(self._path, _File, _File(1)).crashes

    def _write(self, crashes: tuple[_Crash, ...]) -> None:
        learned.write(self._path, _File(1, crashes[:_MOST]))


def has(plan: Plan, settings: PlanSettings) -> bool:
    """Whether `plan` has all of `settings`."""
    return all(getattr(plan, name, None) == value for name, value in settings.items())


def differing(plans: Sequence[Plan], other: Plan) -> dict[str, Any]:
    """Return the settings of `KERNELS` in which all `plans` agree, and `other` differs.

    If they agree in none of those, return all in which the last plan differs.
    """
    last = plans[-1]
    names = [name for name in KERNELS if getattr(last, name) != getattr(other, name)]
    common = [name for name in names if len({getattr(plan, name) for plan in plans}) == 1]
    return {name: getattr(last, name) for name in common or names}


def _other(settings: PlanSettings, instead: Plan) -> dict[str, Any]:
    others = {
        "repack": False,
        "flash_attention": not settings.get("flash_attention"),
        "kv_type": "f16",
        "batch_size": 64,
    }
    ruled = {name: getattr(instead, name) for name in settings}
    if ruled != settings:
        return ruled
    # The settings of `instead` crash, too. So one setting after the other is changed, the most important first.
    return next(({name: others[name]} for name in others if settings.get(name, others[name]) != others[name]), {})


def _here() -> tuple[Machine, str]:
    return this_machine(), msgspec.json.encode(library_stamp()).decode()
