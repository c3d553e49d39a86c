"""What batches of several tokens cost on this machine: the measure for how many tokens drafting may risk."""

import time
from collections.abc import Sequence

from qwen_tui.engine.context import Context
from qwen_tui.engine.model import Model
from qwen_tui.engine.protocol import LoadOptions
from qwen_tui.engine.stop import StopFlag

# Tokens in the context before the batches that are timed, and of the context itself; the rest is room for a batch.
_DEPTH = 32
_CTX_SIZE = 512
# All are timed in turn so often; the quickest of each counts, since whatever disturbs only slows. In turn, so that a
# disturbance of a second does not fall on one of them alone.
_ROUNDS = 2


def batch_seconds(model: Model, options: LoadOptions, stop: StopFlag, sizes: Sequence[int]) -> tuple[float, ...]:
    """Return the seconds that a batch of each of `sizes` takes, with the logits of all its tokens.

    It works in a small context of its own, so that what a conversation has computed stays. Fewer figures where
    a draft cannot be so long, none when stopped; raises `ContextError`.
    """
    context = Context(model, options, _CTX_SIZE, stop)
    try:
        token = model.vocabulary.special("<|im_end|>")
        depth = max(1, min(_DEPTH, options.batch_size))
        context.decode([token] * depth)
        possible = [size for size in sizes if size <= 1 + context.most_drafted]
        rounds: list[list[float]] = []
        for _round in range(_ROUNDS):
            rounds.append([])
            for size in possible:
                context.reuse([*context.tokens[:depth], token])
                begun = time.perf_counter()
                if not context.decode([token] * size, drafted=size - 1):
                    return ()
                rounds[-1].append(time.perf_counter() - begun)
        return tuple(map(min, zip(*rounds, strict=True)))
    finally:
        context.close()
