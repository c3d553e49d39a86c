"""Says what `qwen tune` may gain before it is run, and offers it once."""

from qwen_tui import files, learned
from qwen_tui.evaluation.expectation import expected
from qwen_tui.hardware.bandwidth import memory_bandwidth
from qwen_tui.hardware.memory import available_memory
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import in_a_row
from qwen_tui.planning.planner import Planner

# It is offered after so many answers on this computer.
_ANSWERS = 3
# A smaller gain, as a share, lies within what cannot be foretold.
_WORTH = 0.1
# A larger gain comes from no plan: something else slowed the answers.
_LIKELY = 1.0


def foretold(subject: Planner) -> str:
    """Return a sentence on what tuning may gain in writing; "" where nothing is known.

    The memory of a processor bounds its writing: each token reads all weights. What is missing between the speed of
    the last answers and that bound is the most that another plan can gain. This takes half a second.
    """
    forced = subject.in_force()
    written = subject.speeds.recall(forced.plan).decode_tps
    if forced.placement.gpu_layers or not written:
        return ""
    bandwidth = memory_bandwidth(forced.plan.threads, available_memory())
    possible = expected(forced.placement, None, bandwidth, None).writing
    if not possible:
        return ""
    gain = possible / written - 1
    if gain < _WORTH:
        return _("Writing has reached what the memory allows: {written:.1f} tokens/s. Reading may gain.").format(
            written=written
        )
    if gain > _LIKELY:
        return _(
            "The last answers were written at {written:.1f} tokens/s, and the memory allows {possible:.1f}: perhaps "
            "other programs slowed them."
        ).format(written=written, possible=possible)
    return _(
        "Writing may gain up to {percent}%: {written:.1f} tokens/s now, and the memory allows {possible:.1f}."
    ).format(percent=round(100 * gain), written=written, possible=possible)


def offer(subject: Planner) -> str:
    """Count an answer, and return the offer to tune after the third one on this computer; "" at any other time."""
    memory = files.folders().offered
    answers = learned.read(memory, int, 0)
    if answers >= _ANSWERS:
        return ""
    learned.write(memory, answers + 1)
    if answers + 1 < _ANSWERS or subject.in_force().tuned is not None:
        return ""
    offered = _("qwen tune finds in about a minute what is fastest on this PC.")
    return in_a_row(offered, foretold(subject))
