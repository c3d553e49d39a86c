"""How a model is computed on this PC: the rules that hold where nobody has measured, and what memory they need."""

from typing import Literal

import msgspec

from qwen_tui.hardware.machine import Machine
from qwen_tui.hardware.tensors import kv_bytes, weights
from qwen_tui.models.gguf import Header

# What is left to the rest of the PC, in bytes.
_RESERVE = 1 << 30


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


def repack_bytes(header: Header, plan: Plan, ctx_size: int) -> int:
    """Return the free memory in bytes that repacked weights call for: both copies, the KV cache, and a reserve."""
    found = weights(header, 0)
    return found.mapped + found.repacked + kv_bytes(header, plan.kv_type, ctx_size) + _RESERVE
