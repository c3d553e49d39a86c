"""Ways to load one model, from the best to the most modest, and which of them works on this computer."""

import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import msgspec

from qwen_tui import files
from qwen_tui.engine.protocol import ALL_LAYERS, LoadOptions
from qwen_tui.i18n import gettext as _

# What was found is believed so long, in seconds: the memory may have been short for a reason that is gone.
_BELIEVED = 14 * 24 * 3600
# So many places are remembered, the latest first.
_MOST = 50
_VERSION = 1


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What of `LoadOptions` decides how much memory is taken, and where."""

    ctx_size: int
    gpu_layers: int
    batch_size: int
    kv_type: str
    flash_attention: bool
    repack: bool


class _Entry(msgspec.Struct, frozen=True):
    key: str
    when: float
    step: Step


class _File(msgspec.Struct, frozen=True):
    version: int
    worked: tuple[_Entry, ...]


class Worked:
    """The step that worked the last time, kept in a file under a key that names what it holds for.

    The key is the caller's: machine, driver, model, context. With another one nothing is known.
    """

    def __init__(self, path: Path, key: Callable[[], str]) -> None:
        """`key` is asked only where something is known or to be noted."""
        self._path = path
        self._ask_key = key

    @cached_property
    def _key(self) -> str:
        return self._ask_key()

    def recall(self) -> Step | None:
        """Return the step that worked, None where that is unknown or too long ago."""
        oldest = time.time() - _BELIEVED
        return next((entry.step for entry in self._read() if entry.key == self._key and entry.when > oldest), None)

    def keep(self, step: Step) -> None:
        """Remember `step`; where that cannot be written, it will be found out again."""
        others = [entry for entry in self._read() if entry.key != self._key]
        entries = (_Entry(self._key, time.time(), step), *others)[:_MOST]
        try:
            files.write_private(self._path, msgspec.json.encode(_File(_VERSION, entries)))
        except OSError:
            return

    def _read(self) -> tuple[_Entry, ...]:
        try:
            file = msgspec.json.decode(self._path.read_bytes(), type=_File)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return ()
        return file.worked if file.version == _VERSION else ()


class Ladder:
    """The ways to load a model in the order in which to try them; it only ever goes down.

    A step with a smaller context than the first is not taken without the person's word: it is passed over, and named.
    """

    def __init__(self, steps: Sequence[LoadOptions], worked: Worked | None = None) -> None:
        """Begin with the step that worked the last time, else with the first."""
        self._steps = tuple(steps)
        self._worked = worked if len(self._steps) > 1 else None
        known = self._worked.recall() if self._worked else None
        self._at = next((at for at, options in enumerate(self._steps) if step_of(options) == known), 0)
        # The step that the person knows of: the one planned, or the one they were told of when it was found.
        self._told = self._at

    @property
    def options(self) -> LoadOptions:
        """The step to be taken, or in use."""
        return self._steps[self._at]

    def step_down(self, *, to_cpu: bool = False) -> bool:
        """Go to the next step, or to the next one without a GPU; False where there is none."""
        for at in range(self._at + 1, len(self._steps)):
            options = self._steps[at]
            if self._keeps_context(options) and not (to_cpu and options.gpu_layers):
                self._at = at
                return True
        return False

    def works(self) -> None:
        """Remember the step in use, unless it is what was planned or is known already."""
        if self._worked and self._at and self._worked.recall() != step_of(self.options):
            self._worked.keep(step_of(self.options))

    def news(self, all_layers: int) -> str:
        """Say what the person does not know yet of the step in use, of a model with so many layers; else nothing."""
        before, now = self._steps[self._told], self.options
        if self._told == self._at:
            return ""
        self._told = self._at
        if before.gpu_layers and not now.gpu_layers:
            sentence = _("The graphics card failed or has too little memory: the processor computes alone.")
            smaller = self.smaller_context()
            hint = _("The card could be used with a smaller context: --ctx-size {size}").format(size=smaller)
            return f"{sentence} {hint}" if smaller and self._smaller().gpu_layers else sentence
        if before.gpu_layers != now.gpu_layers:
            layers = all_layers if now.gpu_layers == ALL_LAYERS else min(now.gpu_layers, all_layers)
            return _("The graphics card had too little memory for all layers: {n} of {all} are on it.").format(
                n=layers, all=all_layers
            )
        return _("Memory is short: the model was loaded in a way that takes less of it, and may be slower.")

    def smaller_context(self) -> int | None:
        """Return the largest smaller context that there is a step for, None where there is none."""
        return max((step.ctx_size for step in self._steps if not self._keeps_context(step)), default=None)

    def _keeps_context(self, options: LoadOptions) -> bool:
        return options.ctx_size >= self._steps[0].ctx_size

    def _smaller(self) -> LoadOptions:
        return next(step for step in self._steps if step.ctx_size == self.smaller_context())


def step_of(options: LoadOptions) -> Step:
    """Return what is to be remembered of `options`."""
    return Step(
        ctx_size=options.ctx_size,
        gpu_layers=options.gpu_layers,
        batch_size=options.batch_size,
        kv_type=options.kv_type,
        flash_attention=options.flash_attention,
        repack=options.repack,
    )
