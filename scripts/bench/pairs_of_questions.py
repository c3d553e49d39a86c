"""Ask two questions about the same material in a row, and measure how much of it the second one computes again.

    python scripts/bench/pairs_of_questions.py MODEL [--pairs 20] [--tokens 700] [--answer 8] [--pause 3]
        [--beside quiet busy] [--option NAME=VALUE]

Each question is a `qwen ask` of its own, as a person or a script would start it. Half of the pairs have no pause
between their questions, half a random one of up to `--pause` seconds. All pairs are asked on a quiet PC, then again
beside a busy loop. Every pair has its own material and its own home folder, so the model's SHA-256 is not known yet.
The script prints how many tokens of each second prompt were cached, and exits with 1 if there were none in any.
"""

import argparse
import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from qwen_tui.evaluation.measuring import words
from scripts.command_line import QWEN, command_line, report_progress

QUESTIONS = ("What is this about?", "Which word comes first?")


class Pair(NamedTuple):
    """The result of a pair: the seconds of both questions, and of the second prompt the cached and all tokens."""

    first_s: float
    second_s: float
    cached: int
    prompt: int


def main() -> int:
    """Ask all pairs, and print how much was cached; return 1 if there was nothing for one of them."""
    parser = command_line(__doc__)
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("--pairs", type=int, default=20, help="of each kind (default: %(default)s)")
    parser.add_argument("--tokens", type=int, default=700, help="of the material, about (default: %(default)s)")
    parser.add_argument("--answer", type=int, default=8, help="tokens of each answer (default: %(default)s)")
    parser.add_argument(
        "--pause", type=float, default=3.0, help="the longest, in seconds; 0: none but at once (default: %(default)s)"
    )
    parser.add_argument("--beside", nargs="+", choices=("quiet", "busy"), default=["quiet", "busy"])
    parser.add_argument("--option", action="append", default=[], help="as -o of qwen ask, for all questions")
    arguments = parser.parse_args()
    rng = random.Random(12)
    missed = 0
    for beside in arguments.beside:
        with busy_loop() if beside == "busy" else contextlib.nullcontext():
            kinds = {"at once": 0.0, f"after up to {arguments.pause:g} s": arguments.pause}
            for kind, pause in list(kinds.items())[: 2 if arguments.pause else 1]:
                pairs = []
                for number in range(arguments.pairs):
                    pairs.append(ask_pair(arguments, rng, rng.uniform(0, pause)))
                    report_progress(f"{beside}, {kind}, pair {number + 1}: {pairs[-1]}")
                missed += report(f"{beside}, {kind}", pairs)
    return min(missed, 1)


def ask_pair(arguments: argparse.Namespace, rng: random.Random, pause: float) -> Pair:
    """Ask both questions in a new home folder, with a `pause` between them."""
    material = words(arguments.tokens, rng)
    with tempfile.TemporaryDirectory(prefix="qwen-pairs-", ignore_cleanup_errors=True) as folder:
        first_s, _usage = ask(arguments, material, QUESTIONS[0], folder)
        time.sleep(pause)
        second_s, usage = ask(arguments, material, QUESTIONS[1], folder)
        return Pair(round(first_s, 2), round(second_s, 2), usage["cached_tokens"], usage["prompt_tokens"])


def ask(arguments: argparse.Namespace, material: str, question: str, home: str) -> tuple[float, dict[str, int]]:
    """Return the seconds that `qwen ask` took, and its usage."""
    command = [*QWEN, "ask", "-m", str(arguments.model.absolute()), question, "--json", "-q"]
    for option in (f"max_tokens={arguments.answer}", *arguments.option):
        command += ["-o", option]
    begun = time.perf_counter()
    environ = os.environ | {"QWEN_TUI_HOME": home}
    done = subprocess.run(command, input=material, text=True, env=environ, capture_output=True)
    seconds = time.perf_counter() - begun
    # The answer is meant to be cut off, so that exit code is right, too.
    if not done.stdout:
        sys.exit(done.stderr)
    return seconds, json.loads(done.stdout)["usage"]


def report(kind: str, pairs: list[Pair]) -> int:
    """Print one kind of pairs, and return for how many nothing was cached."""
    missed = sum(pair.cached == 0 for pair in pairs)
    first, second = (statistics.median(getattr(pair, name) for pair in pairs) for name in ("first_s", "second_s"))
    print(f"{kind}: {len(pairs) - missed} of {len(pairs)} found it; ", end="")
    print(f"first {first:.2f} s, second {second:.2f} s (median)")
    print("  " + " ".join(f"{pair.cached}/{pair.prompt}" for pair in pairs), flush=True)
    return missed


@contextlib.contextmanager
def busy_loop() -> Iterator[None]:
    """Keep one processor core busy during the block."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
