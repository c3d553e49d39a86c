"""What `qwen tune` has measured: trials of plans, and the best of them for a machine and a model, in `tuned.json`."""

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from qwen_tui import learned
from qwen_tui.engine.protocol import Costs
from qwen_tui.errors import WriteError, how_to_write, why
from qwen_tui.hardware.machine import Machine, this_machine
from qwen_tui.hardware.plan import Plan
from qwen_tui.i18n import gettext as _

# How many results are remembered, the latest first. They may be of several machines, because a person may carry the
# folder on a stick.
_MOST = 50
# A smaller change of a time or a speed than by this factor counts as noise.
_CLEARLY = 0.97


Purpose = Literal["chat", "ask"]


class Use(NamedTuple):
    """A typical turn: the tokens that the prefill computes, those of the answer, and whether the model is loaded."""

    reads: int
    writes: int
    loads: bool


TYPICAL: dict[Purpose, Use] = {"chat": Use(150, 250, False), "ask": Use(400, 150, True)}


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A plan and what was measured with it: loading in seconds; prefill (`reading`), decode (`writing`) in tokens/s."""

    plan: Plan
    load_s: float
    reading: float
    writing: float

    def seconds(self, purpose: Purpose) -> float:
        """Return how long a typical turn takes, in seconds."""
        use = TYPICAL[purpose]
        return use.reads / self.reading + use.writes / self.writing + (self.load_s if use.loads else 0.0)

    def clearly_better(self, than: "Trial", purpose: Purpose) -> bool:
        """Whether a typical turn is clearly shorter; or one speed is clearly higher, and the turn not longer."""
        ours, theirs = self.seconds(purpose), than.seconds(purpose)
        faster = than.reading < _CLEARLY * self.reading or than.writing < _CLEARLY * self.writing
        return ours < _CLEARLY * theirs or (faster and ours < theirs)


class SearchResult(NamedTuple):
    """The result of a search: its `trials`, the best ones, and the costs of batches of 1, 2, 3, … tokens with these.

    There was no time for the plans `untried`.
    """

    trials: tuple[Trial, ...]
    chat: Trial
    ask: Trial
    chat_costs: tuple[float, ...]
    ask_costs: tuple[float, ...]
    untried: tuple[Plan, ...] = ()


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What a result holds for: a model file, a machine, a version of llama.cpp, and the layers on a GPU.

    `modified` is in whole seconds, because some file systems keep no fractions.
    """

    machine: Machine
    model: str
    size: int
    modified: int
    library: str
    gpu_layers: int = 0


class TunedPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The best plan for one purpose, and the costs of batches of 1, 2, 3, … tokens; empty if they were not measured."""

    trial: Trial
    batch_costs: tuple[float, ...] = ()

    @property
    def costs(self) -> Costs:
        """What was measured with the plan, for the engine."""
        return Costs(batches=self.batch_costs, prefill_tps=self.trial.reading, decode_tps=self.trial.writing)


class Tuned(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a search as it is kept: with its time (ISO 8601, local), its context and all its trials."""

    subject: Subject
    when: str
    ctx_size: int
    chat: TunedPlan
    ask: TunedPlan
    trials: tuple[Trial, ...] = ()

    def plan_for(self, purpose: Purpose) -> TunedPlan:
        """Return what was chosen for `purpose`."""
        return self.chat if purpose == "chat" else self.ask


class _File(msgspec.Struct, frozen=True):
    version: Literal[3]
    tuned: tuple[Tuned, ...] = ()


def subject(model: Path, gpu_layers: int = 0) -> Subject:
    """Describe the model file on this machine; raises `OSError` where the file is not there."""
    # Imported only if something was measured, because the import takes a tenth of the program's start.
    import importlib.metadata

    stat = model.stat()
    try:
        library = importlib.metadata.version("llama-cpp-python")
    except importlib.metadata.PackageNotFoundError:
        library = ""
    return Subject(
        machine=this_machine(),
        model=_name(model),
        size=stat.st_size,
        modified=int(stat.st_mtime),
        library=library,
        gpu_layers=gpu_layers,
    )


def tuned(found: SearchResult, about: Subject, ctx_size: int) -> Tuned:
    """Return what to keep of a search."""
    return Tuned(
        subject=about,
        when=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        ctx_size=ctx_size,
        chat=TunedPlan(trial=found.chat, batch_costs=found.chat_costs),
        ask=TunedPlan(trial=found.ask, batch_costs=found.ask_costs),
        trials=found.trials,
    )


def read(path: Path, model: Path, gpu_layers: int = 0) -> Tuned | None:
    """Return what was measured for the model file here; None if nothing was, or the file `path` is damaged."""
    entries = _read(path)
    if not entries:
        return None
    about = subject(model, gpu_layers)
    return next((entry for entry in entries if entry.subject == about), None)


def keep(path: Path, found: Tuned) -> None:
    """Write `found` into the file, in place of older results of the same file; raises `WriteError`."""
    _write(path, [found, *_without(path, found.subject)])


def forget(path: Path, about: Subject) -> bool:
    """Remove the results for the model of `about`, and return whether there were any; raises `WriteError`."""
    kept = _without(path, about)
    if len(kept) == len(_read(path)):
        return False
    _write(path, kept)
    return True


def is_of(about: Subject, model: Path) -> bool:
    """Whether `about` is the file of that name on this machine; its content and the library may have changed."""
    return (about.machine, about.model) == (this_machine(), _name(model))


def _name(model: Path) -> str:
    # A file name may be invalid text, which JSON cannot hold.
    return model.name.encode("utf-8", "replace").decode()


def _without(path: Path, about: Subject) -> list[Tuned]:
    """Return all results but those of this file on this machine; its content and the library may have changed."""

    def place(subject: Subject) -> tuple[Machine, str, int]:
        return subject.machine, subject.model, subject.gpu_layers

    return [entry for entry in _read(path) if place(entry.subject) != place(about)]


def _read(path: Path) -> tuple[Tuned, ...]:
    # If the file is damaged, the plans follow the rules until the person measures again.
    known = learned.read(path, _File, _File(3)).tuned
    return tuple(one for one in known if _usable(one.chat) and _usable(one.ask))


def _usable(tuned: TunedPlan) -> bool:
    # Impossible numbers would let llama.cpp abort the process.
    plan = tuned.trial.plan
    counts = 1 <= plan.threads <= 1024 and 1 <= plan.batch_threads <= 1024 and 16 <= plan.batch_size <= 4096
    return counts and (plan.flash_attention or plan.kv_type == "f16") and all(cost > 0 for cost in tuned.batch_costs)


def _write(path: Path, entries: Sequence[Tuned]) -> None:
    try:
        learned.save(path, _File(3, tuple(entries[:_MOST])), indented=True)
    except OSError as error:
        raise WriteError(
            _("What was measured could not be kept in {path}: {reason}").format(path=path, reason=why(error)),
            how_to_write(error),
        ) from error
