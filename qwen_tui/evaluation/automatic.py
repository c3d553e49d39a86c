"""What `--gpu-layers auto` comes to on this PC at this moment: the placement, and why nothing goes to the GPU."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from qwen_tui.hardware.device import Build, Device, Setup
from qwen_tui.hardware.gpu import Graphics, may_have_card
from qwen_tui.hardware.machine import this_machine
from qwen_tui.hardware.memory import memory
from qwen_tui.hardware.placement import (
    Measured,
    Placement,
    Room,
    lay_out,
    measured_by,
    nothing_measured,
    place,
    to_measure,
)
from qwen_tui.hardware.plan import Plan, default_plan
from qwen_tui.i18n import gettext as _
from qwen_tui.models.gguf import Header

# What CUDA's start takes of a card where that has not been seen, in bytes.
_STARTING = 150 << 20


class Found(NamedTuple):
    """What the engine says of the installed llama.cpp: `build`, or the `trouble` that it gave.

    `gpu_taken` is what its start takes of a card, in bytes; None where that is not known.
    """

    build: Build | None
    trouble: str = ""
    gpu_taken: int | None = None


# Asks the engine: about these setups, under these circumstances, with so much free on the card.
Ask = Callable[[Sequence[Setup], str, int | None], Found]


class Automatic(NamedTuple):
    """The placement that is to be used, what it was reckoned from, and in a sentence what keeps the GPU from use.

    `circumstances` names the driver and the cards, where they were asked.
    """

    placement: Placement
    measured: Measured = nothing_measured
    trouble: str = ""
    circumstances: str = ""


def automatic(
    header: Header,
    ctx_size: int,
    backends: Sequence[str] | None,
    graphics: Callable[[], Graphics],
    ask: Ask,
) -> Automatic:
    """Return what goes where; `backends` are the GPU backends installed, None where that is not known.

    Where there are none nobody is asked: a start on the CPU costs nothing.
    """
    machine = this_machine()
    cpu = default_plan(machine)
    if backends is not None and not backends:
        return Automatic(_on_cpu(header, cpu, ctx_size))
    seen = graphics()
    if backends == ("cuda",) and not seen.cards and (seen.trouble == "broken" or not may_have_card()):
        return Automatic(_on_cpu(header, cpu, ctx_size), trouble=_without_card(seen))
    gpu = default_plan(machine, gpu=True)
    card = seen.card
    free = card.free if card else None
    circumstances = f"{seen.driver} {[each.name for each in seen.cards]}"
    found = ask(to_measure(header, ctx_size, gpu, cpu), circumstances, free)
    if found.build is None:
        return Automatic(_on_cpu(header, cpu, ctx_size), trouble=_not_looked_at(found.trouble))
    measured = measured_by(header, {run.setup: run.buffers for run in found.build.dry_runs})
    trouble = ""
    if not found.build.gpus and (seen.cards or backends == ("cuda",)):
        trouble = _unseen(found.build) if seen.cards else _without_card(seen)
    room = gpu_room(found, seen)
    placement = place(header, room, ctx_size=ctx_size, gpu=gpu, cpu=cpu, measured=measured)
    return Automatic(placement, measured, trouble, circumstances)


def gpu_room(found: Found, seen: Graphics) -> Room:
    """Return the memory that is free now: the card's by its driver, less what a start takes, else as ggml said."""
    ram = memory()
    gpus = found.build.gpus if found.build else ()
    device = max(gpus, key=lambda each: each.total, default=None)
    if device is None:
        return Room(ram_free=ram.free, ram_total=ram.total)
    free, total = device.free, device.total
    if (told := _told(seen, device)) is not None:
        free = max(0, told - (_STARTING if found.gpu_taken is None else found.gpu_taken))
    return Room(
        ram_free=ram.free, ram_total=ram.total, gpu_free=free, gpu_total=total, device=device.description or device.name
    )


def _told(seen: Graphics, device: Device) -> int | None:
    """Return what the driver says is free of this device, which may be a card of another maker."""
    card = seen.card
    return card.free if card is not None and card.name.lower() in device.description.lower() else None


def ram_room() -> Room:
    """Return the memory that is free now where a GPU does not come into it, or is not asked."""
    ram = memory()
    return Room(ram_free=ram.free, ram_total=ram.total)


def _on_cpu(header: Header, cpu: Plan, ctx_size: int) -> Placement:
    return lay_out(header, cpu, ram_room(), ctx_size=ctx_size)


def _without_card(seen: Graphics) -> str:
    if seen.trouble == "broken":
        return _("The graphics driver does not work ({reason}): computing on the CPU. See: qwen doctor").format(
            reason=seen.detail
        )
    return _("No NVIDIA card with a driver is found: computing on the CPU. See: qwen doctor")


def _not_looked_at(reason: str) -> str:
    return _("The graphics card could not be looked at ({reason}): computing on the CPU. See: qwen doctor").format(
        reason=reason
    )


def _unseen(build: Build) -> str:
    if not build.gpu_offload:
        return ""
    reason = build.notes[0] if build.notes else _("no reason given")
    return _("llama.cpp cannot use the graphics card ({reason}): computing on the CPU. See: qwen doctor").format(
        reason=reason
    )
