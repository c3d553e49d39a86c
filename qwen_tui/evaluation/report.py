"""What `qwen doctor` finds: one value, printed for people or as JSON, whose names scripts rely on."""

from typing import Literal

import msgspec

from qwen_tui.hardware.device import Build
from qwen_tui.hardware.machine import Computer
from qwen_tui.hardware.placement import Placement
from qwen_tui.models.fetching.reach import Reachability


class ExpectedSpeed(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens per second, None what is not known. `source` says where from: `qwen tune` measured it on `when`, or it
    is estimated from `bandwidth` (bytes per second): the card's where all of the model is `on_card`, else the memory's.
    """

    source: Literal["measured", "estimated", "unknown"]
    reading: float | None = None
    writing: float | None = None
    when: str = ""
    bandwidth: float | None = None
    on_card: bool = False


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of the program: `exists`, `writable` (or could be made), `private` (nobody else can read it).

    `private` is None where the system has no such modes. `free` are the bytes left on that disk.
    """

    name: str
    path: str
    exists: bool
    writable: bool
    private: bool | None
    free: int | None


class ModelState(msgspec.Struct, frozen=True, kw_only=True):
    """The model that is set: `usable` if its file is there and its header is whole, else `problem` says why not.

    `checksum` says whether it is as it was when its SHA-256 was verified; "unverified" where that never was.
    """

    name: str
    path: str | None = None
    size: int | None = None
    usable: bool = False
    checksum: Literal["verified", "changed", "unverified", "missing"] = "unverified"
    problem: str = ""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong, under a fixed `code`, and how to mend it. An `error` keeps the program from answering."""

    code: str
    severity: Literal["error", "warning"]
    message: str
    remedy: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was found.

    `build` is the installed llama.cpp, None if it cannot be used; `plan` how the model is loaded here, None without a
    model, `origin` where that comes from, `note` what had to give. `network` is None where nobody asked; `offline` says
    that somebody was to be, and that the environment forbids it. `usable` is what the exit code says. Sizes are in
    bytes.
    """

    version: str
    usable: bool
    machine: Computer
    build: Build | None
    plan: Placement | None
    origin: str
    note: str = ""
    speed: ExpectedSpeed
    model: ModelState
    folders: tuple[Folder, ...]
    network: tuple[Reachability, ...] | None
    offline: bool = False
    problems: tuple[Problem, ...]
    advice: str


def encoded(report: Report) -> bytes:
    """Return the report as one JSON object; the context and the layers stand beside the plan, too, as scripts know."""
    printed = msgspec.to_builtins(report)
    if report.plan:
        printed["plan"] |= {"ctx_size": report.plan.ctx_size, "gpu_layers": report.plan.gpu_layers}
    return msgspec.json.encode(printed)
