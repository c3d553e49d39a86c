"""Compare the bytes that the plan computes with those that llama.cpp reports for its buffers.

    python scripts/bench/plan_actual.py model.gguf
    python scripts/bench/plan_actual.py model.gguf --rpc LIBRARIES

It compares contexts of 2k to 32k tokens, f16 and q8_0, with and without flash attention, and if there is a GPU, with
none, some and all layers on it. With --rpc, llama.cpp's RPC server on this computer stands for a GPU; LIBRARIES is the
folder with `ggml-rpc-server` and a libllama that knows it, which `scripts/stress/rpc_device.py` builds.

Each combination really creates its context (the model is loaded once for each number of layers). The largest takes
several GB of RAM for a moment. Combinations that do not fit into memory are left out, and the script names them.
"""

import argparse
import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from qwen_tui.columns import markdown_table
from qwen_tui.engine.protocol import LoadOptions
from qwen_tui.engine.worker.backends import Backends
from qwen_tui.engine.worker.binding import initialise, open_library
from qwen_tui.engine.worker.buffers import logged_buffers
from qwen_tui.engine.worker.context import Context, ContextError
from qwen_tui.engine.worker.devices import add_rpc_device
from qwen_tui.engine.worker.dry_run import describe, kept_log
from qwen_tui.engine.worker.model import LoadError, Model
from qwen_tui.engine.worker.stop import StopFlag
from qwen_tui.hardware.device import in_ram
from qwen_tui.hardware.memory import available_memory
from qwen_tui.hardware.placement import Placement, Room, lay_out, measured_by
from qwen_tui.hardware.plan import Plan
from qwen_tui.hardware.tensors import all_layers
from qwen_tui.models.gguf import Header, read_header
from scripts.command_line import command_line, report_progress
from scripts.stress.rpc_device import device

MIB = 1 << 20
# llama.cpp reports hundredths of a MiB: a smaller difference does not count.
_ROUNDING = 0.02
_RESERVE = 2 << 30


class Compared(NamedTuple):
    """One kind of buffer on one kind of device: planned and reported, in bytes, and whether the plan was estimated."""

    where: str
    kind: str
    plan: Plan
    planned: int
    actual: int
    estimated: bool

    @property
    def error(self) -> float:
        """The difference as a share of the reported size."""
        difference = abs(self.planned - self.actual)
        return 0.0 if difference <= _ROUNDING * MIB else difference / max(self.actual, 1)


def main() -> None:
    """Load, compare, print."""
    parser = command_line(__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--rpc", type=Path, metavar="LIBRARIES", help="use the RPC server in there as a second device")
    parser.add_argument("--contexts", default="2048,4096,8192,16384,32768")
    parser.add_argument("--batch-sizes", default="128,512")
    parser.add_argument("--repack", action="store_true", help="also load repacked weights (CPU)")
    options = parser.parse_args()
    # Set this before the library is loaded, because it chooses the library.
    with device(options.rpc) if options.rpc else contextlib.nullcontext():
        compare(options)


def compare(options: argparse.Namespace) -> None:
    """Create every combination of the options, and print the errors of the plan."""
    contexts = [int(size) for size in options.contexts.split(",")]
    batches = [int(size) for size in options.batch_sizes.split(",")]

    llama = open_library()
    with kept_log(llama) as lines:
        initialise(llama, cards=True)
        add_rpc_device(llama)
        build = describe(llama, [], Backends(), lines)
    header = read_header(options.model)
    most = all_layers(header)
    layers = [0, most // 2, most] if build.device else [0]
    report_progress(f"devices: {', '.join(each.name for each in build.devices)}; layers on the GPU: {layers}")
    found: list[Compared] = []
    skipped: list[str] = []
    for count in layers:
        for repack in (False, True) if options.repack and not count else (False,):
            found += _compare(llama, options.model, header, count, _plans(batches, repack), contexts, skipped)
    print(_table(found))
    for sentence in skipped:
        print(f"left out: {sentence}")


def _plans(batches: Sequence[int], repack: bool) -> Iterator[Plan]:
    for batch in batches:
        for flash, kv_type in ((False, "f16"), (True, "f16"), (True, "q8_0")):
            plan = Plan(threads=2, batch_threads=2, batch_size=batch, flash_attention=flash, repack=repack)
            yield msgspec.structs.replace(plan, kv_type=kv_type)


def _compare(
    llama: Any,
    path: Path,
    header: Header,
    layers: int,
    plans: Iterator[Plan],
    contexts: Sequence[int],
    skipped: list[str],
) -> Iterator[Compared]:
    """Yield every buffer of every combination; the log of the load has the weights, that of a context the rest."""
    lines: list[str] = []

    @llama.llama_log_callback
    def keep(_level: int, text: bytes, _data: Any) -> None:
        lines.append(text.decode("utf-8", "replace"))

    model: Model | None = None
    for plan in plans:
        setups = [
            LoadOptions(path=os.fsencode(path), plan=msgspec.structs.replace(plan, ctx_size=size, gpu_layers=layers))
            for size in contexts
        ]
        runs = {run.plan: run.buffers for run in describe(llama, setups).dry_runs}
        llama.llama_log_set(keep, None)
        for options in setups:
            dry = _lay_out(header, options.plan, measured_by(header, runs))
            if dry.ram.total - dry.ram.weights + dry.gpu.total + _RESERVE > available_memory():
                skipped.append(f"{options.plan.ctx_size} {plan.kv_type}, {layers} layers: too little memory")
                continue
            try:
                if model is None:
                    lines.clear()
                    model = Model(llama, options, lambda _fraction: None)
                    yield from _buffers(("model",), lines, options.plan, dry)
                lines.clear()
                context = Context(model, options, options.plan.ctx_size, StopFlag())
                context.reserve(options.plan.ctx_size)
                context.close()
            except (LoadError, ContextError) as error:
                skipped.append(f"{options.plan.ctx_size} {plan.kv_type}, {layers} layers: {error or 'not loaded'}")
                continue
            yield from _buffers(("KV", "compute"), lines, options.plan, dry)
            yield from _buffers(("compute",), lines, options.plan, _lay_out(header, options.plan, None))
    if model is not None:
        model.close()
    llama.llama_log_set(llama.llama_log_callback(), None)


def _lay_out(header: Header, plan: Plan, measured: Any) -> Placement:
    room = Room(ram_free=1 << 40, ram_total=1 << 40, gpu_free=1 << 40)
    extra = {"measured": measured} if measured else {}
    return lay_out(header, plan, room, **extra)


def _buffers(kinds: Sequence[str], lines: Sequence[str], plan: Plan, planned: Placement) -> Iterator[Compared]:
    sums: dict[tuple[str, str], int] = {}
    for buffer in logged_buffers("".join(lines)):
        where = "RAM" if in_ram(buffer.device) else "GPU"
        sums[where, buffer.kind] = sums.get((where, buffer.kind), 0) + buffer.nbytes
    for where, share in (("RAM", planned.ram), ("GPU", planned.gpu)):
        if where == "GPU" and not plan.gpu_layers:
            continue
        of_kind = {"model": share.weights + share.repacked, "KV": share.kv, "compute": share.compute}
        for kind in kinds:
            yield Compared(
                where=where,
                kind=kind,
                plan=plan,
                planned=of_kind[kind],
                actual=sums.get((where, kind), 0),
                estimated=kind == "compute" and not planned.measured,
            )


def _table(found: Sequence[Compared]) -> str:
    """Return for each kind of buffer and device how many were compared, and the largest error."""
    groups: dict[tuple[str, str, str], list[Compared]] = {}
    names = {"model": "weights", "KV": "KV cache"}
    for each in found:
        kind = names.get(each.kind) or ("buffers, estimated" if each.estimated else "buffers, dry run")
        groups.setdefault((_offload(each, found), each.where, kind), []).append(each)
    rows = []
    for (offload, where, kind), compared in groups.items():
        worst = max(compared, key=lambda each: each.error)
        low, high = (round(pick(each.actual for each in compared) / MIB) for pick in (min, max))
        rows.append(
            [
                offload,
                where,
                kind,
                len(compared),
                f"{low} to {high}",
                f"{100 * worst.error:.2f}%",
                f"{worst.planned / MIB:.2f} / {worst.actual / MIB:.2f}",
                f"{worst.plan.ctx_size} {worst.plan.kv_type} b{worst.plan.batch_size}",
            ]
        )
    head = ["offload", "device", "what", "compared", "MiB", "largest error", "planned / reported", "at"]
    return markdown_table(head, rows)


def _offload(each: Compared, found: Sequence[Compared]) -> str:
    layers, most = each.plan.gpu_layers, max(other.plan.gpu_layers for other in found)
    return "none" if not layers else "all" if layers == most else f"{layers} layers"


if __name__ == "__main__":
    main()
