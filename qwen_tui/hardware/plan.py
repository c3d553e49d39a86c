"""How a model is computed on this PC: the rules that hold where nobody has measured, and what memory they need."""

from typing import Literal

import msgspec

from qwen_tui.hardware.machine import Machine
from qwen_tui.models.gguf import Header

# Repacking copies most of the weights: 1,683 MiB of the 2.5 GB of a Q4_K_M file.
_REPACKED_SHARE = 0.7
# What is left to the rest of the PC, in bytes.
_RESERVE = 1 << 30
# Bytes that one number takes in the KV cache; q8_0 stores 32 of them in 34 bytes.
_KV_BYTES = {"f16": 2.0, "q8_0": 34 / 32}
# llama.cpp makes contexts in steps of so many tokens.
_CTX_STEP = 256


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that change the speed and not the answer; the names are those of `LoadOptions`, which explains them.

    `kv_type` is the exception: q8_0 costs the answers nothing that could be measured.
    """

    threads: int
    batch_threads: int
    batch_size: int = 128
    kv_type: Literal["f16", "q8_0"] = "f16"
    flash_attention: bool = False
    repack: bool = False


def default_plan(machine: Machine, *, gpu: bool = False) -> Plan:
    """Return the plan by rule.

    CPU: the physical cores, for batches too, since a second thread on a core gains nothing on some PCs and loses on
    others; steps of 128 tokens, which still show progress where 15 tokens are read a second; no flash attention, with
    which decoding was slower wherever it was measured; weights mapped, not repacked: a fifth of the loading time and
    half of the memory. GPU: flash attention and larger steps, which keep it busy and its buffers small.
    """
    if gpu:
        return Plan(threads=machine.cores, batch_threads=machine.cores, batch_size=512, flash_attention=True)
    return Plan(threads=machine.cores, batch_threads=machine.cores)


def kv_bytes(header: Header, kv_type: str, ctx_size: int) -> int:
    """Return the size of the KV cache: keys and values of every layer for every token of the context.

    0 for a model whose header does not say.
    """
    architecture = header.metadata.get("general.architecture")

    def number(key: str) -> int:
        value = header.metadata.get(f"{architecture}.{key}", 0)
        return value if isinstance(value, int) else 0

    row = number("attention.head_count_kv") * (number("attention.key_length") + number("attention.value_length"))
    cells = -(-ctx_size // _CTX_STEP) * _CTX_STEP
    return round(number("block_count") * row * _KV_BYTES[kv_type] * cells)


def repack_bytes(header: Header, plan: Plan, ctx_size: int) -> int:
    """Return the free memory in bytes that repacked weights call for: both copies, the KV cache, and a reserve."""
    weights = sum(tensor.nbytes for tensor in header.tensors)
    return round(weights * (1 + _REPACKED_SHARE)) + kv_bytes(header, plan.kv_type, ctx_size) + _RESERVE
