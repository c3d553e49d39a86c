"""Interrupts `qwen compare` at random moments, again and again, until it is done, and looks at the report.

    python scripts/stress/torture_compare.py --interruptions 50

It is killed (SIGKILL), or told to stop by Ctrl-C or SIGTERM, and started again with the same command. No finished
answer may be lost, so that each interruption costs one answer at most. In the end the report has to be that of a
comparison that nobody interrupted, byte for byte but for times, speeds and energy: both get the same values for these.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.command_line import QWEN, command_line, report_progress

TASK = "---\ndescription: A short question\nlanguage: en\nchecks: [repetition, filler]\n---\n{question}\n"
QUESTIONS = {"greeting": "Hello!", "thanks": "Thank you for your help."}
SIDES = ("--a", "lookup=false", "--b", "kv_type=q8_0", "threads=1")
# The share of interruptions that come within the answers.
WITHIN = 0.8
SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)


def main() -> int:
    """Run the test, and return 1 if an answer was lost or the reports differ."""
    parser = command_line(__doc__)
    parser.add_argument("--interruptions", type=int, default=50)
    parser.add_argument("--model", default="demo")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--tokens", type=int, default=12)
    parser.add_argument("--longest", type=float, default=0.5, help="seconds until an interruption")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    # In the background of a shell, Ctrl-C is ignored, and a program that this one starts would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    dice = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        tasks = root / "tasks"
        tasks.mkdir()
        for name, question in QUESTIONS.items():
            (tasks / f"{name}.md").write_text(TASK.format(question=question))
        command = [*QWEN, "compare", "-m", options.model, *SIDES, "--tasks", str(tasks), "--yes"]
        command += ["--rounds", str(options.rounds), "-o", f"max_tokens={options.tokens}"]
        whole = finished(command, root / "whole")
        done = experiments = lost = differing = 0
        while done < options.interruptions:
            home = root / f"interrupted{experiments}"
            experiments += 1
            interrupted, gone = torture(command, home, options.interruptions - done, options.longest, dice)
            done, lost = done + interrupted, lost + gone
            differing += finished(command, home) != whole
            report_progress(f"{done} interruptions, {lost} answers lost, {differing} of {experiments} reports differ")
        print(f"{done} interruptions in {experiments} comparisons: {lost} answers lost, {differing} reports differ")
        return 1 if lost or differing else 0


def torture(command: list[str], home: Path, most: int, longest: float, dice: random.Random) -> tuple[int, int]:
    """Interrupt one comparison until it is done, each time within `longest` seconds after its start or first answer.

    Return the interruptions, and the finished answers that were lost.
    """
    interruptions = lost = 0
    while interruptions < most:
        before = kept(home)
        process = subprocess.Popen(command, env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert process.stderr is not None
        said = 0
        # Most interruptions hit the answers, the others the start of the program and the foretelling.
        if dice.random() < WITHIN:
            while not said and (line := process.stderr.readline()):
                said += line.startswith(b"[")
        try:
            told = process.communicate(timeout=dice.uniform(0, longest))[1]
        except subprocess.TimeoutExpired:
            process.send_signal(dice.choice(SIGNALS))
            told = process.communicate()[1]
            interruptions += 1
        # An answer is kept before it is told.
        after, said = kept(home), said + sum(line.startswith(b"[") for line in told.splitlines())
        lost += len(before - after) + max(0, said - len(after - before))
        if process.returncode == 0:
            break
    return interruptions, lost


def finished(command: list[str], home: Path) -> dict[str, bytes]:
    """Let a comparison finish, and return its report, with the same times in every answer."""
    subprocess.run(command, env=environment(home), capture_output=True, check=True)
    for file in runs(home):
        run = json.loads(file.read_bytes())
        if "measured" in run:
            run["measured"] = dict.fromkeys(run["measured"]) | {"first_s": 1.0, "seconds": 2.0}
            file.write_text(json.dumps(run))
    subprocess.run(command, env=environment(home), capture_output=True, check=True)
    (folder,) = (home / "comparisons").iterdir()
    return {name: (folder / name).read_bytes() for name in ("report.html", "report.md", "results.json")}


def kept(home: Path) -> set[str]:
    """Return the names of the finished answers."""
    return {file.name for file in runs(home)}


def runs(home: Path) -> list[Path]:
    """Return the files of the finished answers."""
    return [file for file in (home / "comparisons").glob("*/*-*.json") if not file.name.startswith(".")]


def environment(home: Path) -> dict[str, str]:
    """Return the variables of a program with this home folder."""
    return {**os.environ, "QWEN_TUI_HOME": str(home), "QWEN_TUI_LANG": "en", "OMP_WAIT_POLICY": "passive"}


if __name__ == "__main__":
    sys.exit(main())
