"""The speeds at which this computer has read and written before: they foretell the first wait of a sitting."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from qwen_tui import learned
from qwen_tui.engine.protocol import Costs
from qwen_tui.hardware.plan import Plan

# How many models and plans are remembered, the latest last.
_MOST = 50
# A speed is written again if it has changed by one part in so many.
_CHANGED = 10


class _Speed(msgspec.Struct, frozen=True):
    prefill_tps: float = 0.0
    decode_tps: float = 0.0


class Speeds:
    """Remembers in a file how fast a model was computed with a plan. `key` names machine, model and plan."""

    def __init__(self, path: Path, key: Callable[[Plan], str]) -> None:
        self._path = path
        self._key = key

    def recall(self, plan: Plan) -> Costs:
        """Return what is known; speeds of 0 if nothing is."""
        known = learned.read(self._path, dict[str, _Speed], {})
        found = known.get(self._key(plan), _Speed()) if known else _Speed()
        return Costs(prefill_tps=found.prefill_tps, decode_tps=found.decode_tps)

    def keep(self, plan: Plan, prefill_s: float, decode_s: float) -> None:
        """Remember how many seconds a token takes; 0 of what is unknown."""
        known, key = learned.read(self._path, dict[str, _Speed], {}), self._key(plan)
        before = known.get(key, _Speed())
        now = _Speed(_tps(prefill_s) or before.prefill_tps, _tps(decode_s) or before.decode_tps)
        if _is_other(now.prefill_tps, before.prefill_tps) or _is_other(now.decode_tps, before.decode_tps):
            learned.write(self._path, learned.latest(known, key, now, _MOST))


def _tps(token_s: float) -> float:
    return 1 / token_s if token_s else 0.0


def _is_other(now: float, before: float) -> bool:
    return abs(now - before) * _CHANGED > before
