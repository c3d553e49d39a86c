"""Lets the program fetch a model from a faulty hub on loopback, and prints a table with the result of each fault.

    python scripts/stress/faulty_hub.py

The cases are those of tests/models/faulty_cases.py, with short waiting times as in the tests. The last line is a silent
hub with the real waiting times.
"""

import random
import sys
import tempfile
from pathlib import Path
from unittest import mock

from qwen_tui.models.fetching.rotation import PATIENCE
from scripts.command_line import command_line
from tests.models import faulty_cases
from tests.models.faulty_cases import CASES, Case, Outcome, run
from tests.tiny_model import make_tiny_model


def main() -> int:
    """Run every case, and return 1 if a result is not the expected one."""
    command_line(__doc__).parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        content = make_tiny_model(Path(folder) / "tiny.gguf")
        with content.open("ab") as file:
            file.write(random.Random(5).randbytes(1_700_000))
        print("| fault | outcome | needed | fetched | seconds |\n|---|---|---:|---:|---:|")
        for number, case in enumerate(CASES):
            wrong += show(case.name, case, run(case, content, room(folder, number)))
        silent = next(case for case in CASES if case.name == "a silent hub")
        with mock.patch.object(faulty_cases, "IMPATIENT", PATIENCE):
            outcome = run(silent, content, room(folder, len(CASES)))
        wrong += show("a silent hub, with a person's waiting times", silent, outcome) or outcome.seconds > 15
    print(f"\n{len(CASES) + 1} cases, {wrong} of them wrong")
    return 1 if wrong else 0


def room(folder: str, number: int) -> Path:
    """Return a new folder for one case."""
    path = Path(folder) / str(number)
    path.mkdir()
    return path


def show(name: str, case: Case, outcome: Outcome) -> bool:
    """Print one line, and return whether its result is not the expected one."""
    last = [line for line in outcome.shown.splitlines() if line.startswith("qwen: ")]
    told = "the right file" if outcome.right and not outcome.code else last[-1] if last else "?"
    told = told.replace(str(outcome.scene.folder), "…").replace("127.0.0.1", "HOST")
    right = (
        outcome.code == case.code
        and all(word in outcome.shown for word in case.words)
        and outcome.fetched <= case.most * outcome.needed
        and not faulty_cases.secrets(outcome)
    )
    mark = "" if right else "WRONG: "
    print(f"| {name} | {mark}{told} | {outcome.needed:,} | {outcome.fetched:,} | {outcome.seconds:.1f} |", flush=True)
    return not right


if __name__ == "__main__":
    sys.exit(main())
