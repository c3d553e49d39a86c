"""Under what a side computes: all that is needed to repeat it, and how its engine is opened."""

import hashlib
import os
import platform
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import msgspec

from qwen_tui import __version__, cancellation, files
from qwen_tui.config import SETTABLE, Config
from qwen_tui.engine import installed
from qwen_tui.engine.library import library_stamp
from qwen_tui.engine.protocol import Engine
from qwen_tui.engine.variants import avoided
from qwen_tui.errors import CancelledError, EngineError, UsageError
from qwen_tui.evaluation.compare.side import Side
from qwen_tui.hardware.gpu import graphics
from qwen_tui.hardware.machine import this_machine
from qwen_tui.hardware.plan import Plan
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed
from qwen_tui.models import identity, parts
from qwen_tui.planning.in_force import describe
from qwen_tui.planning.planner import Planner
from qwen_tui.servers import on_server

_WITHOUT_CARD = "qwen compare --a threads=1 --b threads=2"
# What a side may set of how a model is computed, and a server decides itself.
_OF_COMPUTING = ("device", "kv_type", "threads", "gpu_layers", "lookup")


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What one side computes with. `files` are the SHA-256 of the model's files by name, none for a server.

    `plan` is how the model is loaded, None for a server, whose address is `host`. `sampling` are the settings of
    answers; `given` is what the person set for this side.
    """

    name: str
    given: tuple[tuple[str, str], ...]
    model: str
    files: dict[str, str]
    plan: Plan | None
    host: str
    sampling: dict[str, Any]
    system: str
    template: str

    @property
    def computing(self) -> str:
        """How the model is computed, in words."""
        if self.plan is None:
            return self.host
        layers = {0: _("on the processor"), -1: _("all layers on the card")}.get(
            self.plan.gpu_layers, _("{n} layers on the card").format(n=self.plan.gpu_layers)
        )
        context = _("context of {n} tokens").format(n=f"{self.plan.ctx_size:,}")
        return " · ".join((describe(self.plan), layers, context))


class Machinery(msgspec.Struct, frozen=True, kw_only=True):
    """The PC and the programs of an experiment.

    `library` says how llama.cpp was built, and which of its variants computes here; `devices` are what it computes on
    beside the processor. Both are empty where servers alone compute.
    """

    version: str
    llama_cpp: str
    python: str
    system: str
    processor: str
    cores: str
    memory_gib: int
    library: str = ""
    devices: tuple[str, ...] = ()


def machinery() -> Machinery:
    """Describe this PC and this program; nothing in it changes from day to day."""
    machine = this_machine()
    try:
        llama_cpp = metadata.version("llama-cpp-python")
    except metadata.PackageNotFoundError:
        llama_cpp = ""
    return Machinery(
        version=__version__,
        llama_cpp=llama_cpp,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        processor=machine.cpu,
        cores=f"{machine.cores}/{machine.logical_cores}",
        memory_gib=machine.memory,
    )


def examined(found: Machinery) -> Machinery:
    """Return `found` with what llama.cpp itself tells; that starts it, so it takes a second or more."""
    try:
        build = installed.describe()
    except EngineError as error:
        return msgspec.structs.replace(found, library=error.message)
    about = [f"ggml {build.library}", *([build.variant] if build.variant else [])]
    about += [f"{backend}: {instructions}" for backend, instructions in build.compiled().items()]
    devices = [device.description for device in build.gpus]
    if devices and (driver := graphics().driver):
        devices.append(f"driver {driver}")
    return msgspec.structs.replace(found, library="; ".join(about), devices=tuple(devices))


def library_key() -> str:
    """Return what changes when another llama.cpp is installed here, or another of its variants computes."""
    return hashlib.sha256(msgspec.json.encode((library_stamp(), avoided()))).hexdigest()


class Doors(Protocol):
    """Where models come from; `cli` has them."""

    def planner(self, settings: Config) -> Planner:
        """Return the planner of the model on this computer that `settings` name."""

    def on_server(self, settings: Config) -> Engine:
        """Return the engine on the server that `settings` name."""

    def hashing(self, name: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """During the block, give a callback that shows how far the hashing of the file `name` is."""


@dataclass(frozen=True, slots=True)
class Place:
    """A side that is ready: its conditions, and what opens a new engine under them.

    `elsewhere` is the other computer that gets the questions, "" for none.
    """

    side: Side
    conditions: Conditions
    open: Callable[[Plan | None], Engine]
    elsewhere: str = ""


def place(side: Side, doors: Doors) -> Place:
    """Find the model of a side, and settle how it is computed.

    Raises `UsageError` for a card that there is not, `ModelNotFoundError`, `InvalidModelError`, `ServerError`.
    """
    settings = side.settings
    sampling = {name: getattr(settings, name) for name in (*SETTABLE, "lookup") if name != "seed"}
    common: dict[str, Any] = {
        "name": side.name,
        "given": side.given,
        "sampling": sampling,
        "system": settings.system or "",
        "template": side.template,
    }
    if found := on_server(settings.model, settings.servers):
        if too_many := [name for name, _value in side.given if name in _OF_COMPUTING]:
            raise UsageError(
                _("{name} is on a server, which decides itself how it computes.").format(name=settings.model),
                _("Leave out for this side: {names}.").format(names=listed(too_many)),
            )
        host = settings.servers[found.server].host
        conditions = Conditions(model=settings.model, files={}, plan=None, host=host, **common)
        # A server that may not be asked is refused now. Nothing is sent by that.
        elsewhere = doors.on_server(settings).host
        return Place(side, conditions, lambda _plan: doors.on_server(settings), elsewhere)
    planner = doors.planner(settings)
    plan = planner.next_time().plan
    if side.needs_card and not plan.gpu_layers:
        raise UsageError(
            no_card(planner), _("Compare something else, for example: {command}").format(command=_WITHOUT_CARD)
        )
    if side.kv_type:
        # A quantised KV cache needs flash attention. A side with f16 gets it too, so that only the type differs.
        plan = msgspec.structs.replace(plan, kv_type=side.kv_type, flash_attention=True)
    conditions = Conditions(model=planner.path.name, files=_hashes(planner.path, doors), plan=plan, host="", **common)
    return Place(side, conditions, lambda settled: planner.open_engine(planner.load_options(settled or plan)))


def has_card(planner: Planner) -> bool:
    """Whether the model of `planner` would be computed on a card, at least partly."""
    return bool(planner.gpu_layers and planner.next_time().plan.gpu_layers)


def no_card(planner: Planner) -> str:
    """Return the sentence that says why no card computes the model."""
    said = planner.auto.trouble if planner.auto else ""
    return said or _("There is no graphics card here that llama.cpp can use for this model.")


def _hashes(path: Path, doors: Doors) -> dict[str, str]:
    """Return the SHA-256 of a model's files; raises `CancelledError`."""
    known = files.folders().states / "models.json"
    hashes: dict[str, str] = {}
    for part in parts.files(path):
        raw = os.fsencode(part)
        facts = identity.facts(raw)
        found = facts and identity.remembered(raw, facts, known)
        if facts and not found:
            with doors.hashing(part.name) as show:
                show(0, facts.size)
                found = identity.find_out(raw, facts, known, lambda: cancellation.current().requested)
                if cancellation.current().requested:
                    raise CancelledError
        hashes[part.name] = found or ""
    return hashes
