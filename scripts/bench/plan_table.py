"""Print the plan for PCs that are not at hand: with graphics cards of 2 to 8 GB, and 8 to 32 GB of RAM.

    python scripts/bench/plan_table.py model.gguf

It reads only the header of the file. The first table computes for a card of 4 GB how many layers fit, for each context
and KV type. The second shows what the program would choose, the third what fits into RAM on a CPU.
"""

from functools import partial
from pathlib import Path

import msgspec

from qwen_tui.columns import markdown_table
from qwen_tui.hardware.placement import Placement, Room, lay_out, place, steps_down
from qwen_tui.hardware.plan import Plan
from qwen_tui.hardware.tensors import all_layers
from qwen_tui.models.gguf import Header, read_header
from scripts.command_line import command_line

MIB, GIB = 1 << 20, 1 << 30
CPU = Plan(threads=6, batch_threads=6)
GPU = Plan(threads=6, batch_threads=6, batch_size=512, flash_attention=True)
# The free memory of cards: of 4 GB with a desktop and a browser, with a desktop, with neither; of other sizes with a
# desktop.
CARDS = (("4 GB", 3.3), ("4 GB", 3.6), ("4 GB", 3.8), ("2 GB", 1.6), ("6 GB", 5.4), ("8 GB", 7.4))
# The free RAM of a system with an open browser.
RAM = ((8, 4.0), (16, 11.0), (32, 26.0))
CONTEXTS = (4096, 8192, 16384, 32768)


def main() -> None:
    """Print the tables."""
    parser = command_line(__doc__)
    parser.add_argument("model", type=Path)
    header = read_header(parser.parse_args().model)
    print(_layers(header), end="\n\n")
    print(_cards(header), end="\n\n")
    print(_ram(header), end="\n\n")
    print(_steps(header))


def _layers(header: Header) -> str:
    """Return how many layers fit, with every kind of KV cache."""
    rows = []
    for ctx_size in CONTEXTS:
        for kv_type in ("f16", "q8_0"):
            plan = msgspec.structs.replace(GPU, kv_type=kv_type, ctx_size=ctx_size)

            def fitting(free: float, plan: Plan = plan) -> int:
                plans = (msgspec.structs.replace(plan, gpu_layers=n) for n in range(all_layers(header), -1, -1))
                tried = (lay_out(header, each, _room(free)) for each in plans)
                return next(each.gpu_layers for each in tried if each.fits)

            need = lay_out(header, msgspec.structs.replace(plan, gpu_layers=-1), _room(99)).gpu.total
            rows.append([ctx_size, kv_type, round(need / MIB), *(fitting(free) for free in (3.3, 3.6, 3.8))])
    return markdown_table(["context", "KV", "all needs, MiB", "3.3 GiB free", "3.6 GiB free", "3.8 GiB free"], rows)


def _cards(header: Header) -> str:
    """Return what the program chooses for cards of several sizes."""
    rows = []
    for name, free in CARDS:
        for ctx_size in CONTEXTS:
            sized = partial(msgspec.structs.replace, ctx_size=ctx_size)
            found = place(header, _room(free), gpu=sized(GPU), cpu=sized(CPU))
            gpu = [found.gpu.weights, found.gpu.kv, found.gpu.compute]
            rows.append(
                [
                    name,
                    free,
                    ctx_size,
                    f"{found.gpu_layers}/{found.all_layers}",
                    found.plan.kv_type,
                    found.plan.batch_size,
                    *(round(size / MIB) for size in (*gpu, found.gpu_left or 0, found.ram.total)),
                ]
            )
    head = ["card", "GiB free", "context", "layers", "KV", "batch", "weights", "KV cache", "buffers", "left", "RAM"]
    return markdown_table(head, rows) + "\n\nSizes in MiB; “left” of the card, “RAM” beside it."


def _ram(header: Header) -> str:
    """Return what fits into RAM if the CPU computes, with mapped and with repacked weights."""
    rows = []
    for total, free in RAM:
        for ctx_size in (8192, 32768):
            for repack in (False, True):
                plan = msgspec.structs.replace(CPU, repack=repack, ctx_size=ctx_size)
                room = Room(ram_free=int(free * GIB), ram_total=total * GIB)
                found = lay_out(header, plan, room)
                share = found.ram
                sizes = (share.weights, share.repacked, share.kv, share.compute, share.total)
                rows.append(
                    [
                        f"{total} GB",
                        free,
                        ctx_size,
                        "repacked" if repack else "mapped",
                        *(round(size / MIB) for size in sizes),
                        "yes" if found.ram_left >= 0 else "no",
                    ]
                )
    head = ["RAM", "GiB free", "context", "weights are", "weights", "repacked", "KV", "buffers", "all, MiB", "fits"]
    return markdown_table(head, rows)


def _steps(header: Header) -> str:
    """Return what the program tries after the plan for a card of 4 GB has failed."""
    first = place(header, _room(3.6), gpu=GPU, cpu=CPU)
    rows = [_step(each) for each in (first, *steps_down(first, header, cpu=CPU))]
    head = ["step", "layers", "KV", "batch", "card, MiB", "RAM, MiB", "asks first"]
    return markdown_table(head, ([number, *row] for number, row in enumerate(rows)))


def _step(each: Placement) -> list[object]:
    sizes = (each.gpu.total, each.ram.total)
    word = f"context {each.ctx_size}" if each.needs_word else ""
    return [each.gpu_layers, each.plan.kv_type, each.plan.batch_size, *(round(size / MIB) for size in sizes), word]


def _room(free: float) -> Room:
    return Room(ram_free=11 * GIB, ram_total=16 * GIB, gpu_free=int(free * GIB), gpu_total=4 * GIB)


if __name__ == "__main__":
    main()
