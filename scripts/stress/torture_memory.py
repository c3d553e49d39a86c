"""Run the program with too little memory, at many limits: each run must end with an answer or one clear message.

    python scripts/stress/torture_memory.py MODEL [--values 64] [--words 200] [--lowest MB] [--highest MB]
    python scripts/stress/torture_memory.py MODEL --rpc LIBRARIES [--values 64] ...

For each of so many limits, `qwen ask` runs with a limited address space (RLIMIT_AS: allocations beyond it fail). Then
the engine alone runs, with three ways to load the model, from the one with the most memory to the one with the least.
The lowest limit is what the program takes without a model, the highest a bit more than what it takes with one. The
script fails after a traceback, a hang, a crash of the program or an unclear message.

With --rpc, a graphics card is short of memory: llama.cpp's RPC server on this computer stands for it, and is limited
instead of the program. The lowest limit is what the server takes when idle, the highest a bit more than what it takes
with all layers. LIBRARIES is the folder with `ggml-rpc-server` and a libllama that knows it;
`scripts/stress/rpc_device.py` builds one. `qwen ask` decides itself how many layers go to the card; the engine alone
begins with all of them, and has ways down to none. POSIX only.
"""

import collections
import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import psutil

from qwen_tui.columns import markdown_table
from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.process import WorkerProcess
from qwen_tui.engine.protocol import LoadOptions, Request, SamplingOptions
from qwen_tui.errors import QwenError
from qwen_tui.hardware.plan import Plan
from qwen_tui.hardware.tensors import all_layers
from qwen_tui.messages import Finished, Message, Note, Text
from qwen_tui.models.gguf import read_header
from scripts.command_line import QWEN, command_line, limit_address_space, report_progress
from scripts.stress.rpc_device import NoServer, device, ladder

MB = 1_000_000
# A run that takes more seconds hangs, or repeats itself without end.
PATIENCE_S = 300.0
ANSWER_TOKENS = 16
GOOD = ("answer", "message")


class Outcome(NamedTuple):
    """How a run ended, and the last sentence of its output."""

    kind: str
    said: str


def main() -> int:
    """Run with each limit, and print the results."""
    parser = command_line(__doc__)
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("--rpc", type=Path, metavar="LIBRARIES", help="limit a device, with the RPC server in there")
    parser.add_argument("--values", type=int, default=64, help="how many limits (default: %(default)s)")
    parser.add_argument("--words", type=int, default=200, help="length of the prompt (default: %(default)s)")
    parser.add_argument("--lowest", type=int, help="in MB; default: what is taken without a model")
    parser.add_argument("--highest", type=int, help="in MB; default: a tenth more than an answer takes")
    arguments = parser.parse_args()

    os.environ["QWEN_TUI_LANG"] = "en"
    victim: Victim
    if arguments.rpc:
        victim = ShortDevice(arguments.model, "word " * arguments.words, arguments.rpc)
    else:
        victim = ShortProgram(arguments.model, "word " * arguments.words)
    lowest = arguments.lowest or victim.idle() // MB + 1
    highest = arguments.highest or victim.busy() * 11 // 10 // MB
    report_progress(f"limits from {lowest} to {highest} MB")
    rows, outcomes = [], list[Outcome]()
    for number in range(arguments.values):
        # In bytes, for a tiny model takes fewer megabytes than there are values.
        limit = (lowest * MB) + (highest - lowest) * MB * number // max(1, arguments.values - 1)
        program, engine = victim.program(limit), victim.engine(limit)
        outcomes += [program, engine]
        rows.append((f"{limit / MB:.1f}", program.kind, program.said, engine.kind, engine.said))
        report_progress(f"{limit / MB:.1f} MB: {program.kind}, {engine.kind}")
    print(markdown_table(("MB", "qwen ask", "says", "the engine", "says"), rows))
    counts = collections.Counter(outcome.kind for outcome in outcomes)
    wrong = sum(count for kind, count in counts.items() if kind not in GOOD)
    print(f"\n{len(outcomes)} runs: " + ", ".join(f"{count} × {kind}" for kind, count in counts.items()))
    print(f"{wrong} ended in neither an answer nor a clear message")
    return int(bool(wrong))


class Victim(Protocol):
    """The process that is short of memory: the address space that it takes, in bytes, and runs with a limit."""

    def idle(self) -> int:
        """Return the address space without a model."""

    def busy(self) -> int:
        """Return the largest address space while a question is answered."""

    def program(self, limit: int) -> Outcome:
        """Run `qwen ask`."""

    def engine(self, limit: int) -> Outcome:
        """Answer with the engine alone."""


class ShortProgram:
    """The program on the CPU: all of its processes are limited; with the engine alone, only the worker is."""

    def __init__(self, model: Path, prompt: str) -> None:
        self._model, self._prompt = model, prompt

    def idle(self) -> int:
        # With less, Python cannot import its own modules, and its message is not ours. Sampling may miss the maximum.
        limit = self._address_space(["ask", "--help"])
        while run_program(["ask", "--help"], limit_address_space(limit)).kind != "answer":
            limit += MB
        return limit

    def busy(self) -> int:
        return self._address_space(question(self._model, self._prompt))

    def program(self, limit: int) -> Outcome:
        return run_program(question(self._model, self._prompt), limit_address_space(limit))

    def engine(self, limit: int) -> Outcome:
        plain = options(self._model)
        steps = [
            plain.planned(repack=True, batch_size=512),
            plain.planned(batch_size=256),
            plain.planned(batch_size=64, kv_type="q8_0", flash_attention=True),
        ]
        return run_engine(CountedEngine(steps, limit), self._prompt)

    def _address_space(self, arguments: list[str]) -> int:
        with started(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as program:
            return largest(program.pid, lambda: program.poll() is None)


class ShortDevice:
    """A device beside the CPU. Every run has its own server, because a server that has failed may be dead."""

    def __init__(self, model: Path, prompt: str, libraries: Path) -> None:
        self._model, self._prompt, self._libraries = model, prompt, libraries

    def idle(self) -> int:
        with device(self._libraries) as server:
            limit = psutil.Process(server.pid).memory_info().vms
        # The start of the server takes more for a moment.
        while True:
            with contextlib.suppress(NoServer), device(self._libraries, limit):
                return limit
            limit += MB

    def busy(self) -> int:
        # Measure both: the program and the engine alone may give the device different numbers of layers.
        return max(self._watched(self._run_engine), self._watched(self._run_program))

    def program(self, limit: int) -> Outcome:
        with device(self._libraries, limit):
            return self._run_program()

    def engine(self, limit: int) -> Outcome:
        with device(self._libraries, limit):
            return self._run_engine()

    def _run_program(self) -> Outcome:
        return run_program(question(self._model, self._prompt))

    def _run_engine(self) -> Outcome:
        most = all_layers(read_header(self._model))
        plain = options(self._model).planned(flash_attention=True, kv_type="q8_0")
        return run_engine(CountedEngine(ladder(plain, most, most // 2, most // 4)), self._prompt)

    def _watched(self, run: Callable[[], Outcome]) -> int:
        with device(self._libraries) as server, ThreadPoolExecutor(1) as pool:
            running = pool.submit(run)
            taken = largest(server.pid, lambda: not running.done())
            if running.result().kind != "answer":
                sys.exit(f"There is no answer without a limit, either: {running.result().said}")
            return taken


def question(model: Path, prompt: str) -> list[str]:
    """Return the arguments of `qwen` that ask the question."""
    sampling = ["-o", f"max_tokens={ANSWER_TOKENS}", "-o", "temperature=0"]
    return ["ask", "-m", str(model), "-n", *sampling, prompt]


def options(model: Path) -> LoadOptions:
    """Return what all ways to load the model have in common."""
    return LoadOptions(
        path=os.fsencode(model),
        plan=Plan(ctx_size=4096, threads=os.cpu_count() or 1, batch_threads=os.cpu_count() or 1),
        warm_up=True,
    )


@contextlib.contextmanager
def started(arguments: list[str], **how: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """Start the program in a new home folder: in a used one it would remember what has worked."""
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"QWEN_TUI_HOME": home}
        with subprocess.Popen([*QWEN, *arguments], env=environment, **how) as program:
            yield program


def largest(pid: int, goes_on: Callable[[], bool]) -> int:
    """Return the largest address space of a process and its children while `run` runs, in bytes."""
    most = 0
    while goes_on():
        try:
            family = [psutil.Process(pid), *psutil.Process(pid).children()]
            most = max(most, *(process.memory_info().vms for process in family))
        except psutil.NoSuchProcess:
            continue
        time.sleep(0.01)
    return most


def run_program(arguments: list[str], limit: Callable[[], None] | None = None) -> Outcome:
    """Run the program; `limit` limits its process."""
    with started(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=limit) as program:
        try:
            parts = program.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            program.kill()
            return Outcome("hang", "")
    answer, errors = (part.decode("utf-8", "replace").strip() for part in parts)
    lines = errors.splitlines()
    last = lines[-1][:100] if lines else ""
    if "Traceback" in errors or "Fatal Python error" in errors:
        return Outcome("traceback", last)
    if program.returncode < 0:
        return Outcome("crash", f"signal {-program.returncode}")
    if program.returncode == 0:
        return Outcome("answer" if answer else "silent", last)
    # Notes may come before the message.
    message = [line for line in lines if line.startswith("qwen: ")]
    return Outcome(
        "message" if len(message) == 1 and len(lines) <= 6 else "unclear", (message or lines or [""])[0][:100]
    )


def run_engine(engine: "CountedEngine", prompt: str) -> Outcome:
    """Answer with the engine, and close it."""
    request = Request(
        messages=(Message("user", prompt),), sampler=SamplingOptions(temperature=0), max_tokens=ANSWER_TOKENS
    )
    begun, text, notes = time.monotonic(), "", list[str]()
    with closing(engine):
        try:
            for event in engine.stream(request):
                text += event.piece if isinstance(event, Text) else ""
                notes += [event.sentence] if isinstance(event, Note) else []
                if time.monotonic() - begun > PATIENCE_S:
                    return Outcome("hang", type(event).__name__)
                if isinstance(event, Finished) and event.reason == "interrupted":
                    return Outcome("unclear", "interrupted")
            layers = engine.info().gpu_layers
        except QwenError as error:
            return Outcome("message" if error.remedy else "unclear", error.message.splitlines()[0][:100])
        # Allowed are one worker for each way, one more after a crash while loading, one after a crash in the answer.
        if engine.workers > engine.steps + 2:
            return Outcome("crash loop", f"{engine.workers} workers")
    said = [*notes, *([f"{layers} layers on the device"] if layers else [])]
    return Outcome("answer" if text else "silent", " ".join(said)[:160])


class CountedEngine(LocalEngine):
    """An engine that counts its workers, and limits each, if there is a limit, before it loads anything."""

    def __init__(self, steps: list[LoadOptions], limit: int | None = None) -> None:
        super().__init__(steps, start_worker=self._start_limited)
        self.steps = len(steps)
        self._limit = limit
        # How many workers there have been.
        self.workers = 0

    def _start_limited(self, log: Callable[[str], None] | None) -> WorkerProcess:
        others = {child.pid for child in psutil.Process().children()}
        worker = WorkerProcess(log)
        self.workers += 1
        for child in psutil.Process().children():
            if child.pid not in others and self._limit is not None:
                resource.prlimit(child.pid, resource.RLIMIT_AS, (self._limit, self._limit))
        return worker


if __name__ == "__main__":
    sys.exit(main())
