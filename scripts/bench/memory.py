"""Measure the peak memory of the engine's worker against the sum of what it must hold.

    python scripts/bench/memory.py MODEL [--ctx-size 8192] [--kv-type f16|q8_0] [--repack] [--flash-attention]

The context is filled in two parts, as a conversation fills it: first all but the last quarter, then the rest. In
between the KV cache grows, so its content is copied once. That takes minutes with a large model. The result does not
depend on how busy the PC is, except for the loading time.

The size of the weights comes from the file's tensors, that of the KV cache from its metadata. llama.cpp's log gives the
buffers for computing and for logits, and the repacked copy of the weights. The rest is the worker's Python, the
libraries, and what nobody has counted.
"""

import json
import os
import random
import time
from pathlib import Path
from typing import NamedTuple

import psutil

from qwen_tui.columns import markdown_table
from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import LoadOptions, SamplingOptions
from qwen_tui.engine.worker.buffers import logged_buffers
from qwen_tui.evaluation.measuring import ask, question
from qwen_tui.hardware.plan import Plan
from qwen_tui.hardware.processor import physical_cores
from qwen_tui.hardware.tensors import kv_bytes
from qwen_tui.models.gguf import Header, read_header
from scripts.command_line import command_line

MB = 1_000_000
# The target: at most so much memory beside the counted parts.
ALLOWED_MB = 300
ANSWER_TOKENS = 16
# The tokens around a question, and room for the answer.
AROUND = 64


def main() -> None:
    """Measure and print the parts, their sum, the peak and the difference."""
    parser = command_line(__doc__)
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("--ctx-size", type=int, default=8192, help="in tokens (default: %(default)s)")
    parser.add_argument("--kv-type", choices=("f16", "q8_0"), default="f16", help="default: %(default)s")
    parser.add_argument("--repack", action="store_true", help="repack the weights for this CPU")
    parser.add_argument("--flash-attention", action="store_true")
    parser.add_argument("--threads", type=int, default=physical_cores(), help="default: the physical cores")
    parser.add_argument("--json", action="store_true", help="print the figures, in bytes, as JSON")
    arguments = parser.parse_args()

    options = LoadOptions(
        path=os.fsencode(arguments.model),
        plan=Plan(
            ctx_size=arguments.ctx_size,
            threads=arguments.threads,
            batch_threads=arguments.threads,
            kv_type=arguments.kv_type,
            flash_attention=arguments.flash_attention,
            repack=arguments.repack,
        ),
    )
    log: list[str] = []
    measured = measure(options, log)
    status = measured.status
    # The log repeats a buffer when the context grows: the last one counts.
    buffers = {(each.device, each.kind): each.nbytes for each in logged_buffers("\n".join(log))}
    parts = expected(read_header(arguments.model), options, measured, buffers)
    result = {
        "parts": parts,
        "sum": sum(parts.values()),
        "status": status,
        "load_s": measured.load_s,
        "over": status["VmHWM"] - sum(parts.values()),
    }
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        report(parts, status)
        print(f"\n{arguments.model.name}, context {measured.ctx_size}, KV {options.plan.kv_type}, ", end="")
        print(f"batches of {options.plan.batch_size}, loaded in {measured.load_s:.2f} s")


class Measured(NamedTuple):
    """The size of the context, its tokens when it grew, the worker's memory in bytes, the loading time in seconds."""

    ctx_size: int
    grew_at: int
    status: dict[str, int]
    load_s: float


def measure(options: LoadOptions, log: list[str]) -> Measured:
    """Load the model, fill the context, and measure the worker."""
    engine = LocalEngine(options, log=log.append)
    rng = random.Random(0)
    try:
        begun = time.perf_counter()
        size = engine.info().ctx_size
        load_s = time.perf_counter() - begun
        first = question(engine, size * 3 // 4, rng)
        grew_at = ask(engine, first, SamplingOptions(seed=0), 1).usage.prompt_tokens
        rest = question(engine, size - AROUND, rng, start=first.content)
        ask(engine, rest, SamplingOptions(seed=0), ANSWER_TOKENS)
        (worker,) = psutil.Process().children()
        return Measured(size, grew_at, memory_of(worker.pid), load_s)
    finally:
        engine.close()


def memory_of(pid: int) -> dict[str, int]:
    """Return the memory of a process on Linux, in bytes: the peak, the anonymous part, and the mapped files."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {name: int(fields[name].split()[0]) * 1024 for name in ("VmHWM", "VmRSS", "RssAnon", "RssFile", "RssShmem")}


def expected(
    header: Header, options: LoadOptions, measured: Measured, logged: dict[tuple[str, str], int]
) -> dict[str, int]:
    """Return the parts that the worker must hold, by name, in bytes."""
    parts = {
        "weights, once": sum(tensor.nbytes for tensor in header.tensors),
        "KV cache": kv_bytes(header, options.plan.kv_type, measured.ctx_size),
        "its copy while it grew": kv_bytes(header, options.plan.kv_type, measured.grew_at),
        "compute buffer": sum(size for (_device, kind), size in logged.items() if kind == "compute"),
        "logits": sum(size for (_device, kind), size in logged.items() if kind == "output"),
    }
    if options.plan.repack:
        parts["repacked copy"] = logged.get(("CPU_REPACK", "model"), 0)
    return parts


def report(parts: dict[str, int], status: dict[str, int]) -> None:
    """Print the table."""
    over = status["VmHWM"] - sum(parts.values())
    rows: list[tuple[str, int]] = [
        *parts.items(),
        ("**sum of the parts**", sum(parts.values())),
        ("**peak of the worker (VmHWM)**", status["VmHWM"]),
        (f"**peak over the sum** (at most {ALLOWED_MB} MB)", over),
        ("at the end: of its own (RssAnon)", status["RssAnon"]),
        ("at the end: mapped from files (RssFile)", status["RssFile"]),
    ]
    print(markdown_table(["memory", "MB"], [(name, f"{size / MB:,.1f}") for name, size in rows]))


if __name__ == "__main__":
    main()
