"""A plan that was tried out, what it came to, and how that is judged."""

from typing import Literal, NamedTuple

import msgspec

from qwen_tui.hardware.plan import Plan

Purpose = Literal["chat", "ask"]

# What does not change a time or a speed by more than this factor is noise.
_CLEARLY = 0.97


class Use(NamedTuple):
    """A typical turn: tokens read that were not cached, tokens written, and whether the model is loaded for it."""

    reads: int
    writes: int
    loads: bool


TYPICAL: dict[Purpose, Use] = {"chat": Use(150, 250, False), "ask": Use(400, 150, True)}


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A plan and what was measured with it: loading in seconds, reading and writing in tokens per second."""

    plan: Plan
    load_s: float
    reading: float
    writing: float

    def seconds(self, purpose: Purpose) -> float:
        """Return what a typical turn takes."""
        use = TYPICAL[purpose]
        return use.reads / self.reading + use.writes / self.writing + (self.load_s if use.loads else 0.0)

    def clearly_better(self, than: "Trial", purpose: Purpose) -> bool:
        """Whether a typical turn is clearly shorter, or one speed clearly higher and the turn no longer."""
        ours, theirs = self.seconds(purpose), than.seconds(purpose)
        faster = than.reading < _CLEARLY * self.reading or than.writing < _CLEARLY * self.writing
        return ours < _CLEARLY * theirs or (faster and ours < theirs)


class Found(NamedTuple):
    """What a search came to. `chat` and `ask` are among `trials`; the costs are of batches of 1, 2, 3, … tokens."""

    trials: tuple[Trial, ...]
    chat: Trial
    ask: Trial
    chat_costs: tuple[float, ...]
    ask_costs: tuple[float, ...]
