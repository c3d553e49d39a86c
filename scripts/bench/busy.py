"""Measure how fast answers are written on a busy PC: beside no, one and two busy loops, and beside another answer.

    python scripts/bench/busy.py MODEL [--against QWEN …] [--rounds 5] [--tokens 64] [--beside nothing one two ask …]

In each round, each command answers in turn: the `qwen` of this environment, the same with one thread fewer, and those
of --against, which may be of another version. Prints tokens/s, medians over the rounds, and each median as a part of
that with one thread fewer. A busy loop is a program in a session of its own, like a browser or a virus scanner.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import median

from qwen_tui.hardware.processor import physical_cores
from scripts.command_line import QWEN, command_line, report_progress

QUESTION = "Write a story about a fisherman, a cat and a storm."
FEWER = "one thread fewer"


def answer_command(qwen: Sequence[str], model: str, tokens: int, *more: str) -> list[str]:
    """Return the command line of one answer."""
    sampling = ["-o", f"max_tokens={tokens}", "-o", "seed=1"]
    return [*qwen, "ask", "--json", "-n", "-m", model, *sampling, *more, QUESTION]


def written(command: list[str]) -> float:
    """Return the tokens per second of an answer."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(done.stderr)
    return float(json.loads(done.stdout)["timings"]["decode_tps"])


@contextlib.contextmanager
def beside(what: str, other: list[str]) -> Iterator[None]:
    """Keep the PC busy while the block runs."""
    loop = [sys.executable, "-c", "while True: pass"]
    commands = {"nothing": [], "one": [loop], "two": [loop, loop], "ask": [other]}[what]
    running = [
        subprocess.Popen(
            command,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for command in commands
    ]
    try:
        yield
    finally:
        for process in running:
            process.terminate()
            process.wait()


def main() -> None:
    """Measure and print."""
    parser = command_line(__doc__)
    parser.add_argument("model")
    parser.add_argument("--against", nargs="*", default=[], metavar="QWEN", help="other commands, as /old/bin/qwen")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=64)
    kinds = ("nothing", "one", "two", "ask")
    parser.add_argument("--beside", nargs="*", choices=kinds, default=kinds)
    options = parser.parse_args()
    fewer = max(1, physical_cores() - 1)
    commands = {
        "this": answer_command(QWEN, options.model, options.tokens),
        FEWER: answer_command(QWEN, options.model, options.tokens, "--threads", str(fewer)),
        **{qwen: answer_command([qwen], options.model, options.tokens) for qwen in options.against},
    }
    speeds: dict[tuple[str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as home:
        os.environ["QWEN_TUI_HOME"] = home
        # The other answer must not end before this one.
        other = answer_command(QWEN, options.model, 20 * options.tokens)
        for number in range(options.rounds):
            for what in options.beside:
                for name, command in commands.items():
                    with beside(what, other):
                        speeds[what, name].append(written(command))
            report_progress(f"round {number + 1} of {options.rounds}")
    for what in options.beside:
        base = median(speeds[what, FEWER])
        for name in commands:
            rates = speeds[what, name]
            spread = f"{min(rates):5.2f} to {max(rates):5.2f}"
            print(f"beside {what:8} {name:20} {median(rates):6.2f} tokens/s ({spread})  {median(rates) / base:5.2f}")


if __name__ == "__main__":
    main()
