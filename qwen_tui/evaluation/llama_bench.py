"""Runs llama.cpp's own `llama-bench` as a yardstick, with the settings of our engine."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qwen_tui import cancellation, programs
from qwen_tui.engine.protocol import LoadOptions
from qwen_tui.errors import EngineError, UsageError
from qwen_tui.i18n import gettext as _

PROGRAM = "llama-bench"


def find(named: str | None) -> Path | None:
    """Return the program `named`, else the one on the PATH, if any; raises `UsageError` if `named` is missing."""
    found = programs.find(named or PROGRAM)
    if named and not found:
        raise UsageError(
            _("There is no program {path}.").format(path=named),
            _("Give the path of llama-bench, or leave --llama-bench out."),
        )
    return Path(found) if found else None


def speeds(
    program: Path, options: LoadOptions, prompt: int, answer: int, depths: Sequence[int]
) -> dict[tuple[str, int], float]:
    """Return tokens per second by ("prompt" or "answer", depth); llama-bench warms up by itself.

    Raises `EngineError`.
    """
    at = ["-d", ",".join(map(str, depths))]
    # llama-bench has one number of threads for prefill and decode, so it runs once for each.
    read = options.plan.batch_threads
    tests = [
        *llama_bench(program, options, ["-p", str(prompt), "-n", "0", *at], threads=read),
        *llama_bench(program, options, ["-p", "0", "-n", str(answer), *at]),
    ]
    return {("answer" if test["n_gen"] else "prompt", int(test["n_depth"])): float(test["avg_ts"]) for test in tests}


def llama_bench(
    program: Path,
    options: LoadOptions,
    tests: Sequence[str],
    *,
    threads: int | None = None,
    ours: bool = True,
) -> list[dict[str, Any]]:
    """Run the program with the arguments `tests`, and return its results; the rest is as for `command`.

    Raises `EngineError`.
    """
    words = command(program, options, [*tests, "-o", "json"], threads=threads, ours=ours)
    try:
        running = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        said, complained = cancellation.current().communicate(running)
        if running.returncode:
            lines = complained.decode("utf-8", "replace").strip().splitlines()
            raise ValueError("\n".join(lines[-3:]) or str(running.returncode))
        results: list[dict[str, Any]] = json.loads(said)
    except (OSError, ValueError) as error:
        raise EngineError(
            _("llama-bench failed: {reason}").format(reason=error),
            _("Build it from the llama.cpp of llama-cpp-python, or leave --llama-bench out."),
        ) from error
    return results


def command(
    program: Path, options: LoadOptions, tests: Sequence[str], *, threads: int | None = None, ours: bool = True
) -> list[str]:
    """Return the command line for the arguments `tests`, each of them run once.

    It has our settings. Without `ours`, only the threads and the layers on a GPU are ours.
    """
    settings = {
        "-m": os.fsdecode(options.path),
        "-t": threads or options.plan.threads,
        "-ngl": options.plan.gpu_layers,
        "-r": 1,
    }
    if ours:
        settings |= _ours(options)
    return [str(program), *(str(word) for pair in settings.items() for word in pair), *tests]


def _ours(options: LoadOptions) -> dict[str, str | int]:
    return {
        "-b": options.plan.batch_size,
        "-ub": options.plan.batch_size,
        "-fa": "on" if options.plan.flash_attention else "off",
        "-ctk": options.plan.kv_type,
        "-ctv": options.plan.kv_type,
        "--repack": int(options.plan.repack),
    }
