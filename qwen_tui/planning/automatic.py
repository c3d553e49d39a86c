"""Decides what `--gpu-layers` means on this PC now: the placement, and why nothing goes to the GPU."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from qwen_tui.engine.installed import Inspection
from qwen_tui.hardware.device import Build, Device
from qwen_tui.hardware.gpu import Card, Graphics, may_have_card
from qwen_tui.hardware.machine import default_plan, this_machine
from qwen_tui.hardware.memory import memory
from qwen_tui.hardware.placement import (
    MeasuredBuffers,
    Placement,
    Room,
    measured_by,
    nothing_measured,
    place,
    to_measure,
)
from qwen_tui.hardware.plan import Plan
from qwen_tui.i18n import gettext as _
from qwen_tui.models.gguf import Header

# What the start of CUDA takes of a card, in bytes, as long as nobody has measured it: 100 to 200 MiB on a card of 4 GB.
_STARTING = 150 << 20
# Other programs are said to fill a card if layers would go to it without what they hold, but for one part in so many.
_MOSTLY = 4


# Places the model, with the memory that is free, the layers for the GPU (None: the program decides), and the buffers.
Placing = Callable[[Room, int | None, MeasuredBuffers], Placement]
# Asks llama.cpp about the buffers of these plans, given the circumstances, and the cards before llama.cpp starts.
Ask = Callable[[Sequence[Plan], str, Graphics], Inspection]


class Automatic(NamedTuple):
    """The placement to use, and the buffers that it was calculated from, as llama.cpp reported them.

    `trouble` says in a sentence what keeps the GPU from use. `full` says in a sentence that other programs have filled
    the card; that may be over with the next question. `circumstances` names the driver and the cards, if they were
    asked.
    """

    placement: Placement
    measured: MeasuredBuffers = nothing_measured
    trouble: str = ""
    circumstances: str = ""
    full: str = ""


def automatic(
    header: Header,
    ctx_size: int,
    backends: Sequence[str] | None,
    graphics: Callable[[], Graphics],
    ask: Ask,
    layers: int | None = None,
    *,
    starting: Callable[[str], int | None] = lambda _circumstances: None,
    freeing: int = 0,
) -> Automatic:
    """Return what goes where; `backends` are the installed GPU backends, None if that is not known.

    `layers` is how many layers the person wants on the GPU (-1: all); with None, the program decides. Without backends,
    neither the driver nor llama.cpp is asked, so that a start on the CPU costs nothing.

    `starting` returns what llama.cpp's start was seen to take of a card under these circumstances, in bytes. On a card
    with less free memory, llama.cpp would end, so it is not asked. `freeing` bytes of the card are held by an engine of
    this program that will soon be closed.
    """
    machine = this_machine()
    cpu, gpu = (
        msgspec.structs.replace(default_plan(machine, gpu=on_gpu), ctx_size=ctx_size) for on_gpu in (False, True)
    )

    def placed(room: Room, layers: int | None, measured: MeasuredBuffers = nothing_measured) -> Placement:
        return place(header, room, gpu=gpu, cpu=cpu, measured=measured, layers=layers)

    if backends is not None and not backends:
        return Automatic(placed(ram_room(), layers))
    seen = graphics()
    hopeless = not seen.cards and (seen.trouble == "broken" or not may_have_card())
    # A person who insists may know better than the driver's management library.
    if layers is None and backends == ("cuda",) and hopeless:
        # Where the PC has no card, nobody misses one.
        return Automatic(placed(ram_room(), None), trouble="" if seen.trouble == "no_card" else _without_card(seen))
    about = circumstances(seen)
    if backends is not None and "cuda" in backends and (filled := full(seen, starting(about), freeing)):
        return Automatic(placed(ram_room(), None), circumstances=about, full=filled)
    found = ask(to_measure(header, gpu, cpu, layers), about, seen)
    if found.build is None and found.free is not None and seen.fullest:
        return Automatic(placed(ram_room(), None), circumstances=about, full=filled_by_others(seen.fullest))
    if found.build is None:
        return Automatic(placed(ram_room(), None), trouble=_not_looked_at(found.trouble))
    device = found.build.device
    if device is not None and device.kind != "gpu" and layers is None:
        # A graphics part inside the processor makes nothing faster.
        device = None
    trouble = "" if device is not None else _unseen(found.build, seen, backends)
    measured = measured_by(header, {run.plan: run.buffers for run in found.build.dry_runs})
    room = gpu_room(found, seen, device, freeing)
    placement = placed(room, None if trouble else layers, measured)
    card = seen.of(device) if device else None
    crowded = ""
    if layers is None and not placement.gpu_layers and card and _has_room_alone(card, room, placed, measured):
        crowded = filled_by_others(card)
    return Automatic(placement, measured, trouble, about, crowded)


def _has_room_alone(card: Card, room: Room, placed: Placing, measured: MeasuredBuffers) -> bool:
    """Whether layers would go to the card if other programs held nothing of it, but for one part in so many."""
    if room.gpu_free is None or not card.total:
        return False
    alone = max(0, card.total - (card.total - room.gpu_free) // _MOSTLY)
    return bool(placed(msgspec.structs.replace(room, gpu_free=alone), None, measured).gpu_layers)


def full(seen: Graphics, start: int | None, freeing: int = 0) -> str:
    """Return a sentence if other programs have filled all cards, so that llama.cpp cannot start; else nothing.

    `start` is what its start takes of a card, in bytes, None if nobody has measured it.
    """
    most = max((card for card in seen.cards if card.free is not None), key=lambda card: card.free or 0, default=None)
    if most is None or (most.free or 0) + freeing >= (_STARTING if start is None else start):
        return ""
    return filled_by_others(most)


def circumstances(seen: Graphics) -> str:
    """Return the circumstances under which llama.cpp gives an answer: the driver and the cards."""
    return f"{seen.driver} {[each.name for each in seen.cards]}"


def filled_by_others(card: Card) -> str:
    """Return the sentence that other programs have filled the card."""
    return _(
        "Another program fills the graphics card: {free:.0f} MiB of {total:.0f} are free. The CPU computes until there "
        "is room."
    ).format(free=(card.free or 0) / 2**20, total=(card.total or 0) / 2**20)


def gpu_room(found: Inspection, seen: Graphics, device: Device | None, freeing: int = 0) -> Room:
    """Return the memory that is free now.

    Of the card that is what its driver says, less what llama.cpp's start takes, or else what ggml said. The bytes that
    this program is `freeing` count as free.
    """
    ram = memory()
    if device is None:
        return Room(ram_free=ram.free, ram_total=ram.total)
    free, card = device.free, seen.of(device)
    if card is not None and card.free is not None:
        free = max(0, card.free - (_STARTING if found.gpu_taken is None else found.gpu_taken))
    return Room(
        ram_free=ram.free,
        ram_total=ram.total,
        gpu_free=min(free + freeing, max(free, device.total)),
        gpu_total=device.total,
        device=f"{device.name}: {device.description}",
    )


def ram_room() -> Room:
    """Return the memory that is free now, without a GPU."""
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


def _unseen(build: Build, seen: Graphics, backends: Sequence[str] | None) -> str:
    """Return why llama.cpp sees no card; empty where nobody expects one."""
    if not seen.cards:
        return _without_card(seen) if backends == ("cuda",) else ""
    if not build.gpu_offload:
        return ""
    reason = build.notes[0] if build.notes else _("no reason given")
    return _("llama.cpp cannot use the graphics card ({reason}): computing on the CPU. See: qwen doctor").format(
        reason=reason
    )
