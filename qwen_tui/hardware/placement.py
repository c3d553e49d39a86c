"""Calculates which parts of a model go where on this PC, from the tensors of its file and the free memory."""

from collections.abc import Callable, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from qwen_tui.hardware.device import Buffers
from qwen_tui.hardware.plan import ALL_LAYERS, Plan
from qwen_tui.hardware.tensors import (
    all_layers,
    estimated_buffers,
    first_on_gpu,
    kv_bytes,
    shape,
    weights,
    workspace_bytes,
)
from qwen_tui.models.gguf import Header

# So many bytes of a GPU stay free. CUDA takes memory beside the buffers that are counted here: for its own workspaces,
# for the activations of a batch in another format, and for the q8_0 keys and values of one layer as f16. A desktop may
# open another window. If memory runs out in the middle of an answer, that costs more than a layer on the CPU.
MARGIN = 300 << 20
# So many bytes of that are for the keys and values as f16. A plan that needs more for them gets a larger margin.
_WORKSPACE_INCLUDED = 32 << 20
# What the worker takes of RAM beside the model, in bytes: Python, llama.cpp and the vocabulary.
_PROCESS = 150 << 20
# If the whole network does not fit because of the compute buffers, these smaller ubatches are tried before layers stay
# on the CPU.
_SMALLER_UBATCHES = (256, 128)
# A smaller context than this, in tokens, does not help with the material that people bring.
_LEAST_CTX = 2048
# Each step down leaves this share of the layers on the GPU, and there are so many of these steps, because each loading
# takes seconds.
_FEWER, _FEWER_STEPS = 0.75, 3


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """The free memory in bytes; `gpu_free` is None if nothing can go to a GPU."""

    ram_free: int
    ram_total: int
    gpu_free: int | None = None
    gpu_total: int | None = None
    device: str = ""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What a model takes of the memory of one device, in bytes.

    `weights` include `head`: if the file has one tensor for embedding and output head, a GPU gets a copy of it as the
    head. `repacked` is the second copy of the weights for a CPU, `compute` the compute buffer. `process` is what the
    worker takes beside the model.
    """

    weights: int = 0
    head: int = 0
    repacked: int = 0
    kv: int = 0
    compute: int = 0
    process: int = 0

    @property
    def total(self) -> int:
        """The sum."""
        return self.weights + self.repacked + self.kv + self.compute + self.process


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """A plan for this PC, and what it takes of which memory.

    The plan's context is not larger than the model was trained for. `all_layers` is how many layers the model has, the
    output layer included. `room` is the memory that was free. `margin` bytes of the GPU must stay free. `measured` says
    that the sizes of the compute buffers come from llama.cpp, and are no estimate. `needs_word` marks a context that is
    smaller than the person wants: only the person may decide that.
    """

    plan: Plan
    all_layers: int
    gpu: Share
    ram: Share
    room: Room
    margin: int = MARGIN
    measured: bool = False
    needs_word: bool = False

    @property
    def gpu_layers(self) -> int:
        """How many layers are on the GPU."""
        return self.plan.gpu_layers

    @property
    def ctx_size(self) -> int:
        """The context in tokens."""
        return self.plan.ctx_size

    @property
    def whole(self) -> bool:
        """Whether all of the network is on the GPU."""
        return self.gpu_layers >= self.all_layers

    @property
    def gpu_left(self) -> int | None:
        """How many bytes stay free on the GPU; None without one."""
        return None if self.room.gpu_free is None else self.room.gpu_free - self.gpu.total

    @property
    def ram_left(self) -> int:
        """How many bytes of RAM stay free; below 0, the system reads weights from the disk again and again."""
        return self.room.ram_free - self.ram.total

    @property
    def fits(self) -> bool:
        """Whether the part for the GPU fits, with the margin."""
        return not self.gpu_layers or (self.gpu_left is not None and self.gpu_left >= self.margin)


# Returns the compute buffers with a plan as llama.cpp has reported them; None if it was not asked.
MeasuredBuffers = Callable[[Plan], Buffers | None]


def nothing_measured(_plan: Plan) -> Buffers | None:
    """Know no buffers, so that all are estimated."""
    return None


def lay_out(header: Header, plan: Plan, room: Room, *, measured: MeasuredBuffers = nothing_measured) -> Placement:
    """Return what a plan takes, whether it fits or not; -1 or too many layers on the GPU mean all of them."""
    network, most = shape(header), all_layers(header)
    layers = most if plan.gpu_layers < 0 else min(plan.gpu_layers, most)
    size = _trained(header, plan.ctx_size)
    plan = replace(plan, ctx_size=size, gpu_layers=layers)
    known = measured(plan)
    buffers = known or estimated_buffers(header, plan)
    where = weights(header, layers)
    staying = first_on_gpu(network.layers, layers)
    return Placement(
        plan=plan,
        all_layers=most,
        gpu=Share(
            weights=where.gpu,
            head=where.head,
            kv=kv_bytes(header, plan.kv_type, size, network.layers - staying),
            compute=buffers.gpu,
        ),
        ram=Share(
            weights=where.mapped,
            repacked=where.repacked if plan.repack else 0,
            kv=kv_bytes(header, plan.kv_type, size, staying),
            compute=buffers.ram,
            process=_PROCESS,
        ),
        room=room,
        margin=MARGIN + max(0, workspace_bytes(header, plan.kv_type, size) - _WORKSPACE_INCLUDED),
        measured=known is not None,
    )


def place(
    header: Header,
    room: Room,
    *,
    gpu: Plan,
    cpu: Plan,
    measured: MeasuredBuffers = nothing_measured,
    layers: int | None = None,
) -> Placement:
    """Return the best way to load a model: `gpu` is the plan if everything fits on a GPU, `cpu` the plan without one.

    This decides how many layers go to the GPU. The best is the whole network, even with a q8_0 KV cache or a smaller
    ubatch: a layer on the CPU costs more at every token, and no loss of quality was measured with q8_0. The next best
    is as many layers as fit, with a q8_0 KV cache, and the last is the CPU.

    If the person has named a number of `layers` (-1: all), exactly so many go to the GPU, with the first of these plans
    that fits, or with the one that takes the least.
    """
    if layers is None and room.gpu_free is None:
        return lay_out(header, cpu, room, measured=measured)
    for plan in gpu_plans(gpu):
        asked = ALL_LAYERS if layers is None else layers
        tried = lay_out(header, replace(plan, gpu_layers=asked), room, measured=measured)
        # If nobody knows how much memory is free, the best plan is taken.
        unknown = layers is not None and (room.gpu_free is None or not room.gpu_total)
        if tried.fits or unknown:
            return tried
    if layers is not None:
        return tried
    small = _small_cache(gpu)
    for count in range(all_layers(header) - 1, 0, -1):
        part = lay_out(header, replace(small, gpu_layers=count), room, measured=measured)
        # The output layer alone makes nothing faster, because its input has to be copied to the GPU for every token.
        if part.fits and count > 1:
            return part
    return lay_out(header, cpu, room, measured=measured)


def gpu_plans(plan: Plan) -> tuple[Plan, ...]:
    """Return the plans for the whole network on the GPU, the best first."""
    small = _small_cache(plan)
    sizes = [size for size in _SMALLER_UBATCHES if size < plan.batch_size]
    plans = (plan, small, *(replace(small, batch_size=size) for size in sizes))
    return tuple(dict.fromkeys(plans))


def to_measure(header: Header, gpu: Plan, cpu: Plan, layers: int | None = None) -> tuple[Plan, ...]:
    """Return the plans whose compute buffers `place` needs, without their threads.

    Of the plans with a part of the network on the GPU, one is enough: the buffers are about the same for any part.
    """
    most = all_layers(header)
    asked = most if layers is None or layers < 0 else min(layers, most)
    part = most // 2 if asked == most else asked
    counted = [(plan, asked) for plan in gpu_plans(gpu)] + [(_small_cache(gpu), part), (cpu, 0)]
    size = _trained(header, gpu.ctx_size)
    return tuple(
        dict.fromkeys(replace(plan, gpu_layers=count, ctx_size=size).without_threads() for plan, count in counted)
    )


def measured_by(header: Header, runs: Mapping[Plan, Buffers]) -> MeasuredBuffers:
    """Return a function that returns the compute buffers with a plan, from the results of dry `runs`."""
    most = all_layers(header)
    known = {_computing(plan): buffers for plan, buffers in runs.items()}

    def find(plan: Plan) -> Buffers | None:
        wanted = _computing(plan)
        if found := known.get(wanted):
            return found
        if not 0 < wanted.gpu_layers < most:
            return None
        parts = (run for run in known if 0 < run.gpu_layers < most)
        return next((known[run] for run in parts if replace(run, gpu_layers=wanted.gpu_layers) == wanted), None)

    return find


def _computing(plan: Plan) -> Plan:
    """Return the plan for comparisons of compute buffers: repacked weights are in another buffer."""
    return replace(plan.without_threads(), repack=False)


def _trained(header: Header, ctx_size: int) -> int:
    """Return the context in tokens, but not more than the model was trained for."""
    return min(ctx_size, shape(header).trained or ctx_size)


def steps_down(
    placement: Placement, header: Header, *, cpu: Plan, measured: MeasuredBuffers = nothing_measured
) -> list[Placement]:
    """Return what to try one after another if `placement` does not fit; each takes less memory than the one before.

    On a GPU: a q8_0 KV cache, fewer layers, smaller ubatches, a smaller context, then the CPU with the plan `cpu`. On a
    CPU: mapped weights, a smaller ubatch, a q8_0 KV cache, smaller contexts. A smaller context is marked `needs_word`.
    """
    wanted = placement.plan.ctx_size

    def make(plan: Plan) -> Placement:
        made = lay_out(header, plan, placement.room, measured=measured)
        return replace(made, needs_word=plan.ctx_size < wanted)

    if not placement.gpu_layers:
        return [make(plan) for plan in _cpu_steps(placement.plan)]
    cpu = replace(cpu, ctx_size=wanted, gpu_layers=0)
    return [make(plan) for plan in (*_gpu_steps(placement.plan), cpu, *_cpu_steps(cpu))]


def _gpu_steps(plan: Plan) -> Iterator[Plan]:
    if plan.kv_type != "q8_0":
        plan = _small_cache(plan)
        yield plan
    for _step in range(_FEWER_STEPS):
        if (fewer := int(plan.gpu_layers * _FEWER)) > 1:
            plan = replace(plan, gpu_layers=fewer)
            yield plan
    for batch in (size for size in _SMALLER_UBATCHES if size < plan.batch_size):
        plan = replace(plan, batch_size=batch)
        yield plan
    if (size := plan.ctx_size // 2) >= _LEAST_CTX:
        yield replace(plan, ctx_size=size)


def _cpu_steps(plan: Plan) -> Iterator[Plan]:
    if plan.repack:
        plan = replace(plan, repack=False)
        yield plan
    if plan.batch_size > 64:
        plan = replace(plan, batch_size=64)
        yield plan
    if plan.kv_type != "q8_0":
        plan = _small_cache(plan)
        yield plan
    while (size := plan.ctx_size // 2) >= _LEAST_CTX:
        plan = replace(plan, ctx_size=size)
        yield plan


def _small_cache(plan: Plan) -> Plan:
    # llama.cpp accepts a quantised V cache only with flash attention.
    return replace(plan, kv_type="q8_0", flash_attention=True)
