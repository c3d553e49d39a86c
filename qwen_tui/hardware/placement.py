"""What of a model goes where on this PC: pure arithmetic over the tensors of its file and the memory that is free."""

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

# What stays free on a GPU. Outside of the buffers counted here, CUDA takes memory when it computes: its own workspaces,
# the activations of a batch in another format, and a layer's q8_0 keys and values as f16, of which the last value is
# included; and a desktop opens another window. An out-of-memory in the middle of an answer costs more than a layer that
# is left to the CPU.
MARGIN = 300 << 20
_WORKSPACE_INCLUDED = 32 << 20
# What the worker itself takes of RAM beside the model: Python, llama.cpp, the vocabulary.
_PROCESS = 150 << 20
# Where the whole network would fit but for the buffers, smaller steps are tried before layers are left to the CPU.
_SMALLER_STEPS = (256, 128)
# A smaller context than this is no help for the material that people bring.
_LEAST_CTX = 2048
# What is left of the layers on the GPU at each step down, and how often: a load takes seconds.
_FEWER, _FEWER_STEPS = 0.75, 3


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """The memory that is free, in bytes; `gpu_free` None where nothing can be given to a GPU."""

    ram_free: int
    ram_total: int
    gpu_free: int | None = None
    gpu_total: int | None = None
    device: str = ""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What of the model takes the memory of one device, in bytes.

    `weights` include `head`, the copy of the embedding that a GPU gets as output head where the file has it only once.
    `repacked` is the second copy of weights that a CPU computes with, `process` what the worker takes itself.
    """

    weights: int = 0
    head: int = 0
    repacked: int = 0
    kv: int = 0
    compute: int = 0
    process: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.repacked + self.kv + self.compute + self.process


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """A plan for this PC, and what it takes of which memory.

    The plan's context is what the model was trained for at the most. Its `gpu_layers` are so many of `all_layers`, the
    output being the first. `room` is what was free; `margin` bytes of the GPU are to stay so. `measured` says that the
    buffers to compute in are llama.cpp's own figure, and not an estimate. `needs_word` marks a context smaller than was
    asked for: that is for the person to decide.
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
        """The layers on the GPU."""
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
        """Bytes that stay free on the GPU; None without one."""
        return None if self.room.gpu_free is None else self.room.gpu_free - self.gpu.total

    @property
    def ram_left(self) -> int:
        """Bytes of RAM that stay free; below 0, weights are read from the disk again and again."""
        return self.room.ram_free - self.ram.total

    @property
    def fits(self) -> bool:
        """Whether the GPU holds its part with the margin."""
        return not self.gpu_layers or (self.gpu_left is not None and self.gpu_left >= self.margin)


# Tells the buffers of a plan as llama.cpp has reported them; None where it has not been asked.
Measured = Callable[[Plan], Buffers | None]


def nothing_measured(_plan: Plan) -> Buffers | None:
    """Know no buffers: all are estimated."""
    return None


def lay_out(header: Header, plan: Plan, room: Room, *, measured: Measured = nothing_measured) -> Placement:
    """Return what a plan takes (with -1 or too many layers on the GPU: all of them), whether it fits or not."""
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
    measured: Measured = nothing_measured,
    layers: int | None = None,
) -> Placement:
    """Return the best way to load a model: `gpu` is the plan for a GPU with room for everything, `cpu` that without.

    How many layers of `gpu` are on the GPU is decided here.

    All of the network on the GPU comes first, even if that takes a q8_0 KV cache, which costs the answers nothing that
    can be measured, or smaller steps: a layer that stays behind costs more at every token. Else as many layers as fit,
    with the small KV cache; else the CPU.

    Where the person has said how many `layers` (-1: all), so many are on the GPU: as above, or in the way that takes
    least of it where none fits.
    """
    if layers is None and room.gpu_free is None:
        return lay_out(header, cpu, room, measured=measured)
    for plan in gpu_plans(gpu):
        asked = ALL_LAYERS if layers is None else layers
        tried = lay_out(header, replace(plan, gpu_layers=asked), room, measured=measured)
        # Where nobody knows the memory to be short, nothing is done to spare it.
        unknown = layers is not None and (room.gpu_free is None or not room.gpu_total)
        if tried.fits or unknown:
            return tried
    if layers is not None:
        return tried
    small = _small_cache(gpu)
    for count in range(all_layers(header) - 1, 0, -1):
        part = lay_out(header, replace(small, gpu_layers=count), room, measured=measured)
        # The output alone is no gain: what is before it has to be handed over for every token.
        if part.fits and count > 1:
            return part
    return lay_out(header, cpu, room, measured=measured)


def gpu_plans(plan: Plan) -> tuple[Plan, ...]:
    """Return the plans for all of the network on the GPU, the best first."""
    small = _small_cache(plan)
    steps = [size for size in _SMALLER_STEPS if size < plan.batch_size]
    plans = (plan, small, *(replace(small, batch_size=size) for size in steps))
    return tuple(dict.fromkeys(plans))


def to_measure(header: Header, gpu: Plan, cpu: Plan, layers: int | None = None) -> tuple[Plan, ...]:
    """Return the plans whose buffers `place` asks for, the threads set aside.

    A part of the network needs about the same for any part.
    """
    most = all_layers(header)
    asked = most if layers is None or layers < 0 else min(layers, most)
    part = most // 2 if asked == most else asked
    counted = [(plan, asked) for plan in gpu_plans(gpu)] + [(_small_cache(gpu), part), (cpu, 0)]
    size = _trained(header, gpu.ctx_size)
    return tuple(
        dict.fromkeys(replace(plan, gpu_layers=count, ctx_size=size).without_threads() for plan, count in counted)
    )


def measured_by(header: Header, runs: Mapping[Plan, Buffers]) -> Measured:
    """Return what tells the buffers of a plan out of what dry `runs` have shown."""
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
    """Return what of a plan decides the buffers to compute in: repacked weights lie elsewhere."""
    return replace(plan.without_threads(), repack=False)


def _trained(header: Header, ctx_size: int) -> int:
    """Return the context, in tokens: what the model was trained for at the most."""
    return min(ctx_size, shape(header).trained or ctx_size)


def steps_down(
    placement: Placement, header: Header, *, cpu: Plan, measured: Measured = nothing_measured
) -> list[Placement]:
    """Return what to try in turn when `placement` turns out not to fit, each taking less than the one before.

    On a GPU: a small KV cache, fewer layers, smaller steps, a smaller context, the CPU with `cpu`. On a CPU: mapped
    weights, smaller steps, a small KV cache, a smaller context. What has a smaller context is marked `needs_word`.
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
    for batch in (step for step in _SMALLER_STEPS if step < plan.batch_size):
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
    # llama.cpp takes a quantised V cache with flash attention only.
    return replace(plan, kv_type="q8_0", flash_attention=True)
