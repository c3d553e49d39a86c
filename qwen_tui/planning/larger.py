"""Decides whether a context may become larger while the model is loaded, and says what that takes."""

import msgspec

from qwen_tui.engine.protocol import LargerContext
from qwen_tui.hardware.placement import Room, lay_out
from qwen_tui.hardware.plan import Plan
from qwen_tui.hardware.tensors import shape
from qwen_tui.i18n import gettext as _
from qwen_tui.models.gguf import Header


def larger_context(header: Header, plan: Plan, ctx_size: int, *, before: Room, ram_free: int) -> LargerContext:
    """Return what it takes to let the context of a loaded model hold `ctx_size` tokens.

    `plan` is the one in use, `before` the memory that was free before the model was loaded, `ram_free` the RAM that is
    free now, in bytes. On a card, the plan decides as it would have before the loading. In RAM, the weights that are
    mapped count as free, because the system could take their place: but then it would read them again and again.
    """
    trained = shape(header).trained
    now = lay_out(header, plan, before)
    then = lay_out(header, msgspec.structs.replace(plan, ctx_size=ctx_size), before)
    nbytes = (then.ram.kv + then.ram.compute + then.gpu.kv + then.gpu.compute) - (
        now.ram.kv + now.ram.compute + now.gpu.kv + now.gpu.compute
    )
    obstacle = ""
    needed = then.ram.weights + then.ram.kv + then.ram.compute
    if trained and ctx_size > trained:
        obstacle = _("The model was trained for {n} tokens at most.").format(n=f"{trained:,}")
    elif then.gpu_layers and before.gpu_free is not None and not then.fits:
        obstacle = _("The graphics card has no room for it: begin anew with --ctx-size {n}.").format(n=ctx_size)
    elif needed > ram_free:
        obstacle = _("That takes {wanted:.1f} GB of free memory, and there are {free:.1f}.").format(
            wanted=needed / 1e9, free=ram_free / 1e9
        )
    return LargerContext(ctx_size, max(0, nbytes), obstacle)
