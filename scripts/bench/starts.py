"""Compare how soon the commands of two installations of the program are done, as before and after a change.

    python scripts/bench/starts.py QWEN OTHER_QWEN [--rounds 15]

QWEN and OTHER_QWEN are the commands of two environments, such as old/bin/qwen and new/bin/qwen. Each round runs both
in changing order, after one run that counts for nothing. Prints the medians in seconds, and the median of the ratios of
the rounds, the second to the first, with their quartiles.
"""

import os
import random
import subprocess
import tempfile
import time
from statistics import median, quantiles

from qwen_tui.columns import markdown_table
from scripts.command_line import command_line, report_progress

# What people wait for without a large model: the program itself, and the smallest answer.
WORDS = (
    ("--version",),
    ("ask", "--help"),
    ("logs", "list"),
    ("ask", "-m", "demo", "-o", "max_tokens=4", "Hello"),
    ("doctor", "-m", "demo"),
)


def main() -> None:
    """Run in turn, and print the table."""
    parser = command_line(__doc__)
    parser.add_argument("commands", nargs=2, metavar="QWEN")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    rng = random.Random(23)
    rows = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        for words in WORDS:
            report_progress(" ".join(words))
            taken: dict[str, list[float]] = {command: [] for command in options.commands}
            for number in range(-1, options.rounds):
                for command in rng.sample(options.commands, 2):
                    seconds = run(command, words, home)
                    if number >= 0:
                        taken[command].append(seconds)
            first, second = options.commands
            ratios = [b / a for a, b in zip(taken[first], taken[second], strict=True)]
            low, middle, high = quantiles(ratios, n=4)
            spread = f"{middle:.2f} ({low:.2f} to {high:.2f})"
            rows.append((" ".join(words), *(f"{median(taken[one]):.2f}" for one in options.commands), spread))
    print(markdown_table(("seconds", *options.commands, "ratio"), rows))


def run(command: str, words: tuple[str, ...], home: str) -> float:
    """Return how many seconds a command takes."""
    begun = time.perf_counter()
    subprocess.run(
        [command, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        cwd=home,
        env={**os.environ, "QWEN_TUI_HOME": home},
    )
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
