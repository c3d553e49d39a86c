"""Decides which plan is used, and says why: what the person set, else what was measured, else the rules."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from qwen_tui.config import Config
from qwen_tui.engine.protocol import Costs
from qwen_tui.hardware.machine import default_plan, this_machine
from qwen_tui.hardware.memory import available_memory
from qwen_tui.hardware.placement import Placement, lay_out, nothing_measured
from qwen_tui.hardware.plan import Plan
from qwen_tui.hardware.tensors import repack_bytes
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed, ngettext, noted
from qwen_tui.models.gguf import Header
from qwen_tui.planning import tuned
from qwen_tui.planning.automatic import Automatic, ram_room
from qwen_tui.planning.tuned import Purpose, Tuned


class InForce(NamedTuple):
    """The plan in use, with the costs that were measured with it.

    `origin` says in words where the plan comes from. `placement` is what it takes of which memory. `note` says in a
    sentence why a better plan is not used. `tuned` is what was measured, if the plan follows that. `trouble` says in a
    sentence what keeps a graphics card from use.
    """

    plan: Plan
    costs: Costs
    origin: str
    placement: Placement
    note: str = ""
    tuned: Tuned | None = None
    trouble: str = ""

    def describe(self) -> str:
        """Return the plan in words, in one line or two."""
        line = noted(describe(self.plan), self.origin)
        return f"{line}\n{self.note}" if self.note else line


def in_force(
    settings: Config,
    model: Path,
    header: Header,
    kept: Path,
    *,
    gpu_layers: int = 0,
    auto: Automatic | None = None,
    purpose: Purpose = "chat",
    avoid: Callable[[Plan], Plan] = lambda plan: plan,
) -> InForce:
    """Return the plan for the model file under `settings`; `kept` is the file of what was measured.

    A setting of the person wins. `auto` is what was decided for the `gpu_layers`, None without any. Repacked weights,
    and a plan that was measured on a GPU, are used only if there is enough free memory now. `avoid` returns a plan
    without the settings that crash on this machine.
    """
    room = auto.placement.room if auto else ram_room()

    def asked(plan: Plan) -> Plan:
        return msgspec.structs.replace(plan, ctx_size=settings.ctx_size, gpu_layers=gpu_layers)

    def laid_out(plan: Plan) -> Placement:
        return lay_out(header, plan, room, measured=auto.measured if auto else nothing_measured)

    by_rule = asked(auto.placement.plan if auto else default_plan(this_machine(), gpu=bool(gpu_layers)))
    costs = Costs()
    plan, origin, note = by_rule, _("by rule; qwen tune measures"), (auto.trouble or auto.full) if auto else ""
    if found := tuned.read(kept, model, gpu_layers):
        best = found.plan_for(purpose)
        measured = asked(best.trial.plan)
        if not gpu_layers or room.gpu_free is None or laid_out(measured).fits:
            plan, costs = measured, best.costs
            origin = _("measured {date}").format(date=found.when[:10])
        else:
            found = None
            note = _("The plan that was measured takes more of the graphics card than is free now.")
    if (sound := avoid(plan)) != plan:
        note = _("Not used, since the engine crashes with it here: {settings}").format(settings=difference(plan, sound))
        plan, costs, found = sound, Costs(), None
    if plan.repack and (missing := memory_missing(header, plan)):
        plan, costs = msgspec.structs.replace(plan, repack=False), Costs()
        note = missing
    if settings.threads is not None:
        plan, costs = with_threads(plan, settings), Costs()
        origin = _("{origin}; the threads as set").format(origin=origin)
    return InForce(plan, costs, origin, laid_out(plan), note, found, auto.trouble if auto else "")


def with_threads(plan: Plan, settings: Config) -> Plan:
    """Return `plan` with the number of threads that the person has set, if they have."""
    if settings.threads is None:
        return plan
    return msgspec.structs.replace(plan, threads=settings.threads, batch_threads=settings.threads)


def memory_missing(header: Header, plan: Plan) -> str:
    """Return the reason why the weights cannot be repacked now; empty if they can."""
    wanted, free = repack_bytes(header, plan), available_memory()
    if wanted <= free:
        return ""
    return _("Not repacked: that takes {wanted:.1f} GB of free memory, and there are {free:.1f}.").format(
        wanted=wanted / 1e9, free=free / 1e9
    )


def describe(plan: Plan) -> str:
    """Return a plan in words, in one line."""
    said = _settings(plan)
    threads, reading = said.pop("threads"), said.pop("batch_threads")
    return " · ".join((threads if plan.batch_threads == plan.threads else listed((threads, reading)), *said.values()))


def difference(plan: Plan, start: Plan) -> str:
    """Return in words in what `plan` differs from `start`."""
    said = _settings(plan)
    other = [text for name, text in said.items() if getattr(plan, name) != getattr(start, name)]
    return listed(other) or _("the defaults")


def _settings(plan: Plan) -> dict[str, str]:
    """Return each setting of a plan in words, by its name."""
    threads, reading = plan.threads, plan.batch_threads
    said = ngettext("{value} thread for reading", "{value} threads for reading", reading)
    return {
        "threads": ngettext("{value} thread", "{value} threads", threads).format(value=threads),
        "batch_threads": said.format(value=reading),
        "batch_size": _("batches of {value} tokens").format(value=plan.batch_size),
        "kv_type": _("KV cache {value}").format(value=plan.kv_type),
        "flash_attention": _("flash attention") if plan.flash_attention else _("no flash attention"),
        "repack": _("repacked weights") if plan.repack else _("mapped weights"),
    }
