"""How fast answers will come: as `qwen tune` measured it, else by what memory can be read in a second."""

from qwen_tui.evaluation.report import Speed
from qwen_tui.evaluation.tuned import Tuned
from qwen_tui.hardware.gpu import Card
from qwen_tui.hardware.placement import Placement

# Every token reads all weights once. What is reached of that: measured on a CPU; on a card of the GTX 16 family from a
# public report (38.8 tokens/s of 2.5 GB at 192 GB/s).
_CPU_SHARE, _GPU_SHARE = 0.8, 0.5


def expected(plan: Placement | None, measured: Tuned | None, bandwidth: float | None, card: Card | None) -> Speed:
    """Return the speeds to expect of a plan; `bandwidth` is what the processor reads of its memory in a second.

    A plan that is wholly on the card needs none, and its speed names the card's.
    """
    if measured is not None:
        trial = measured.choice("chat").trial
        return Speed(source="measured", reading=trial.reading, writing=trial.writing, when=measured.when[:10])
    if plan is None:
        return Speed(source="unknown", bandwidth=bandwidth)
    of_card = card.bandwidth if card else None
    if plan.whole:
        # What is left to the processor are words looked up: nothing worth mentioning.
        writing = _writing(plan.gpu.weights / (of_card * _GPU_SHARE)) if of_card else None
        return Speed(source="estimated" if writing else "unknown", writing=writing, bandwidth=of_card, on_card=True)
    if not bandwidth or (plan.gpu_layers and not of_card):
        return Speed(source="unknown", bandwidth=bandwidth)
    seconds = plan.gpu.weights / (of_card * _GPU_SHARE) if plan.gpu_layers and of_card else 0.0
    # Of an embedding that only looks words up nothing worth mentioning is read.
    seconds += max(0, plan.ram.weights - plan.gpu.head) / (bandwidth * _CPU_SHARE)
    return Speed(source="estimated", writing=_writing(seconds), bandwidth=bandwidth)


def _writing(seconds: float) -> float | None:
    return round(1 / seconds, 1) if seconds else None
