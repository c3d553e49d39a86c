"""What `--gpu-layers` comes to on this PC at this moment: the placement, and why nothing goes to the GPU."""

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
    measured_by,
    nothing_measured,
    place,
    to_measure,
)
from qwen_tui.hardware.plan import default_plan
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


# Asks the engine: about these setups, under these circumstances, with these cards as they are before.
Ask = Callable[[Sequence[Setup], str, Graphics], Found]


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
    layers: int | None = None,
) -> Automatic:
    """Return what goes where; `backends` are the GPU backends installed, None where that is not known.

    `layers` are how many the person wants on the GPU (-1: all), None where that is left to the program; the rest is
    found in the same way. Where there are no backends nobody is asked: a start on the CPU costs nothing.
    """
    machine = this_machine()
    cpu, gpu = default_plan(machine), default_plan(machine, gpu=True)

    def placed(room: Room, layers: int | None, measured: Measured = nothing_measured) -> Placement:
        return place(header, room, ctx_size=ctx_size, gpu=gpu, cpu=cpu, measured=measured, layers=layers)

    if backends is not None and not backends:
        return Automatic(placed(ram_room(), layers))
    seen = graphics()
    hopeless = not seen.cards and (seen.trouble == "broken" or not may_have_card())
    # Who insists may know better than the driver's management library.
    if layers is None and backends == ("cuda",) and hopeless:
        return Automatic(placed(ram_room(), None), trouble=_without_card(seen))
    circumstances = f"{seen.driver} {[each.name for each in seen.cards]}"
    found = ask(to_measure(header, ctx_size, gpu, cpu, layers), circumstances, seen)
    if found.build is None:
        return Automatic(placed(ram_room(), None), trouble=_not_looked_at(found.trouble))
    device = found.build.device
    if device is not None and device.kind != "gpu" and layers is None:
        # A graphics part inside the processor gains nothing.
        device = None
    trouble = ""
    if device is None and (seen.cards or backends == ("cuda",)):
        trouble = _unseen(found.build) if seen.cards else _without_card(seen)
    measured = measured_by(header, {run.setup: run.buffers for run in found.build.dry_runs})
    placement = placed(gpu_room(found, seen, device), None if trouble else layers, measured)
    return Automatic(placement, measured, trouble, circumstances)


def gpu_room(found: Found, seen: Graphics, device: Device | None) -> Room:
    """Return the memory that is free now: the card's by its driver, less what a start takes, else as ggml said."""
    ram = memory()
    if device is None:
        return Room(ram_free=ram.free, ram_total=ram.total)
    free, card = device.free, seen.of(device)
    if card is not None and card.free is not None:
        free = max(0, card.free - (_STARTING if found.gpu_taken is None else found.gpu_taken))
    return Room(
        ram_free=ram.free,
        ram_total=ram.total,
        gpu_free=free,
        gpu_total=device.total,
        device=f"{device.name}: {device.description}",
    )


def ram_room() -> Room:
    """Return the memory that is free now where a GPU does not come into it, or is not asked."""
    ram = memory()
    return Room(ram_free=ram.free, ram_total=ram.total)


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
