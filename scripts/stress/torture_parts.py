"""Kill work in parts with SIGKILL at random moments, resume it, and compare the result with that of undisturbed work.

    python scripts/stress/torture_parts.py MODEL [--runs 20] [--ctx-size 1024] [--seed 0]

Half of the runs are `--fit map`, half `--fit each`, all greedy, about a text of this script's own. A run is killed one
to three times, and then left alone. The script checks:
- What the last process prints is what undisturbed work has printed.
- No part that was finished before a kill was computed again: its file holds the same answer with the same times.
- What a killed process leaves behind are whole files, readable for their owner alone.

A kill comes at a random moment of a random part that is not finished yet.

It prints a table: for each way the runs, the kills, the parts kept at the moment of a kill, those computed again, and
the results that differ.
"""

import json
import os
import random
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from qwen_tui.columns import markdown_table
from scripts.command_line import QWEN, command_line, report_progress

WAYS = {"map": "Which ships came to the harbour, and what did they bring?", "each": "Write the text above in capitals."}
SHIPS = ("Alcyone", "Borealis", "Cassiopeia", "Doris", "Electra", "Fomalhaut", "Galatea", "Hydra")
GOODS = ("salt", "timber", "wool", "copper", "oranges", "rope", "glass", "barley")


def text(paragraphs: int, dice: random.Random) -> str:
    """Return a chronicle of a harbour, each paragraph with a ship and its goods."""
    written = []
    for day in range(1, paragraphs + 1):
        ship, goods = dice.choice(SHIPS), dice.choice(GOODS)
        written.append(
            f"On day {day} the {ship} came into the harbour with {dice.randint(2, 90)} tons of {goods}. "
            f"The wind came from the {dice.choice(('north', 'south', 'east', 'west'))}, and the keeper of the light "
            f"wrote down {dice.randint(3, 20)} boats at the long quay. Nobody was hurt, and the work ended at dusk."
        )
    return "\n\n".join(written)


class Run:
    """One piece of work in a home folder of its own."""

    def __init__(self, folder: Path, way: str, arguments: list[str]) -> None:
        self.home = folder
        self._command = [*QWEN, "ask", *arguments, "--fit", way, WAYS[way]]

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the work from the beginning, or from what is kept."""
        environment = {**os.environ, "QWEN_TUI_HOME": str(self.home), "QWEN_TUI_LANG": "en"}
        return subprocess.Popen(self._command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def kept(self) -> dict[str, Any]:
        """Return the answers that are kept, by the names of their files; raises `ValueError` for a broken file."""
        files = (self.home / "cache" / "parts").glob("*.json")
        return {file.name: json.loads(file.read_bytes())["answer"] for file in files}

    def modes(self) -> set[int]:
        """Return the permissions of the files."""
        return {stat.S_IMODE(file.stat().st_mode) for file in (self.home / "cache" / "parts").glob("*.json")}


def whole(run: Run) -> tuple[bytes, float]:
    """Let the work go to its end, and return what it printed and how many seconds a part took."""
    begun = time.monotonic()
    out, err = (process := run.start()).communicate()
    if process.returncode:
        raise SystemExit(f"the work failed: {err.decode()}")
    return out, (time.monotonic() - begun) / max(1, len(run.kept()))


def kill(process: "subprocess.Popen[bytes]", run: Run, parts: int, seconds: float) -> None:
    """Kill a process so many seconds after so many parts are kept, unless it ends before."""
    while process.poll() is None and len(run.kept()) < parts:
        time.sleep(0.02)
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def disturbed(
    run: Run, kills: int, parts: int, seconds: float, dice: random.Random
) -> tuple[bytes, int, int, list[str]]:
    """Kill the work so many times, and return what it prints in the end, and what was kept, repeated, and wrong."""
    kept_at_kills = repeated = 0
    wrong: list[str] = []
    before: dict[str, Any] = {}
    for _kill in range(kills):
        kill(run.start(), run, dice.randint(len(before), parts), dice.uniform(0, seconds))
        now = run.kept()
        repeated += sum(now.get(name) != answer for name, answer in before.items())
        kept_at_kills += len(now)
        before = now
        if os.name != "nt" and run.modes() - {0o600}:
            wrong.append(f"permissions: {run.modes()}")
    out, _seconds = whole(run)
    after = run.kept()
    repeated += sum(after.get(name) != answer for name, answer in before.items())
    return out, kept_at_kills, repeated, wrong


def main() -> int:
    """Run the test, print the table, and return 1 if anything was lost, repeated or different."""
    parser = command_line(__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--ctx-size", type=int, default=1024)
    parser.add_argument("--paragraphs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    figures = {way: [0, 0, 0, 0, 0] for way in WAYS}
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        material = Path(folder) / "chronicle.txt"
        material.write_text(text(options.paragraphs, dice), encoding="utf-8")
        arguments = ["-m", str(options.model), "-f", str(material), "--ctx-size", str(options.ctx_size), "--no-stdin"]
        arguments += ["-o", "temperature=0", "-q"]
        undisturbed = {}
        for way in WAYS:
            first = Run(Path(folder) / way, way, arguments)
            undisturbed[way] = (*whole(first), len(first.kept()))
        for number in range(options.runs):
            way = list(WAYS)[number % 2]
            expected, seconds, parts = undisturbed[way]
            run, kills = Run(Path(folder) / f"home-{number}", way, arguments), dice.randint(1, 3)
            out, kept, repeated, wrong = disturbed(run, kills, parts, seconds, dice)
            faults += wrong
            row = figures[way]
            for column, value in enumerate((1, kills, kept, repeated, out != expected)):
                row[column] += value
            report_progress(f"{number + 1} of {options.runs}: {way}, {kills} kills, {kept} kept, {repeated} repeated")
    header = ["way", "runs", "kills", "parts kept at kills", "computed again", "results that differ"]
    print(markdown_table(header, ((way, *row) for way, row in figures.items())))
    print("\n".join(faults))
    return int(bool(faults) or any(row[3] or row[4] for row in figures.values()))


if __name__ == "__main__":
    sys.exit(main())
