"""What `qwen tune` found, kept for this machine and this model in `tuned.json`, and used from then on."""

import datetime
from collections.abc import Sequence
from pathlib import Path

import msgspec

from qwen_tui import files
from qwen_tui.errors import WriteError, how_to_write, why
from qwen_tui.hardware.machine import Machine, this_machine
from qwen_tui.i18n import gettext as _
from qwen_tui.planning.trial import Found, Purpose, Trial

_VERSION = 3
# Models and machines remembered, the latest first: a folder may travel on a stick.
_MOST = 50


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What the figures hold for: this model file, on this machine, with this llama.cpp, computed there.

    `modified` is in whole seconds, which every file system keeps.
    """

    machine: Machine
    model: str
    size: int
    modified: int
    library: str
    gpu_layers: int = 0


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The plan for one purpose with its figures, and the costs of batches of 1, 2, 3, … tokens; empty: not measured."""

    trial: Trial
    batch_costs: tuple[float, ...] = ()


class Tuned(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, when (ISO 8601, local time), with which context, and everything that was tried."""

    subject: Subject
    when: str
    ctx_size: int
    chat: Choice
    ask: Choice
    trials: tuple[Trial, ...] = ()

    def choice(self, purpose: Purpose) -> Choice:
        """Return what was chosen for `purpose`."""
        return self.chat if purpose == "chat" else self.ask


class _File(msgspec.Struct, frozen=True):
    version: int
    tuned: tuple[Tuned, ...]


def subject(model: Path, gpu_layers: int = 0) -> Subject:
    """Describe the model file on this machine; raises `OSError` where the file is not there."""
    # Only where something was measured: a tenth of what starting takes.
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


def tuned(found: Found, about: Subject, ctx_size: int) -> Tuned:
    """Return what is to be kept of a search."""
    return Tuned(
        subject=about,
        when=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        ctx_size=ctx_size,
        chat=Choice(trial=found.chat, batch_costs=found.chat_costs),
        ask=Choice(trial=found.ask, batch_costs=found.ask_costs),
        trials=found.trials,
    )


def read(path: Path, model: Path, gpu_layers: int = 0) -> Tuned | None:
    """Return what was found for the model file here; None where nothing was, or `path` cannot be understood."""
    entries = _read(path)
    if not entries:
        return None
    about = subject(model, gpu_layers)
    return next((entry for entry in entries if entry.subject == about), None)


def keep(path: Path, found: Tuned) -> None:
    """Add `found` to the file, in place of what it replaces; raises `WriteError`."""
    _write(path, [found, *_without(path, found.subject)])


def forget(path: Path, about: Subject) -> bool:
    """Remove what was found for the model of `about` and return whether there was anything; raises `WriteError`."""
    kept = _without(path, about)
    if len(kept) == len(_read(path)):
        return False
    _write(path, kept)
    return True


def is_of(about: Subject, model: Path) -> bool:
    """Whether `about` is the file of that name on this machine, whatever its state and the library's."""
    return (about.machine, about.model) == (this_machine(), _name(model))


def _name(model: Path) -> str:
    # A name that is no text would be no JSON either.
    return model.name.encode("utf-8", "replace").decode()


def _without(path: Path, about: Subject) -> list[Tuned]:
    """Return the entries but for those of this file on this machine, whatever its state and the library's."""

    def place(subject: Subject) -> tuple[Machine, str, int]:
        return subject.machine, subject.model, subject.gpu_layers

    return [entry for entry in _read(path) if place(entry.subject) != place(about)]


def _read(path: Path) -> tuple[Tuned, ...]:
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
    # Measuring again mends a damaged file; until then the rules hold.
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return ()
    if file.version != _VERSION:
        return ()
    return tuple(entry for entry in file.tuned if _usable(entry.chat) and _usable(entry.ask))


def _usable(choice: Choice) -> bool:
    # llama.cpp ends the process over numbers that make no sense.
    plan = choice.trial.plan
    counts = 1 <= plan.threads <= 1024 and 1 <= plan.batch_threads <= 1024 and 16 <= plan.batch_size <= 4096
    return counts and (plan.flash_attention or plan.kv_type == "f16") and all(cost > 0 for cost in choice.batch_costs)


def _write(path: Path, entries: Sequence[Tuned]) -> None:
    content = msgspec.json.format(msgspec.json.encode(_File(_VERSION, tuple(entries[:_MOST]))))
    try:
        files.write_private(path, content + b"\n")
    except OSError as error:
        raise WriteError(
            _("What was measured could not be kept in {path}: {reason}").format(path=path, reason=why(error)),
            how_to_write(error),
        ) from error
