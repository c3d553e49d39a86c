"""Measure the peak memory of the engine's worker against the sum of what it must hold.

    python scripts/bench_memory.py MODEL [--ctx-size 8192] [--kv-type f16|q8_0] [--repack] [--flash-attention]

256 prompt tokens and 16 answer tokens are computed. That is enough: every weight has then been read, and llama.cpp
clears the whole KV cache when it makes it, so all of it is in memory however little of it is used.

The weights are counted from the file's tensors, the KV cache from its metadata; the buffers for computing and for
logits and the repacked copy of the weights are those that llama.cpp names in its log. What is left is the Python of
the worker, the libraries, and what nobody counted.
"""

import argparse
import json
import os
import random
import re
from pathlib import Path

import psutil

from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import LoadOptions, SamplingOptions
from qwen_tui.evaluation.measuring import ask, markdown_table, question
from qwen_tui.hardware.processor import physical_cores
from qwen_tui.hardware.tensors import kv_bytes
from qwen_tui.models.gguf import Header, read_header

MB = 1_000_000
# The target: so much may be there beside the parts that are counted.
ALLOWED_MB = 300
PROMPT_TOKENS = 256
ANSWER_TOKENS = 16

# Such as "sched_reserve:        CPU compute buffer size =   140.75 MiB".
BUFFER = re.compile(r"(\S+) +(model|KV|output|compute) buffer size = *([\d.]+) MiB")


def main() -> None:
    """Measure and print the parts, their sum, the peak and the difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
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
        ctx_size=arguments.ctx_size,
        threads=arguments.threads,
        kv_type=arguments.kv_type,
        flash_attention=arguments.flash_attention,
        repack=arguments.repack,
    )
    log: list[str] = []
    ctx_size, status = measure(options, log)
    parts = expected(read_header(arguments.model), options, ctx_size, logged_buffers(log))
    result = {
        "parts": parts,
        "sum": sum(parts.values()),
        "status": status,
        "over": status["VmHWM"] - sum(parts.values()),
    }
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        report(parts, status)
        print(f"\n{arguments.model.name}, context {ctx_size}, KV {options.kv_type}, batches of {options.batch_size}")


def measure(options: LoadOptions, log: list[str]) -> tuple[int, dict[str, int]]:
    """Load, compute, and return the context's size in tokens and the worker's memory in bytes."""
    engine = LocalEngine(options, log=log.append)
    try:
        message = question(engine, PROMPT_TOKENS, random.Random(0))
        ask(engine, message, SamplingOptions(seed=0), ANSWER_TOKENS)
        (worker,) = psutil.Process().children()
        return engine.info().ctx_size, memory_of(worker.pid)
    finally:
        engine.close()


def memory_of(pid: int) -> dict[str, int]:
    """Return what Linux says of a process, in bytes: the peak, what it has of its own, what it maps from files."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {name: int(fields[name].split()[0]) * 1024 for name in ("VmHWM", "VmRSS", "RssAnon", "RssFile", "RssShmem")}


def logged_buffers(log: list[str]) -> dict[tuple[str, str], int]:
    """Return the sizes in bytes of the buffers that llama.cpp named, by device and kind, the last where it repeats."""
    found = (match.groups() for match in map(BUFFER.search, log) if match)
    return {(device, kind): round(float(size) * 2**20) for device, kind, size in found}


def expected(header: Header, options: LoadOptions, ctx_size: int, logged: dict[tuple[str, str], int]) -> dict[str, int]:
    """Return what the worker must hold, in bytes by what it is."""
    parts = {
        "weights, once": sum(tensor.nbytes for tensor in header.tensors),
        "KV cache": kv_bytes(header, options.kv_type, ctx_size),
        "compute buffer": sum(size for (_device, kind), size in logged.items() if kind == "compute"),
        "logits": sum(size for (_device, kind), size in logged.items() if kind == "output"),
    }
    if options.repack:
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
