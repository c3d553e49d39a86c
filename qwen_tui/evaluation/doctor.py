"""The examination behind `qwen doctor`: looks at everything once, and reports as unknown what cannot be known."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from qwen_tui import __version__
from qwen_tui.engine.installed import AskError, short_card
from qwen_tui.errors import EngineError, QwenError, refused
from qwen_tui.evaluation import findings
from qwen_tui.evaluation.advice import advice
from qwen_tui.evaluation.expectation import expected_speed
from qwen_tui.evaluation.report import FolderState, ModelState, Problem, Report, ServerState
from qwen_tui.files import Folders
from qwen_tui.hardware.device import Build
from qwen_tui.hardware.load import load_of_others
from qwen_tui.hardware.machine import Computer, this_computer
from qwen_tui.i18n import gettext as _
from qwen_tui.models import inventory, kinds, parts
from qwen_tui.models.fetching.reach import addresses, reach
from qwen_tui.models.fetching.source import is_offline
from qwen_tui.models.gguf import Header
from qwen_tui.models.inventory import FileState
from qwen_tui.models.shelf import Shelf
from qwen_tui.planning.automatic import circumstances, filled_by_others, full
from qwen_tui.planning.in_force import InForce
from qwen_tui.planning.server_check import Check


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined, and how to ask about it.

    `model` is the name of the model in the settings, and `locate` finds its file. `describe` asks llama.cpp about its
    build (raises `EngineError`). `in_force` returns how the file is loaded (raises `QwenError`); if it gets the reason
    why llama.cpp failed to look at the graphics card, it does not ask llama.cpp again. `starting` returns how much of
    the graphics card's memory the start of llama.cpp takes. `unfit` returns why llama.cpp cannot answer with a
    file, None if nothing is known against it. `server` is the one that the model is on, None for a model on this
    computer; `asked` returns what it has told, None if the network is not used (raises `QwenError`).
    """

    model: str
    folders: Folders
    locate: Callable[[str], Path]
    describe: Callable[[], Build]
    backends: Callable[[], Sequence[str] | None]
    in_force: Callable[[str], InForce]
    network: bool = False
    problems: tuple[Problem, ...] = ()
    starting: Callable[[str], int | None] = lambda _circumstances: None
    unfit: Callable[[Path], QwenError | None] = lambda _file: None
    server: ServerState | None = None
    asked: Callable[[], Check | None] = lambda: None


def examine(patient: Patient) -> Report:
    """Examine everything and return the report; foreseen errors become problems in it.

    Takes a second, with `network` a few more.
    """
    computer = this_computer()
    build, problems, trouble = _build(patient, computer)
    server: ServerState | None = None
    header: Header | None = None
    if patient.server:
        server, model, remedy = _on_server(patient.server, patient)
    else:
        model, header, remedy = _model(patient, runs=build is not None)
    forced: InForce | None = None
    if header is not None and (build is not None or all(problem.severity != "error" for problem in problems)):
        forced, model, remedy = _forced(patient, model, trouble)
    plan = forced.placement if forced else None
    folders = _folders(patient.folders)
    offline = patient.network and is_offline()
    reached = reach(addresses()) if patient.network and not offline else None
    problems = [
        *patient.problems,
        *problems,
        *findings.of_model(model, remedy),
        *findings.of_graphics(build, patient.backends(), computer.graphics),
        *findings.of_remembered(build, computer.graphics, forced.trouble if forced else ""),
        *findings.of_threads(computer.processor, plan),
        *findings.of_layers(build, plan),
        *findings.of_memory(plan),
        *findings.of_folders(folders),
        *findings.of_network(reached),
    ]
    speed = expected_speed(forced, computer, build)
    return Report(
        version=__version__,
        usable=all(problem.severity != "error" for problem in problems),
        machine=computer,
        load=load_of_others(),
        build=build,
        plan=plan,
        origin=forced.origin if forced else "",
        note=forced.note if forced else "",
        speed=speed,
        model=model,
        server=server,
        folders=folders,
        network=reached,
        offline=offline,
        problems=tuple(sorted(problems, key=lambda problem: problem.severity)),
        advice="" if server else advice(computer, build, plan, speed, problems),
    )


def _build(patient: Patient, computer: Computer) -> tuple[Build | None, list[Problem], str]:
    """Return the build, its problems, and why llama.cpp could not look at the graphics card ("" if it could)."""
    seen = computer.graphics
    if "cuda" in (patient.backends() or ()) and (filled := full(seen, patient.starting(circumstances(seen)))):
        return None, [findings.card_full(filled)], ""
    try:
        build = patient.describe()
    except AskError as error:
        # If a build with GPU backends fails while it looks for devices, the driver is at fault: the CPU can compute.
        if not error.looking or not patient.backends():
            return None, [_engine_not_usable(error)], ""
        if card := short_card(seen):
            return None, [findings.card_full(filled_by_others(card))], error.reason
        said = _("llama.cpp could not look at the graphics card: {reason}").format(reason=error.reason)
        remedy = findings.until_mended()
        problem = Problem(code="gpu_not_usable", severity="warning", message=said, remedy=remedy)
        return None, [problem], error.reason
    except EngineError as error:
        return None, [_engine_not_usable(error)], ""
    return build, [*findings.of_build(build, computer.processor)], ""


def _engine_not_usable(error: EngineError) -> Problem:
    return Problem(code="engine_not_usable", severity="error", message=error.message, remedy=error.remedy)


def _model(patient: Patient, *, runs: bool) -> tuple[ModelState, Header | None, str]:
    """Return the state of the model, its header, and if it has none, what to do; llama.cpp is asked if it `runs`."""
    path: Path | None = None
    name = _text(patient.model)
    try:
        path = patient.locate(patient.model)
        header = parts.read_model(path)
        kinds.require_model(header, path)
        if runs and (unfit := patient.unfit(path)):
            raise unfit
        size = sum(part.stat().st_size for part in parts.files(path))
    except QwenError as error:
        state = ModelState(name=name, path=None if path is None else _text(path), problem=_text(error.message))
        return state, None, error.remedy
    except OSError as error:
        told = refused(error)
        return ModelState(name=name, path=_text(path), problem=_text(told.message)), None, told.remedy
    return (
        ModelState(name=name, path=_text(path), size=size, usable=True, checksum=_checksum(patient, path)),
        header,
        "",
    )


def _on_server(server: ServerState, patient: Patient) -> tuple[ServerState, ModelState, str]:
    """Return the server with what it has told, the state of the model on it, and if it is not usable, what to do."""
    name = _text(patient.model)
    try:
        server = msgspec.structs.replace(server, asked=patient.asked())
    except QwenError as error:
        return server, ModelState(name=name, problem=_text(error.message)), error.remedy
    return server, ModelState(name=name, usable=True), ""


def _forced(patient: Patient, model: ModelState, trouble: str) -> tuple[InForce | None, ModelState, str]:
    """Return how the model is loaded, its state, and if it turns out to be unusable only now, what to do."""
    try:
        return patient.in_force(trouble), model, ""
    except QwenError as error:
        problem, remedy = _text(error.message), error.remedy
    except OSError as error:
        problem, remedy = _text(refused(error).message), refused(error).remedy
    return None, msgspec.structs.replace(model, usable=False, problem=problem), remedy


def _checksum(patient: Patient, path: Path) -> FileState:
    held = inventory.held(Shelf(patient.folders.models))
    return next((one.state for one in held if one.file == path), "unverified")


def _text(path: object) -> str:
    # Bytes of a name that are not text could not be encoded as JSON.
    return str(path).encode("utf-8", "replace").decode()


def _folders(folders: Folders) -> tuple[FolderState, ...]:
    named = {"config": folders.config, "data": folders.data, "models": folders.models, "cache": folders.cache}
    return tuple(_folder(name, path) for name, path in named.items())


def _folder(name: str, path: Path) -> FolderState:
    nearest = path
    while not _holds(nearest.exists) and nearest != nearest.parent:
        nearest = nearest.parent
    private: bool | None = None
    try:
        free: int | None = shutil.disk_usage(nearest).free
        if os.name == "posix" and _holds(path.exists):
            private = not path.stat().st_mode & 0o077
    except OSError:
        free = None
    return FolderState(
        name=name,
        path=_text(path),
        exists=_holds(path.is_dir),
        writable=_holds(nearest.is_dir) and os.access(nearest, os.W_OK | os.X_OK),
        private=private,
        free=free,
    )


def _holds(test: Callable[[], bool]) -> bool:
    """Return the result of a test of a path, false if it raises because a folder above cannot be searched."""
    try:
        return test()
    except OSError:
        return False
