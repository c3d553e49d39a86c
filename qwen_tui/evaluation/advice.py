"""Advises in a paragraph what a PC should compute with."""

from collections.abc import Sequence

from qwen_tui.evaluation import idle_card
from qwen_tui.evaluation.findings import WORTH
from qwen_tui.evaluation.report import ExpectedSpeed, Problem
from qwen_tui.hardware.device import Build
from qwen_tui.hardware.machine import Computer
from qwen_tui.hardware.placement import Placement
from qwen_tui.i18n import gettext as _

# How fast people read, in tokens a second.
_AS_ONE_READS = 4.0
# The weights, in bytes, of models that are good enough for letters and fit into a graphics card with 4 GB.
_OFFICE_MODEL = range(1_000_000_000, 2_800_000_000)


def advice(
    computer: Computer,
    build: Build | None,
    plan: Placement | None,
    speed: ExpectedSpeed,
    problems: Sequence[Problem] = (),
) -> str:
    """Return a paragraph about what this PC should compute with, for letters, summaries, translations and code."""
    if build is None and plan is None:
        return _("First solve the problems above; then qwen doctor tells what this PC should compute with.")
    codes = {problem.code for problem in problems}
    if "trouble_remembered" in codes:
        return _(
            "The CPU computes as long as a failure of the graphics card is remembered. The card works now: have it "
            "used at once with qwen tune --reset."
        )
    if build is not None and build.gpus:
        return _with_gpu(plan)
    card = computer.graphics.card
    if "card_full" in codes:
        return _(
            "The CPU computes until the other program leaves room on the graphics card. That is enough for letters, "
            "translations and questions; leave long documents until then."
        )
    if build is None or computer.graphics.trouble == "broken":
        return _(
            "The CPU computes until llama.cpp can look at the graphics card again. That is enough for letters, "
            "translations and questions; leave long documents until then."
        )
    if card is not None and build.gpu_offload:
        return idle_card.gain(build.notes[0] if build.notes else "")
    if card is not None and (card.total or 0) >= WORTH:
        return _(
            "The CPU computes now, and the graphics card could: with a build of llama.cpp for it answers come several "
            "times faster, long documents above all. For short letters and questions the CPU will do."
        )
    if _as_one_reads(computer, build, plan, speed):
        return _(
            "Use the CPU: it writes about as fast as one reads, which is enough for letters, translations, summaries "
            "of a few pages and code. A document of many pages takes minutes to read the first time; a second question "
            "about it does not. A graphics card with 4 GB would hold all of the model."
        )
    return _(
        "Use the CPU: there is no graphics card here that could compute. Short letters and questions suit it best; "
        "long documents take their time."
    )


def _with_gpu(plan: Placement | None) -> str:
    if plan is None:
        return _(
            "llama.cpp can compute on the graphics card. Fetch a model with qwen pull: then qwen doctor tells how much "
            "of it the card holds."
        )
    if plan.whole:
        return _(
            "Use the graphics card: all of the model is on it, and it reads long texts many times faster than the CPU "
            "and writes several times faster. Long documents are no trouble here."
        )
    if plan.gpu_layers:
        weights = plan.gpu.weights - plan.gpu.head + plan.ram.weights
        if weights > (plan.room.gpu_total or 0) - plan.margin:
            return _(
                "The graphics card holds a part of the model, which helps a little; for all of it it is too small."
            )
        return _(
            "The graphics card holds a part of the model, which helps a little. A smaller context (--ctx-size 4096) or "
            "closed windows may let it hold everything, and that is where the gain is."
        )
    if plan.room.gpu_free is None:
        return _("The CPU computes, as gpu_layers says; with auto the graphics card is used as far as it has memory.")
    return _(
        "Use the CPU: too little of the graphics card's memory is free for the model. For letters, translations "
        "and questions the CPU will do."
    )


def _as_one_reads(computer: Computer, build: Build, plan: Placement | None, speed: ExpectedSpeed) -> bool:
    """Whether the CPU writes as fast as people read: the model is of the usual size, and the build uses AVX2."""
    if computer.processor.has("AVX2") is False or (computer.processor.has("AVX2") and not build.compiled_for("AVX2")):
        return False
    usual = plan is not None and plan.ram.weights in _OFFICE_MODEL
    return usual and (speed.writing or 0.0) >= _AS_ONE_READS
