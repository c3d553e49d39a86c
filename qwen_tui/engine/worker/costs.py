"""Measures how long batches take on this machine: that is the decode speed, and it decides how long drafts may be."""

import time
from collections.abc import Sequence

from qwen_tui.engine.protocol import LoadOptions
from qwen_tui.engine.worker.context import Context
from qwen_tui.engine.worker.model import Model
from qwen_tui.engine.worker.stop import StopFlag

# How many tokens are really computed before the timed batches; a deeper context is filled with copies of them.
_COMPUTED = 32
# Room for the computed tokens and the largest timed batch, in tokens.
_ROOM = 256
# How often all sizes are timed, one after the other. The fastest time of each size counts, because disturbances only
# slow a batch down. Timing the sizes in turn keeps a disturbance of a second from falling on one size alone.
_ROUNDS = 2


def batch_seconds(
    model: Model, options: LoadOptions, stop: StopFlag, sizes: Sequence[int], depth: int
) -> tuple[float, ...]:
    """Return the seconds that a batch of each of `sizes` tokens takes behind `depth` tokens, with logits for all.

    It works in a context of its own, so that the state of a conversation stays. Sizes that a draft cannot have are left
    out; nothing is returned if it was stopped. Raises `ContextError`.
    """
    context = Context(model, options, depth + _ROOM, stop)
    try:
        token = model.vocabulary.special("<|im_end|>")
        computed = max(1, min(_COMPUTED, options.plan.batch_size))
        context.reserve(depth + _ROOM)
        context.decode([token] * computed)
        if model.forgets_a_part:
            context.repeat(depth // computed)
        # A GPU must finish these before the clock of the first batch starts.
        context.synchronize()
        possible = [size for size in sizes if size <= 1 + context.most_drafted]
        rounds: list[list[float]] = []
        for _round in range(_ROUNDS):
            rounds.append([])
            for size in possible:
                context.reuse([*context.tokens[:computed], token])
                begun = time.perf_counter()
                if not context.decode([token] * size, drafted=size - 1):
                    return ()
                context.synchronize()
                rounds[-1].append(time.perf_counter() - begun)
        return tuple(map(min, zip(*rounds, strict=True)))
    finally:
        context.close()
