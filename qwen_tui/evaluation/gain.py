"""Says what `qwen tune` may gain before it is run, and offers it once."""

from collections.abc import Callable
from typing import NamedTuple

from qwen_tui import files, learned
from qwen_tui.evaluation.expectation import expected
from qwen_tui.hardware.bandwidth import memory_bandwidth
from qwen_tui.hardware.memory import available_memory
from qwen_tui.i18n import gettext as _
from qwen_tui.planning.planner import Planner

# It is offered after so many answers on this computer.
_ANSWERS = 3
# A smaller difference, as a share, lies within what cannot be foretold.
_WORTH = 0.1
# A larger gain comes from no plan: something else slowed the answers.
_LIKELY = 1.0


class _Writing(NamedTuple):
    """How many tokens a second the last answers had, and how many the memory allows."""

    written: float
    possible: float

    @property
    def gain(self) -> float:
        """The most that another plan can gain, as a share; negative where drafts wrote more than the memory allows."""
        return self.possible / self.written - 1


def foretold(subject: Planner) -> str:
    """Return a sentence on what tuning may gain in writing; "" where nothing is known."""
    known = _writing(subject)
    # An answer that repeats its prompt is drafted from there: its speed says nothing about the plan.
    if known is None or known.gain < -_WORTH:
        return ""
    if known.gain < _WORTH:
        return _("Writing has reached what the memory allows: {written:.1f} tokens/s. Reading may gain.").format(
            written=known.written
        )
    if known.gain > _LIKELY:
        return _(
            "The last answers were written at {written:.1f} tokens/s, and the memory allows {possible:.1f}: perhaps "
            "other programs slowed them."
        ).format(written=known.written, possible=known.possible)
    return _(
        "Writing may gain up to {percent}%: {written:.1f} tokens/s now, and the memory allows {possible:.1f}."
    ).format(percent=round(100 * known.gain), written=known.written, possible=known.possible)


def offer(find: Callable[[], Planner], command: Callable[[], str]) -> str:
    """Count an answer, and return the offer to tune after the third one on this computer; "" at any other time.

    `find` returns the planner of the model that answered, and `command` the command that tunes it. Both are called
    after the third answer alone: they take time, and nobody may wait for that after every answer.
    """
    memory = files.folders().offered
    answers = learned.read(memory, int, 0)
    if answers >= _ANSWERS:
        return ""
    subject = find() if answers + 1 == _ANSWERS else None
    learned.write(memory, answers + 1)
    if subject is None or subject.in_force().tuned is not None:
        return ""
    known = _writing(subject)
    if known and _WORTH <= known.gain <= _LIKELY:
        return _("Writing may gain up to {percent}%; to find out in a minute: {command}").format(
            percent=round(100 * known.gain), command=command()
        )
    return _("To find out in a minute what is fastest on this PC: {command}").format(command=command())


def _writing(subject: Planner) -> _Writing | None:
    """Return the speed of writing, and what bounds it; None where that is not known. This takes half a second.

    The memory of a processor bounds its writing: each token reads all weights.
    """
    forced = subject.in_force()
    written = subject.speeds.recall(forced.plan).decode_tps
    if forced.placement.gpu_layers or not written:
        return None
    bandwidth = memory_bandwidth(forced.plan.threads, available_memory())
    possible = expected(forced.placement, None, bandwidth, None).writing
    return _Writing(written, possible) if possible else None
