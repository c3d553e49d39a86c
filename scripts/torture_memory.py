"""Give the program too little memory, in many degrees: each run must end with an answer or with one clear message.

    python scripts/torture_memory.py MODEL [--values 64] [--words 200] [--lowest MB] [--highest MB]

For each of so many limits between too little and plenty, `qwen ask` runs with its address space limited (RLIMIT_AS, so
that each allocation beyond it fails), and the engine alone with three ways to load the model, from the hungriest to the
most modest. The lowest limit is what the program takes without a model, the highest what it takes with it, and a bit
more. A traceback, a hang, a crash of the program or a message that says nothing makes the script fail. POSIX only.
"""

import argparse
import collections
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil
from measuring import limiting, tell

from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.process import WorkerProcess
from qwen_tui.engine.protocol import LoadOptions, Request, SamplingOptions
from qwen_tui.errors import QwenError
from qwen_tui.evaluation.measuring import markdown_table
from qwen_tui.messages import Finished, Message, Note, Text

MB = 1_000_000
# A run that takes longer hangs, or goes round in circles.
PATIENCE_S = 300.0
ANSWER_TOKENS = 16
GOOD = ("answer", "message")
COMMAND = [sys.executable, "-P", "-m", "qwen_tui.cli.main"]


class Outcome(NamedTuple):
    """How a run ended, and the sentence that tells."""

    kind: str
    said: str


def main() -> int:
    """Run through the limits and print what came of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("--values", type=int, default=64, help="how many limits (default: %(default)s)")
    parser.add_argument("--words", type=int, default=200, help="length of the prompt (default: %(default)s)")
    parser.add_argument("--lowest", type=int, help="in MB; default: what the program takes without a model")
    parser.add_argument("--highest", type=int, help="in MB; default: a tenth more than an answer takes")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"QWEN_TUI_HOME": home, "QWEN_TUI_LANG": "en"}
        prompt = "word " * arguments.words
        ask = [
            "ask",
            "-m",
            str(arguments.model),
            "-n",
            "-o",
            f"max_tokens={ANSWER_TOKENS}",
            "-o",
            "temperature=0",
            prompt,
        ]
        lowest = arguments.lowest or address_space(["--help"]) // MB
        highest = arguments.highest or address_space(ask) * 11 // 10 // MB
        tell(f"limits from {lowest} to {highest} MB")
        rows, outcomes = [], list[Outcome]()
        for number in range(arguments.values):
            limit = lowest + (highest - lowest) * number // max(1, arguments.values - 1)
            program = run_program(ask, limit * MB)
            engine = run_engine(arguments.model, prompt, limit * MB)
            outcomes += [program, engine]
            rows.append((limit, program.kind, program.said, engine.kind, engine.said))
            tell(f"{limit} MB: {program.kind}, {engine.kind}")
    print(markdown_table(("MB", "qwen ask", "says", "the engine", "says"), rows))
    counts = collections.Counter(outcome.kind for outcome in outcomes)
    wrong = sum(count for kind, count in counts.items() if kind not in GOOD)
    print(f"\n{len(outcomes)} runs: " + ", ".join(f"{count} × {kind}" for kind, count in counts.items()))
    print(f"{wrong} ended in neither an answer nor a clear message")
    return int(bool(wrong))


def address_space(arguments: list[str]) -> int:
    """Return the largest address space that one process of the program took, in bytes."""
    most = 0
    program = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while program.poll() is None:
        try:
            family = [psutil.Process(program.pid), *psutil.Process(program.pid).children()]
            most = max(most, *(process.memory_info().vms for process in family))
        except psutil.NoSuchProcess:
            continue
        time.sleep(0.01)
    return most


def run_program(arguments: list[str], limit: int) -> Outcome:
    """Run the program, all of it limited."""
    program = subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=limiting(limit)
    )
    try:
        answer, errors = (part.decode("utf-8", "replace").strip() for part in program.communicate(timeout=PATIENCE_S))
    except subprocess.TimeoutExpired:
        program.kill()
        program.communicate()
        return Outcome("hang", "")
    lines = errors.splitlines()
    last = lines[-1][:100] if lines else ""
    if "Traceback" in errors or "Fatal Python error" in errors:
        return Outcome("traceback", last)
    if program.returncode < 0:
        return Outcome("crash", f"signal {-program.returncode}")
    if program.returncode == 0:
        return Outcome("answer" if answer else "silent", last)
    # Notes may stand before it.
    message = [line for line in lines if line.startswith("qwen: ")]
    return Outcome(
        "message" if len(message) == 1 and len(lines) <= 6 else "unclear", (message or lines or [""])[0][:100]
    )


def run_engine(model: Path, prompt: str, limit: int) -> Outcome:
    """Answer with the engine, of which only the worker is limited."""
    plain = LoadOptions(path=os.fsencode(model), ctx_size=4096, threads=os.cpu_count() or 1, warm_up=True)
    steps = [
        msgspec.structs.replace(plain, repack=True, batch_size=512),
        msgspec.structs.replace(plain, batch_size=256),
        msgspec.structs.replace(plain, batch_size=64, kv_type="q8_0", flash_attention=True),
    ]
    request = Request(
        messages=(Message("user", prompt),), sampler=SamplingOptions(temperature=0), max_tokens=ANSWER_TOKENS
    )
    begun, text, notes = time.monotonic(), "", list[str]()
    workers = LimitedWorkers(limit)
    with closing(LocalEngine(steps, start_worker=workers.start)) as engine:
        try:
            for event in engine.stream(request):
                text += event.piece if isinstance(event, Text) else ""
                notes += [event.sentence] if isinstance(event, Note) else []
                if time.monotonic() - begun > PATIENCE_S:
                    return Outcome("hang", type(event).__name__)
                if isinstance(event, Finished) and event.reason == "interrupted":
                    return Outcome("unclear", "interrupted")
        except QwenError as error:
            return Outcome("message" if error.remedy else "unclear", error.message.splitlines()[0][:100])
        # Each step once, and one accident in the loading and one in the answer.
        if workers.started > len(steps) + 2:
            return Outcome("crash loop", f"{workers.started} workers")
    return Outcome("answer" if text else "silent", " ".join(notes)[:100])


class LimitedWorkers:
    """Starts workers that are limited as soon as they run: long before they have loaded anything."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # How many workers there have been.
        self.started = 0

    def start(self, log: Callable[[str], None] | None) -> WorkerProcess:
        """Start one, and limit it."""
        others = {child.pid for child in psutil.Process().children()}
        worker = WorkerProcess(log)
        self.started += 1
        for child in psutil.Process().children():
            if child.pid not in others:
                resource.prlimit(child.pid, resource.RLIMIT_AS, (self._limit, self._limit))
        return worker


if __name__ == "__main__":
    sys.exit(main())
