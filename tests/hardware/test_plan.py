"""The rules for a PC on which nobody has measured, and the memory that they assume."""

from pathlib import Path

import msgspec

from qwen_tui.hardware.machine import Machine, default_plan
from qwen_tui.hardware.tensors import kv_bytes, repack_bytes, weights
from qwen_tui.models.gguf import read_header
from tests.hardware.real_shape import real_header

OFFICE = Machine(cpu="six cores", cores=6, logical_cores=12, memory=16)


def test_a_cpu_computes_on_its_physical_cores_with_mapped_weights() -> None:
    plan = default_plan(OFFICE)
    assert (plan.threads, plan.batch_threads) == (6, 6)
    assert not plan.repack
    assert plan.kv_type == "f16"


def test_flash_attention_is_for_processors_with_cores_to_spare() -> None:
    assert default_plan(OFFICE).flash_attention
    assert not default_plan(msgspec.structs.replace(OFFICE, cores=2)).flash_attention


def test_a_gpu_gets_flash_attention_and_larger_batches() -> None:
    plan = default_plan(OFFICE, gpu=True)
    assert plan.flash_attention
    assert plan.batch_size > default_plan(OFFICE).batch_size


def test_the_kv_cache_and_the_second_copy_are_counted_from_the_header(tiny: Path) -> None:
    header = read_header(tiny)
    # Two layers with one head of 32 + 32 numbers of two bytes; the context is rounded up to 256.
    assert kv_bytes(header, "f16", 1000) == 2 * 2 * 32 * 2 * 1024
    assert kv_bytes(header, "q8_0", 1024) == 2 * 2 * 32 * 1024 * 34 // 32
    found = weights(real_header(), 0)
    wanted = found.mapped + found.repacked + kv_bytes(real_header(), "f16", 1000) + 2**30
    assert repack_bytes(real_header(), msgspec.structs.replace(default_plan(OFFICE), ctx_size=1000)) == wanted
