"""What goes where: a table for a model of the real shape, and rules that hold for every amount of memory."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_tui.hardware.device import Buffers
from qwen_tui.hardware.placement import (
    MARGIN,
    Placement,
    Room,
    gpu_plans,
    lay_out,
    measured_by,
    place,
    steps_down,
    to_measure,
)
from qwen_tui.hardware.plan import Plan
from qwen_tui.hardware.tensors import all_layers, estimated_buffers, kv_bytes, weights
from tests.hardware.real_shape import real_header

MIB, GIB = 1 << 20, 1 << 30
HEADER = real_header()
CPU = Plan(threads=6, batch_threads=6)
GPU = Plan(threads=6, batch_threads=6, batch_size=512, flash_attention=True)


def room(gpu: float | None = None, ram: float = 12.0) -> Room:
    """Return a room with so many free GiB."""
    return Room(
        ram_free=int(ram * GIB), ram_total=16 * GIB, gpu_free=None if gpu is None else int(gpu * GIB), gpu_total=4 * GIB
    )


def placed(gpu: float | None, ctx_size: int = 8192, **changes: Any) -> Placement:
    return place(HEADER, room(gpu), gpu=sized(GPU, ctx_size), cpu=sized(CPU, ctx_size), **changes)


def sized(plan: Plan, ctx_size: int, gpu_layers: int = 0) -> Plan:
    return msgspec.structs.replace(plan, ctx_size=ctx_size, gpu_layers=gpu_layers)


def test_the_bytes_of_the_real_model_are_exact() -> None:
    assert all_layers(HEADER) == 37
    assert round(weights(HEADER, 0).mapped / MIB) == 2376
    assert round(weights(HEADER, 0).repacked / MIB) == 1683
    # The embedding stays in RAM, and the GPU gets a copy of it as the output head.
    whole = weights(HEADER, 37)
    assert whole.head == 319_065_600
    assert whole.mapped == 319_065_600
    assert round(weights(HEADER, 18).gpu / MIB, 2) == 1285.94
    assert kv_bytes(HEADER, "f16", 8192) == 1152 * MIB
    assert kv_bytes(HEADER, "q8_0", 8192) == 612 * MIB


@pytest.mark.parametrize(
    ("ctx_size", "kv_type", "need", "layers"),
    [
        (4096, "f16", 3031, (37, 37)),
        (8192, "f16", 3611, (30, 34)),
        (8192, "q8_0", 3071, (37, 37)),
        (16384, "q8_0", 3691, (29, 33)),
        (32768, "q8_0", 4931, (21, 23)),
    ],
)
def test_the_layers_that_fit_on_a_card_of_four_gigabytes(
    ctx_size: int, kv_type: Any, need: int, layers: tuple[int, int]
) -> None:
    plan = msgspec.structs.replace(GPU, kv_type=kv_type)

    def most(gpu: float) -> int:
        tried = (lay_out(HEADER, sized(plan, ctx_size, count), room(gpu)) for count in range(37, -1, -1))
        return next(each.gpu_layers for each in tried if each.fits)

    assert round(lay_out(HEADER, sized(plan, ctx_size, -1), room(8)).gpu.total / MIB) == need
    assert (most(3.3), most(3.6)) == layers


@pytest.mark.parametrize(
    ("gpu", "layers", "kv_type"),
    [
        pytest.param(None, 0, "f16", id="no card"),
        pytest.param(0.4, 0, "f16", id="a full card"),
        pytest.param(1.6, 13, "q8_0", id="2 GB"),
        pytest.param(3.3, 37, "q8_0", id="4 GB with a desktop and a browser"),
        pytest.param(3.6, 37, "q8_0", id="4 GB with a desktop"),
        pytest.param(3.8, 37, "q8_0", id="4 GB without a screen"),
        pytest.param(5.5, 37, "f16", id="6 GB"),
        pytest.param(7.5, 37, "f16", id="8 GB"),
    ],
)
def test_the_plan_for_eight_thousand_tokens(gpu: float | None, layers: int, kv_type: str) -> None:
    found = placed(gpu)
    assert (found.gpu_layers, found.plan.kv_type) == (layers, kv_type)
    assert found.ctx_size == 8192
    assert found.fits


def test_smaller_batches_come_before_fewer_layers() -> None:
    # 3.27 GiB are enough for everything except the larger buffers.
    assert placed(3.27).gpu_layers == 37
    assert placed(3.27).plan.batch_size < 512


def test_ram_is_counted_too() -> None:
    small = place(HEADER, room(ram=3.0), gpu=GPU, cpu=CPU)
    assert small.ram_left < 0
    assert place(HEADER, room(ram=6.0), gpu=GPU, cpu=CPU).ram_left > 0
    # Layers on the GPU need no RAM; only the embedding does.
    assert placed(3.6).ram.total < GIB


def test_a_context_is_no_larger_than_the_model_was_trained_for() -> None:
    assert placed(3.6, 10_000_000).ctx_size == 262_144


def test_figures_of_llama_cpp_replace_the_estimate() -> None:
    wanted = to_measure(HEADER, GPU, CPU)
    runs = {each: Buffers(gpu=700 * MIB if each.gpu_layers else 0, ram=MIB) for each in wanted}
    found = placed(3.6, measured=measured_by(HEADER, runs))
    assert found.measured
    # With such large buffers, not everything fits any more. A part of the network takes the buffers of the part that
    # was measured.
    assert 0 < found.gpu_layers < 37
    assert found.gpu.compute == 700 * MIB


def test_all_the_buffers_that_are_asked_for_are_measured() -> None:
    asked: list[Plan] = []

    def note(wanted: Plan) -> None:
        asked.append(wanted)

    for layers in (None, -1, 1, 20, 99):
        asked.clear()
        for gpu in (None, 1.6, 3.27, 5.5):
            placed(gpu, measured=note, layers=layers)
        plans = to_measure(HEADER, GPU, CPU, layers)
        known = measured_by(HEADER, dict.fromkeys(plans, Buffers(gpu=1, ram=1)))
        assert all(known(wanted) for wanted in asked)


@settings(deadline=None)
@given(gpu=st.floats(0, 12), ctx_size=st.integers(256, 65536))
def test_no_more_is_taken_than_free_memory_without_the_margin(gpu: float, ctx_size: int) -> None:
    found = placed(gpu, ctx_size)
    if found.gpu_layers:
        assert found.gpu.total <= int(gpu * GIB) - MARGIN
    else:
        assert found.gpu.total == 0


@settings(deadline=None)
@given(gpu=st.floats(0, 8), more=st.floats(0, 4), ctx_size=st.sampled_from((2048, 8192, 32768)))
def test_more_free_memory_never_means_fewer_layers(gpu: float, more: float, ctx_size: int) -> None:
    assert placed(gpu + more, ctx_size).gpu_layers >= placed(gpu, ctx_size).gpu_layers


@settings(deadline=None)
@given(gpu=st.one_of(st.none(), st.floats(0, 8)), ctx_size=st.sampled_from((2048, 8192, 32768)), repack=st.booleans())
def test_each_step_down_takes_less_and_the_last_ones_are_on_the_cpu(
    gpu: float | None, ctx_size: int, repack: bool
) -> None:
    cpu = msgspec.structs.replace(CPU, repack=repack, ctx_size=ctx_size)
    found = place(HEADER, room(gpu), gpu=sized(GPU, ctx_size), cpu=cpu)
    steps = steps_down(found, HEADER, cpu=cpu)
    for before, after in zip([found, *steps], steps, strict=False):
        assert after.gpu.total < before.gpu.total or (
            after.gpu.total == before.gpu.total == 0 and after.ram.total < before.ram.total
        )
    assert not steps[-1].gpu_layers
    # Only the person decides on a smaller context, and there is always a way without one.
    assert all(step.needs_word == (step.ctx_size < found.ctx_size) for step in steps)
    unasked = [step for step in steps if not step.needs_word]
    assert unasked
    assert not unasked[-1].gpu_layers


@pytest.mark.parametrize("layers", [2, -1])
def test_memory_of_unknown_size_is_not_saved(layers: int) -> None:
    """If a device does not report its memory, or there is none, all layers that a person names are planned."""
    for unknown in (room(None), msgspec.structs.replace(room(None), gpu_free=0, gpu_total=0)):
        assert place(HEADER, unknown, gpu=GPU, cpu=CPU, layers=layers).plan == sized(
            GPU, 8192, layers if layers > 0 else 37
        )


def test_a_quantised_cache_always_comes_with_flash_attention() -> None:
    found = placed(5.5)
    for each in (*gpu_plans(GPU), *(step.plan for step in steps_down(found, HEADER, cpu=CPU))):
        assert each.flash_attention or each.kv_type == "f16"


def test_the_estimate_of_buffers_is_what_dry_runs_have_shown() -> None:
    def mib(ctx_size: int, batch_size: int, *, flash: bool) -> float:
        plan = msgspec.structs.replace(CPU, batch_size=batch_size, flash_attention=flash)
        return estimated_buffers(HEADER, sized(plan, ctx_size, 0)).ram / MIB

    assert mib(8192, 512, flash=True) == pytest.approx(88.01, rel=0.01)
    assert mib(32768, 512, flash=True) == pytest.approx(112.01, rel=0.01)
    assert mib(8192, 512, flash=False) == pytest.approx(563.01, rel=0.01)
    assert mib(8192, 128, flash=False) == pytest.approx(140.75, rel=0.01)
    assert mib(2048, 128, flash=False) == pytest.approx(41.75, rel=0.01)
    # The logits.
    assert mib(2048, 64, flash=True) == pytest.approx(19.48, rel=0.01)


@pytest.mark.parametrize(
    ("ctx_size", "batch_size", "flash", "gpu", "ram"),
    [
        (2048, 512, True, 77.01, 12.01),
        (8192, 512, True, 83.01, 18.01),
        (32768, 256, True, 53.51, 21.01),
        (8192, 512, False, 558.01, 30.01),
        (2048, 256, False, 81.00, 9.00),
    ],
)
def test_the_estimate_for_the_whole_network_on_a_gpu_is_what_dry_runs_have_shown(
    ctx_size: int, batch_size: int, flash: bool, gpu: float, ram: float
) -> None:
    plan = msgspec.structs.replace(CPU, batch_size=batch_size, flash_attention=flash)
    found = estimated_buffers(HEADER, sized(plan, ctx_size, 37))
    assert found.gpu / MIB == pytest.approx(gpu, abs=0.02)
    assert found.ram / MIB == pytest.approx(ram, abs=0.02)
