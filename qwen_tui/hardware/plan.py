"""How a model is loaded: one type from planning to the worker."""

from typing import Literal

import msgspec

KVType = Literal["f16", "q8_0"]
ALL_LAYERS = -1


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How to load a model: the settings that decide speed and memory, and not the answer.

    `threads` decode, `batch_threads` compute batches. `batch_size` is the ubatch of the prefill in tokens: after each
    one progress is shown, and the prefill can be stopped. `kv_type` is the one setting that may touch the answer, but
    q8_0 costs it nothing that could be measured. `repack` trades loading time and a second copy of the weights for
    faster decoding on some CPUs. `ctx_size` is in tokens. `gpu_layers` counts from the output layer backwards,
    `ALL_LAYERS` for all.
    """

    threads: int = 1
    batch_threads: int = 1
    batch_size: int = 128
    kv_type: KVType = "f16"
    flash_attention: bool = False
    repack: bool = False
    ctx_size: int = 8192
    gpu_layers: int = 0

    def without_threads(self) -> "Plan":
        """Return what of the plan decides how much memory it takes: the number of threads is of no account."""
        return msgspec.structs.replace(self, threads=1, batch_threads=1)
