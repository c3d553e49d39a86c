"""Estimates how fast answers will come: as `qwen tune` measured, else by the bandwidth of the memory."""

from qwen_tui.evaluation.report import ExpectedSpeed
from qwen_tui.hardware.bandwidth import memory_bandwidth
from qwen_tui.hardware.device import Build
from qwen_tui.hardware.gpu import Card
from qwen_tui.hardware.machine import Computer
from qwen_tui.hardware.placement import Placement
from qwen_tui.planning.in_force import InForce
from qwen_tui.planning.tuned import Tuned

# To decode a token, all weights are read once. On a processor, decoding reached this share of the memory bandwidth.
_CPU_SHARE = 0.8
# On a graphics card, a token takes the time to read its weights at this share of the bandwidth. Each layer adds the
# time to launch its kernels one after another, which does not depend on the bandwidth: without it, the estimate for
# fast cards and small models would be far too high. Both constants fit measurements of Qwen3-4B with 37 layers and
# 2.5 GB: 38.8 tokens/s at 192 GB/s (a public report of a GTX 1650 Ti), and 241 to 306 at 4.8 TB/s (an H200 with the
# code for that card).
_GPU_SHARE, _LAYER_S = 0.56, 75e-6


def expected_speed(in_force: InForce | None, computer: Computer, build: Build | None) -> ExpectedSpeed:
    """Return the expected speed of the plan in force; `in_force` is None without a usable model."""
    device, seen = build.device if build else None, computer.graphics
    card = seen.of(device) if device else seen.card
    if in_force is None or in_force.tuned is not None:
        return expected(None, in_force.tuned if in_force else None, None, None)
    if in_force.placement.gpu_layers and not device:
        # The settings ask for layers on a graphics card, and there is none.
        return expected(None, None, None, None)
    if in_force.placement.whole:
        return expected(in_force.placement, None, None, card)
    bandwidth = memory_bandwidth(computer.processor.cores, computer.memory.free)
    return expected(in_force.placement, None, bandwidth, card)


def expected(
    plan: Placement | None, measured: Tuned | None, bandwidth: float | None, card: Card | None
) -> ExpectedSpeed:
    """Return the expected speed of a plan; `bandwidth` is that of the processor's memory, in bytes per second.

    For a plan that is wholly on the card, the card's own bandwidth is used and reported.
    """
    if measured is not None:
        trial = measured.plan_for("chat").trial
        return ExpectedSpeed(source="measured", reading=trial.reading, writing=trial.writing, when=measured.when[:10])
    if plan is None:
        return ExpectedSpeed(source="unknown", bandwidth=bandwidth)
    of_card = card.bandwidth if card else None
    if plan.whole:
        # The processor only looks up embeddings: their reading time is negligible.
        writing = _writing(_on_card(plan, of_card)) if of_card else None
        return ExpectedSpeed(
            source="estimated" if writing else "unknown", writing=writing, bandwidth=of_card, on_card=True
        )
    if not bandwidth or (plan.gpu_layers and not of_card):
        return ExpectedSpeed(source="unknown", bandwidth=bandwidth)
    seconds = _on_card(plan, of_card) if plan.gpu_layers and of_card else 0.0
    # If the output head is on the card, the embedding in RAM is only looked up: hardly any of it is read.
    seconds += max(0, plan.ram.weights - plan.gpu.head) / (bandwidth * _CPU_SHARE)
    return ExpectedSpeed(source="estimated", writing=_writing(seconds), bandwidth=bandwidth)


def _on_card(plan: Placement, bandwidth: int) -> float:
    """Return the seconds that the card needs for a token."""
    return plan.gpu.weights / (bandwidth * _GPU_SHARE) + plan.gpu_layers * _LAYER_S


def _writing(seconds: float) -> float | None:
    return round(1 / seconds, 1) if seconds else None
