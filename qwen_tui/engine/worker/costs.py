"""What batches of tokens cost on this machine: how fast it writes, and how many tokens drafting may risk."""

import time
from collections.abc import Sequence

from qwen_tui.engine.protocol import LoadOptions
from qwen_tui.engine.worker.context import Context
from qwen_tui.engine.worker.model import Model
from qwen_tui.engine.worker.stop import StopFlag

# So many tokens are computed before the batches that are timed; what a deeper context holds are copies of them.
_COMPUTED = 32
# The most tokens of a batch that is timed, with those before it.
_ROOM = 256
# All are timed in turn so often; the quickest of each counts, since whatever disturbs only slows. In turn, so that a
# disturbance of a second does not fall on one of them alone.
_ROUNDS = 2


def batch_seconds(
    model: Model, options: LoadOptions, stop: StopFlag, sizes: Sequence[int], depth: int
) -> tuple[float, ...]:
    """Return the seconds that a batch of each of `sizes` takes behind `depth` tokens, with the logits of all in it.

    It works in a context of its own, so that what a conversation has computed stays. Fewer figures where a draft cannot
    be so long, none when stopped; raises `ContextError`.
    """
    context = Context(model, options, depth + _ROOM, stop)
    try:
        token = model.vocabulary.special("<|im_end|>")
        computed = max(1, min(_COMPUTED, options.batch_size))
        context.reserve(depth + _ROOM)
        context.decode([token] * computed)
        if model.forgets_a_part:
            context.repeat(depth // computed)
        # The first batch must not wait for these on its own clock.
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
