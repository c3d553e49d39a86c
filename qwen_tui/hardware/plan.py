"""How a model is loaded: the one type for it, from planning to the worker."""

from typing import Literal

import msgspec

KVType = Literal["f16", "q8_0"]
ALL_LAYERS = -1


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How to load a model: the settings that decide about speed and memory, and not about the answer.

    `threads` is how many threads decode, `batch_threads` how many compute batches. `batch_size` is the ubatch of the
    prefill in tokens: after each one, the worker reports progress and can stop. `kv_type` is the type of the KV cache
    and may change the answer, but no loss of quality could be measured with q8_0. `repack` makes decoding faster on
    some CPUs, for a longer loading and a second copy of the weights. `ctx_size` is in tokens. `gpu_layers` counts the
    layers on a GPU from the output layer backwards; `ALL_LAYERS` means all.
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
        """Return the plan for comparisons of memory: the number of threads does not decide how much it takes."""
        return msgspec.structs.replace(self, threads=1, batch_threads=1)
