"""Compare reading and writing behind texts of several lengths with llama.cpp's `llama-bench`.

    python scripts/bench/llama_bench.py MODEL --llama-bench PATH [--depths 0 1024 4096] [--rounds 5] [--read 128]
        [--answer 16]

Ours has the plan in force: the one that `qwen tune` found on this PC, or else that of the rules. llama-bench runs twice
beside it: with the same settings, and with its own defaults (repacked weights, flash attention as it decides, batches
of 512), of which only the threads are ours. In each round all three read --read tokens, and later write --answer
tokens, behind the tokens of the depth. These are computed once: between two rounds, llama-bench is suspended. Trust
the ratios, which compare the figures of one round.
"""

import contextlib
import json
import random
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from qwen_tui import config, files
from qwen_tui.cli import wiring
from qwen_tui.cli.environment import Environment
from qwen_tui.columns import markdown_table
from qwen_tui.config import Config
from qwen_tui.engine.protocol import Engine, LoadOptions, ReplayOptions
from qwen_tui.evaluation.llama_bench import command
from qwen_tui.evaluation.measuring import ask, question, spread, words
from scripts.command_line import command_line, report_progress

EQUAL, DEFAULTS = "equal settings", "its defaults"


class SuspendedBench:
    """A llama-bench that rests after each of its tests: `next_speed` lets it run until the next one is done."""

    def __init__(self, words: Sequence[str]) -> None:
        # The delay keeps the beginning of the next test away from the moment at which the program is suspended.
        self._process = psutil.Popen(
            [*words, "-o", "jsonl", "--delay", "1"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._process.suspend()

    def next_speed(self) -> float:
        """Return the tokens per second of the next test."""
        self._process.resume()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"llama-bench ended with {self._process.wait()}")
        self._process.suspend()
        return float(json.loads(line)["avg_ts"])

    def end(self) -> None:
        """End the program, wherever it is."""
        self._process.kill()
        self._process.wait()


def main() -> None:
    """Measure depth by depth and print the medians."""
    parser = command_line(__doc__)
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("--llama-bench", type=Path, required=True, help="the program, built from the same llama.cpp")
    parser.add_argument("--depths", type=int, nargs="+", default=[0, 1024, 4096], help="tokens before what is measured")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--read", type=int, default=128, help="tokens that are read (default: %(default)s)")
    parser.add_argument("--answer", type=int, default=16, help="tokens that are written (default: %(default)s)")
    arguments = parser.parse_args()

    settings: Config = config.load(files.folders().config_file).config
    subject = wiring.planner(Environment.of_process(), Config(model=str(arguments.model), ctx_size=settings.ctx_size))
    plan = subject.in_force()
    options = subject.load_options(plan.plan, plan.costs)
    rows: list[Sequence[object]] = []
    with contextlib.closing(subject.open_engine(options)) as engine:
        for depth in arguments.depths:
            sizes = {"reading": arguments.read, "writing": arguments.answer}
            ours = {"reading": _reading(engine, depth, arguments.read), "writing": _writing(engine, depth, sizes)}
            with _beside(arguments.llama_bench, options, depth, sizes, arguments.rounds) as theirs:
                for what, our_speeds in ours.items():
                    rounds = []
                    for number in range(arguments.rounds):
                        rounds.append((next(our_speeds), *(bench.next_speed() for bench in theirs.values())))
                        report_progress(f"depth {depth}, {what}, round {number + 1}: {rounds[-1]}")
                    rows.append(_row(what, depth, rounds))
    head = ["", "behind", "qwen-tui, tokens/s"]
    for name in (EQUAL, DEFAULTS):
        head += [f"llama-bench, {name}", "ratio"]
    print(markdown_table(head, rows))
    print(f"\n{plan.describe()}")


@contextlib.contextmanager
def _beside(
    program: Path, options: LoadOptions, depth: int, sizes: dict[str, int], rounds: int
) -> Iterator[dict[str, SuspendedBench]]:
    """Start llama-bench with both settings: first it reads in each round, then it writes in each."""
    tests = ["-d", str(depth)]
    for flag, size in zip(("-p", "-n"), sizes.values(), strict=True):
        tests += [flag, ",".join([str(size)] * rounds)]
    started = {name: SuspendedBench(command(program, options, tests, ours=name == EQUAL)) for name in (EQUAL, DEFAULTS)}
    try:
        yield started
    finally:
        for bench in started.values():
            bench.end()


def _reading(engine: Engine, depth: int, size: int) -> Iterator[float]:
    """Yield the tokens per second of reading so many tokens, new ones each time, behind those of the depth."""
    rng = random.Random(depth)
    before = words(depth, rng) if depth else ""
    replay = ReplayOptions(text=words(1, rng))
    ask(engine, question(engine, depth + size, rng, before), replay, 1)
    while True:
        read = ask(engine, question(engine, depth + size, rng, before), replay, 1)
        yield read.prompt_tokens / read.prompt_s


def _writing(engine: Engine, depth: int, sizes: dict[str, int]) -> Iterator[float]:
    """Yield the tokens per second of writing behind the tokens of the depth."""
    rng, size = random.Random(depth), sizes["writing"]
    before = words(depth or 1, rng)
    replay = ReplayOptions(text=words(4 * size, rng))
    message = question(engine, max(depth, 16), rng, before)
    while True:
        # One more token than is counted, because the last token is not decoded.
        written = ask(engine, message, replay, size + 1)
        yield written.answer_tokens / written.answer_s


def _row(what: str, depth: int, rounds: Sequence[Sequence[float]]) -> list[object]:
    ours, *theirs = zip(*rounds, strict=True)
    row: list[object] = [what, depth, spread(ours)]
    for speeds in theirs:
        row += [spread(speeds), spread([our / their for our, their in zip(ours, speeds, strict=True)])]
    return row


if __name__ == "__main__":
    main()
