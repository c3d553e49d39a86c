"""Measure how long the first and later questions about the same long material take, each in a new process.

    python scripts/bench/second_question.py MODEL [--llama-completion PATH] [--tokens 4000] [--rounds 3] [--answer 1]
        [--threads N]

The script times the whole process, including loading, for an answer of `--answer` tokens: `qwen ask` in a new home
folder, and in turn, if it is named, llama.cpp's own `llama-completion --prompt-cache` with its defaults. After each
run, the script gives `qwen` time to store its states, for which a person does not wait; llama-completion writes its
cache during its run.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from qwen_tui.columns import markdown_table
from qwen_tui.evaluation.measuring import words
from qwen_tui.hardware.processor import physical_cores
from scripts.command_line import QWEN, command_line, report_progress

QUESTIONS = (
    "What is this about?",
    "Which word comes first?",
    "Name three words of it.",
    "Is there a number in it?",
    "Which word is the longest?",
    "What would be a good title?",
)
# A state of 4,000 tokens is written in a few seconds. After so many seconds, none is expected any more.
LONGEST_WRITE_S = 60.0


def main() -> None:
    """Ask a first question, then others, and print how long they took."""
    parser = command_line(__doc__)
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("--llama-completion", type=Path, help="llama.cpp's program, built from the same source")
    parser.add_argument("--tokens", type=int, default=4000, help="of the material, about (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="further questions (default: %(default)s)")
    parser.add_argument("--answer", type=int, default=1, help="tokens of each answer (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=physical_cores(), help="default: the physical cores")
    arguments = parser.parse_args()
    if not 1 <= arguments.rounds < len(QUESTIONS):
        parser.error(f"--rounds lies between 1 and {len(QUESTIONS) - 1}")

    material = words(arguments.tokens, random.Random(7))
    with tempfile.TemporaryDirectory(prefix="qwen-bench-") as folder:
        ours: list[float] = []
        theirs: list[float] = []
        cached: list[str] = []
        for index, question in enumerate(QUESTIONS[: arguments.rounds + 1]):
            seconds, usage = ask_qwen(arguments, material, question, Path(folder))
            ours.append(seconds)
            cached.append(f"{usage['cached_tokens']:,} of {usage['prompt_tokens']:,}")
            report_progress(f"question {index + 1}: qwen ask {seconds:.1f} s, cached {cached[-1]}")
            if arguments.llama_completion:
                theirs.append(ask_llama(arguments, material, question, Path(folder)))
                report_progress(f"question {index + 1}: llama-completion {theirs[-1]:.1f} s")
    print(table(ours, theirs, cached))


def ask_qwen(arguments: argparse.Namespace, material: str, question: str, folder: Path) -> tuple[float, dict[str, int]]:
    """Run `qwen ask` and wait until it has stored its state; return its seconds and its usage."""
    environ = os.environ | {"QWEN_TUI_HOME": str(folder / "home")}
    command = [*QWEN, "ask", "-m", str(arguments.model.absolute()), question]
    command += ["--json", "-q", "-o", f"max_tokens={arguments.answer}", "--threads", str(arguments.threads)]
    begun = time.perf_counter()
    done = subprocess.run(command, input=material, text=True, env=environ, capture_output=True)
    seconds = time.perf_counter() - begun
    # The answer is meant to be cut off, so that exit code is right, too.
    if not done.stdout:
        sys.exit(done.stderr)
    wait_for_state(folder / "home" / "cache" / "states")
    return seconds, json.loads(done.stdout)["usage"]


def wait_for_state(states: Path) -> None:
    """Wait until nothing in the folder `states` has changed for two seconds."""
    begun = since = time.monotonic()
    before: list[int] = []
    while time.monotonic() - since < 2 or (not before and time.monotonic() - begun < LONGEST_WRITE_S):
        time.sleep(0.1)
        now = sorted(path.stat().st_size for path in states.rglob("*") if path.is_file()) if states.exists() else []
        if now != before:
            before, since = now, time.monotonic()


def ask_llama(arguments: argparse.Namespace, material: str, question: str, folder: Path) -> float:
    """Return the seconds that `llama-completion --prompt-cache` took for the same prompt."""
    prompt = folder / "prompt.txt"
    prompt.write_text(
        f"<|im_start|>user\n{material}\n\n{question}<|im_end|>\n<|im_start|>assistant\n", encoding="utf-8"
    )
    command = [arguments.llama_completion, "-m", arguments.model, "-f", prompt, "--prompt-cache", folder / "cache.bin"]
    command += [
        "-n",
        str(arguments.answer),
        "-c",
        "8192",
        "-t",
        str(arguments.threads),
        "-no-cnv",
        "--no-display-prompt",
        "--temp",
        "0",
    ]
    begun = time.perf_counter()
    done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode:
        sys.exit(done.stderr.decode(errors="replace")[-2000:])
    return time.perf_counter() - begun


def table(ours: Sequence[float], theirs: Sequence[float], cached: Sequence[str]) -> str:
    """Return the figures as Markdown; the last row says how many times faster the later questions were answered."""
    head = [
        "question",
        "qwen ask, s",
        "tokens not computed again",
        *(["llama-completion --prompt-cache, s"] if theirs else []),
    ]
    rows = [
        [index + 1, f"{seconds:.1f}", cached[index], *(f"{other:.1f}" for other in theirs[index : index + 1])]
        for index, seconds in enumerate(ours)
    ]
    sooner = [f"{each[0] / statistics.median(each[1:]):.1f} times" for each in (ours, theirs) if each]
    return markdown_table(head, [*rows, ["first / median of the others", sooner[0], "", *sooner[1:]]])


if __name__ == "__main__":
    main()
