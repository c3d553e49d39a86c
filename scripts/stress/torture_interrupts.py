"""Interrupt the engine at random moments, measure how soon it returns, and check that it works as before.

    python scripts/stress/torture_interrupts.py MODEL [--count 100] [--phases load,context,prefill,decode]

The interrupts are spread evenly over the phases, at random moments of an undisturbed phase. Every second one comes from
a signal handler, like Ctrl-C, the others from another thread.

- load: `load()` is cancelled, as in the REPL; in half of the cases the engine is then closed, as by `qwen ask`.
- context: the first question to a new worker, which allocates the KV cache.
- prefill, decode: a long prompt and a long answer, in an engine that lives on from one interrupt to the next.

After each, a fixed prompt is answered greedily, and compared with the answer of an engine without interrupts under the
same conditions: as the first question of a worker, or as a later one, whose opening is cached.
"""

import json
import os
import random
import signal
import statistics
import threading
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import psutil

from qwen_tui import cancellation
from qwen_tui.cancellation import Cancellation
from qwen_tui.columns import markdown_table
from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import LoadOptions, ReplayOptions, Request, SamplingOptions
from qwen_tui.evaluation.measuring import WORDS, ask, question
from qwen_tui.hardware.plan import Plan
from qwen_tui.hardware.processor import physical_cores
from qwen_tui.messages import Finished, Loading, Message, Prefill, Text
from scripts.command_line import command_line, report_progress

PHASES = ("load", "context", "prefill", "decode")
CHECKS = ("用小学生能听懂的话解释 HTTP", "Explain HTTP to a primary school pupil")
# The target: no interrupt takes longer, in seconds.
WORST_S = 1.0
# If a random moment lies after the end of its phase, another one is chosen, at most so many times.
DRAWS = 50

Questions = dict[str, Callable[[LocalEngine], Request]]


class Hit(NamedTuple):
    """The seconds from an interrupt until `load` or `stream` returned, and until `close` did, if it was called."""

    returned_s: float
    closed_s: float | None = None
    replaced: bool = False


class Interrupt(NamedTuple):
    """One interrupt, and whether the answer after it was right."""

    phase: str
    by_signal: bool
    hit: Hit
    equal: bool


class Interruption:
    """Cancels an operation later, by a signal or from a thread; `at` is the time when it did, 0 before."""

    def __init__(self, operation: Cancellation, *, by_signal: bool) -> None:
        self._operation = operation
        self._by_signal = by_signal
        self._timer = threading.Timer(0, self._cancel)
        self.at = 0.0

    def arm(self, delay: float) -> None:
        """Cancel in so many seconds."""
        if self._by_signal:
            signal.signal(signal.SIGALRM, self._on_alarm)
            signal.setitimer(signal.ITIMER_REAL, max(delay, 1e-6))
        else:
            self._timer = threading.Timer(delay, self._cancel)
            self._timer.start()

    def disarm(self) -> None:
        """Do not cancel any more."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._timer.cancel()
        if self._timer.is_alive():
            self._timer.join()

    def _on_alarm(self, _number: int, _frame: FrameType | None) -> None:
        self._cancel()

    def _cancel(self) -> None:
        self.at = time.perf_counter()
        self._operation.cancel()


class Undisturbed:
    """The answers of engines without interrupts, and the duration of their phases, in seconds."""

    def __init__(self, options: LoadOptions, checks: Sequence[str], tokens: int, questions: Questions) -> None:
        self._checks = checks
        self._tokens = tokens
        self._as_first: dict[str, str] = {}
        self._as_later: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        self._worker: int | None = None
        for check in checks:
            engine = LocalEngine(options)
            try:
                begun = time.perf_counter()
                drain(engine.load())
                load_s = time.perf_counter() - begun
                self._as_first[check], _cached, context_s = self._answer(engine, check)
                if check == checks[0]:
                    self.seconds = {"load": load_s, "context": context_s}
                    for phase in ("prefill", "decode"):
                        self.seconds[phase] = measured(engine, phase, questions[phase](engine))
                    self._as_later = {check: self._answer(engine, check)[0] for check in checks}
            finally:
                engine.close()

    def agree(self, engine: LocalEngine, index: int) -> bool:
        """Whether a greedy answer of `engine` is the same as that of an engine without interrupts."""
        drain(engine.load())
        # A new worker starts with the first prompt, like the other: then the cached opening comes from the same batch.
        check = self._checks[index % len(self._checks) if worker_of_this() == self._worker else 0]
        answer, cached, _seconds = self._answer(engine, check)
        self._worker = worker_of_this()
        return answer == (self._as_later if cached else self._as_first)[check]

    def _answer(self, engine: LocalEngine, prompt: str) -> tuple[str, int, float]:
        """Return a greedy answer, how many prompt tokens were cached, and the seconds until it began."""
        greedy = SamplingOptions(temperature=0)
        request = Request(messages=(Message("user", prompt),), sampler=greedy, max_tokens=self._tokens)
        pieces: list[str] = []
        cached = 0
        begun = first = time.perf_counter()
        for event in engine.stream(request):
            if isinstance(event, Text):
                first = first if pieces else time.perf_counter()
                pieces.append(event.piece)
            elif isinstance(event, Finished):
                cached = event.usage.cached_tokens
        return "".join(pieces), cached, first - begun


class Torture:
    """Interrupts an engine again and again."""

    def __init__(
        self, options: LoadOptions, undisturbed: Undisturbed, questions: Questions, rng: random.Random
    ) -> None:
        self._options = options
        self._undisturbed = undisturbed
        self._questions = questions
        self._rng = rng
        self._engine = LocalEngine(options)

    def run(self, phase: str, count: int) -> Iterable[Interrupt]:
        """Interrupt `count` times in one phase."""
        self._undisturbed.agree(self._engine, 0)
        for index in range(count):
            # All combinations: by signal or by thread, with and without `close`.
            by_signal, close = index % 2 == 1, index // 2 % 2 == 1
            hit = None
            for _draw in range(DRAWS):
                self._prepare(phase)
                delay = self._rng.uniform(0, self._undisturbed.seconds[phase])
                with cancellation.operation() as operation:
                    interruption = Interruption(operation, by_signal=by_signal)
                    if phase == "load":
                        hit = self._interrupt_load(interruption, delay, close=close)
                    else:
                        hit = self._interrupt_answer(interruption, delay, phase)
                if hit is not None:
                    break
            if hit is None:
                raise SystemExit(f"{DRAWS} interrupts in a row came after the end of {phase}: give a longer one")
            yield Interrupt(phase, by_signal, hit, self._undisturbed.agree(self._engine, index))

    def close(self) -> None:
        """End the engine."""
        self._engine.close()

    def _prepare(self, phase: str) -> None:
        if phase in ("load", "context"):
            # These phases happen once in the life of a worker.
            self._engine.close()
            self._engine = LocalEngine(self._options)
        if phase != "load":
            # Every turn of the program begins an operation.
            drain(self._engine.load())

    def _interrupt_load(self, interruption: Interruption, delay: float, *, close: bool) -> Hit | None:
        """Interrupt the loading; return None if it was over before."""
        interruption.arm(delay)
        loaded = drain(self._engine.load())
        returned = time.perf_counter()
        interruption.disarm()
        if loaded:
            return None
        if not close:
            return Hit(returned - interruption.at)
        self._engine.close()
        return Hit(returned - interruption.at, time.perf_counter() - interruption.at)

    def _interrupt_answer(self, interruption: Interruption, delay: float, phase: str) -> Hit | None:
        """Interrupt a phase of an answer; return None if it was over before."""
        request = self._questions[phase](self._engine)
        worker = worker_of_this()
        stage = "prefill"
        if phase != "decode":
            interruption.arm(delay)
        for event in self._engine.stream(request):
            if stage == "prefill" and isinstance(event, Prefill) and event.done == event.total:
                if phase == "decode":
                    interruption.arm(delay)
                if not interruption.at:
                    stage = "decode"
            if isinstance(event, Finished):
                reason = event.reason
        returned = time.perf_counter()
        interruption.disarm()
        if reason != "interrupted" or phase not in (stage, "context"):
            return None
        return Hit(returned - interruption.at, replaced=worker_of_this() != worker)


def main() -> None:
    """Interrupt one phase after the other, and print the results."""
    parser = command_line(__doc__)
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("--count", type=int, default=100, help="interrupts in all (default: %(default)s)")
    parser.add_argument("--phases", default=",".join(PHASES), help="default: %(default)s")
    parser.add_argument("--prompt", type=int, default=512, help="tokens of the long prompt (default: %(default)s)")
    parser.add_argument("--answer", type=int, default=64, help="tokens of the long answer (default: %(default)s)")
    parser.add_argument("--check-answers", nargs="*", metavar="PROMPT", help="default, or if none is given: two")
    parser.add_argument("--check-tokens", type=int, default=24, help="tokens compared (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=physical_cores(), help="default: the physical cores")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print every interrupt as JSON")
    arguments = parser.parse_args()
    phases = arguments.phases.split(",")
    if unknown := set(phases) - set(PHASES):
        parser.error(f"unknown phases: {', '.join(sorted(unknown))}")

    options = LoadOptions(
        path=os.fsencode(arguments.model), plan=Plan(threads=arguments.threads, batch_threads=arguments.threads)
    )
    rng = random.Random(arguments.seed)
    questions = make_questions(arguments.prompt, arguments.answer, rng)
    undisturbed = Undisturbed(options, arguments.check_answers or CHECKS, arguments.check_tokens, questions)
    report_progress(f"undisturbed, in seconds: {undisturbed.seconds}")
    torture = Torture(options, undisturbed, questions, rng)
    interrupts: list[Interrupt] = []
    # If the script is stopped, for example by `timeout`, it still reports what was done.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for index, phase in enumerate(phases):
            share = arguments.count // len(phases) + (index < arguments.count % len(phases))
            for interrupt in torture.run(phase, share):
                interrupts.append(interrupt)
                report_progress(str(interrupt))
    except KeyboardInterrupt:
        report_progress("cut short")
    finally:
        torture.close()
    if arguments.json:
        print(json.dumps([interrupt._asdict() | interrupt.hit._asdict() for interrupt in interrupts], indent=2))
    else:
        report(interrupts)
        print(f"\n{arguments.model.name}, {arguments.threads} threads, load average {os.getloadavg()[0]:.1f}; ", end="")
        print("undisturbed: " + ", ".join(f"{phase} {took:.3f} s" for phase, took in undisturbed.seconds.items()))


def make_questions(prompt: int, answer: int, rng: random.Random) -> Questions:
    """Return for each phase a function that makes a new question, with a long prompt or for a long answer."""

    def words(count: int) -> str:
        return " ".join(rng.choices(WORDS.split(), k=count))

    short = Request(messages=(Message("user", words(8)),), max_tokens=8)
    return {
        "context": lambda _engine: short,
        "prefill": lambda engine: Request(messages=(question(engine, prompt, rng),), max_tokens=1),
        "decode": lambda _engine: Request(
            messages=(Message("user", words(8)),), sampler=ReplayOptions(text=words(2 * answer)), max_tokens=answer
        ),
    }


def measured(engine: LocalEngine, phase: str, request: Request) -> float:
    """Return the seconds that the phase of an answer takes."""
    timed = ask(engine, request.messages[0], request.sampler, request.max_tokens)
    return timed.prompt_s if phase == "prefill" else timed.answer_s


def drain(loading: Generator[Loading, None, bool]) -> bool:
    """Load to the end, and return the value of the generator."""
    while True:
        try:
            next(loading)
        except StopIteration as ended:
            return bool(ended.value)


def worker_of_this() -> int | None:
    """Return the process id of the worker, None if there is none."""
    children = psutil.Process().children()
    return children[0].pid if children else None


def report(interrupts: Sequence[Interrupt]) -> None:
    """Print the table, one line for each phase, and one for what `close` adds."""
    rows = []
    for phase in PHASES:
        chosen = [interrupt for interrupt in interrupts if interrupt.phase == phase]
        closed = [interrupt for interrupt in chosen if interrupt.hit.closed_s is not None]
        if chosen:
            rows.append(row(phase, [interrupt.hit.returned_s for interrupt in chosen], chosen))
        if closed:
            rows.append(row(f"{phase}, then closed", [interrupt.hit.closed_s or 0.0 for interrupt in closed], closed))
    head = ["phase", "interrupts", "median s", f"worst s (target {WORST_S})", "workers replaced", "next answer equal"]
    print(markdown_table(head, rows))


def row(name: str, seconds: Sequence[float], interrupts: Sequence[Interrupt]) -> list[object]:
    """Return one line of the table."""
    return [
        name,
        len(interrupts),
        f"{statistics.median(seconds):.3f}",
        f"{max(seconds):.3f}",
        sum(interrupt.hit.replaced for interrupt in interrupts),
        f"{sum(interrupt.equal for interrupt in interrupts)} of {len(interrupts)}",
    ]


if __name__ == "__main__":
    main()
