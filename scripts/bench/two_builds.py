"""Compare the speeds of two installations of the program, as with two builds of llama.cpp: the same questions in turn.

    python scripts/bench/two_builds.py MODEL QWEN OTHER_QWEN [--rounds 5] [--tokens 256] [--answer 32]

QWEN and OTHER_QWEN are the commands of two environments, such as native/bin/qwen and portable/bin/qwen. Each round asks
both about a text of --tokens tokens, in changing order, after one question that counts for nothing. Prints the medians
of tokens/s read and written, and the median of the ratios of the rounds, the second to the first.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from qwen_tui.columns import markdown_table
from qwen_tui.evaluation.measuring import words
from scripts.command_line import command_line, report_progress


def main() -> None:
    """Ask in turn, and print the table."""
    parser = command_line(__doc__)
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("commands", nargs=2, metavar="QWEN")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=256, help="of the text, about")
    parser.add_argument("--answer", type=int, default=32, help="tokens of each answer")
    options = parser.parse_args()
    rng = random.Random(19)
    speeds: dict[str, list[tuple[float, float]]] = {command: [] for command in options.commands}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        for number in range(-1, options.rounds):
            text = words(options.tokens, rng)
            for command in rng.sample(options.commands, 2):
                found = ask(command, options.model.absolute(), text, options.answer, home)
                if number >= 0:
                    speeds[command].append(found)
                    report_progress(f"round {number + 1}: {command}: {found[0]:.1f} read, {found[1]:.2f} written")
    first, second = options.commands
    rows = []
    for index, what in enumerate(("read", "written")):
        ratios = [b[index] / a[index] for a, b in zip(speeds[first], speeds[second], strict=True)]
        spread = f"{median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
        rows.append((what, *(f"{median(each[index] for each in speeds[one]):.2f}" for one in options.commands), spread))
    print(markdown_table(("tokens/s", *options.commands, "ratio"), rows))


def ask(command: str, model: Path, text: str, tokens: int, home: str) -> tuple[float, float]:
    """Return the tokens per second that a question reads and writes."""
    arguments = [command, "ask", "-m", str(model), "--json", "-n", "-q", "-o", f"max_tokens={tokens}", "Go on."]
    done = subprocess.run(
        arguments,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "QWEN_TUI_HOME": home, "QWEN_TUI_LOOKUP": "false"},
    )
    if done.returncode:
        sys.exit(done.stderr)
    timings = json.loads(done.stdout)["timings"]
    return timings["prefill_tps"], timings["decode_tps"]


if __name__ == "__main__":
    main()
