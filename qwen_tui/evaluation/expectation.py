"""How fast answers will come: as `qwen tune` measured it, else by what memory can be read in a second."""

from qwen_tui.evaluation.report import ExpectedSpeed
from qwen_tui.hardware.gpu import Card
from qwen_tui.hardware.placement import Placement
from qwen_tui.planning.tuned import Tuned

# Every token reads all weights once: on a processor, so much of what it reads of its memory was reached.
_CPU_SHARE = 0.8
# On a card a token takes the time for its weights, at this share of what the card reads, and for each layer the time in
# which the computations are begun one after another, however fast its memory: without that, fast cards and small models
# promise what none reaches. Both fit what was seen of Qwen3-4B with 37 layers and 2.5 GB: 38.8 tokens/s at 192 GB/s (a
# public report of a GTX 1650 Ti), and 241 to 306 at 4.8 TB/s (an H200 with the code for that card).
_GPU_SHARE, _LAYER_S = 0.56, 75e-6


def expected(
    plan: Placement | None, measured: Tuned | None, bandwidth: float | None, card: Card | None
) -> ExpectedSpeed:
    """Return the speeds to expect of a plan; `bandwidth` is what the processor reads of its memory in a second.

    A plan that is wholly on the card needs none, and its speed names the card's.
    """
    if measured is not None:
        trial = measured.choice("chat").trial
        return ExpectedSpeed(source="measured", reading=trial.reading, writing=trial.writing, when=measured.when[:10])
    if plan is None:
        return ExpectedSpeed(source="unknown", bandwidth=bandwidth)
    of_card = card.bandwidth if card else None
    if plan.whole:
        # What is left to the processor are words looked up: nothing worth mentioning.
        writing = _writing(_on_card(plan, of_card)) if of_card else None
        return ExpectedSpeed(
            source="estimated" if writing else "unknown", writing=writing, bandwidth=of_card, on_card=True
        )
    if not bandwidth or (plan.gpu_layers and not of_card):
        return ExpectedSpeed(source="unknown", bandwidth=bandwidth)
    seconds = _on_card(plan, of_card) if plan.gpu_layers and of_card else 0.0
    # Of an embedding that only looks words up nothing worth mentioning is read.
    seconds += max(0, plan.ram.weights - plan.gpu.head) / (bandwidth * _CPU_SHARE)
    return ExpectedSpeed(source="estimated", writing=_writing(seconds), bandwidth=bandwidth)


def _on_card(plan: Placement, bandwidth: int) -> float:
    """Return the seconds that a token takes on the card."""
    return plan.gpu.weights / (bandwidth * _GPU_SHARE) + plan.gpu_layers * _LAYER_S


def _writing(seconds: float) -> float | None:
    return round(1 / seconds, 1) if seconds else None
