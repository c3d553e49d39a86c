"""The report of `qwen doctor`: one value that is printed for people or as JSON. Scripts rely on its names."""

from typing import Literal

import msgspec

from qwen_tui.hardware.device import Build
from qwen_tui.hardware.load import Load
from qwen_tui.hardware.machine import Computer
from qwen_tui.hardware.placement import Placement
from qwen_tui.models.fetching.reach import Reachability
from qwen_tui.planning.server_check import Check


class ExpectedSpeed(msgspec.Struct, frozen=True, kw_only=True):
    """The expected speeds in tokens per second, None if unknown.

    `source` says where they come from: `qwen tune` measured them on the date `when`, or they are estimated from
    `bandwidth` in bytes per second. That is the card's if all of the model is `on_card`, else the memory's.
    """

    source: Literal["measured", "estimated", "unknown"]
    reading: float | None = None
    writing: float | None = None
    when: str = ""
    bandwidth: float | None = None
    on_card: bool = False


class FolderState(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of the program.

    `writable` is also true if the folder could be created. `private` says that no other user can read it, None on a
    system without file modes. `free` are the free bytes of its disk.
    """

    name: str
    path: str
    exists: bool
    writable: bool
    private: bool | None
    free: int | None


class ModelState(msgspec.Struct, frozen=True, kw_only=True):
    """The model in the settings: `usable` if its file is there with a complete header, else `problem` says why not.

    `checksum` says whether the file has changed since its SHA-256 was verified; "unverified" if it never was.
    """

    name: str
    path: str | None = None
    size: int | None = None
    usable: bool = False
    checksum: Literal["verified", "changed", "unverified", "missing"] = "unverified"
    problem: str = ""


class ServerState(msgspec.Struct, frozen=True, kw_only=True):
    """The server that the model in the settings is on: its `host`, and what it has told if it was `asked`."""

    name: str
    host: str
    this_computer: bool
    asked: Check | None = None


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong, with a fixed `code`, and its remedy. An "error" prevents answers, a "warning" does not."""

    code: str
    severity: Literal["error", "warning"]
    message: str
    remedy: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was found. Sizes are in bytes.

    - `usable` decides the exit code.
    - `load` is what other programs take of the processor, None if the system does not tell.
    - `build` is the installed llama.cpp, None if it cannot be used.
    - `plan` is how the model is loaded here, None without a model. `origin` says where the plan comes from, `note`
      which wish it could not fulfil.
    - `server` is the one that the model is on, None for a model on this computer.
    - `network` is None if the servers were not asked; `offline` says that the environment forbade it.
    """

    version: str
    usable: bool
    machine: Computer
    load: Load | None = None
    build: Build | None
    plan: Placement | None
    origin: str
    note: str = ""
    speed: ExpectedSpeed
    model: ModelState
    server: ServerState | None = None
    folders: tuple[FolderState, ...]
    network: tuple[Reachability, ...] | None
    offline: bool = False
    problems: tuple[Problem, ...]
    advice: str


def encoded(report: Report) -> bytes:
    """Return the report as one JSON object; for scripts, the plan also holds `ctx_size` and `gpu_layers` directly."""
    printed = msgspec.to_builtins(report)
    if report.plan:
        printed["plan"] |= {"ctx_size": report.plan.ctx_size, "gpu_layers": report.plan.gpu_layers}
    return msgspec.json.encode(printed)
