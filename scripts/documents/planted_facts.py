"""Asks for ten facts on ten pages of a report of twenty: does `--fit select` give the passage that has the answer?

    python scripts/documents/planted_facts.py MODEL
    python scripts/documents/planted_facts.py MODEL --answer 40     # shows the beginnings of the answers, too

The reports are tests/documents/planted/*.pdf; scripts/documents/town_report.py has their facts. For each kind of
question (short, long, with words in other forms) the script prints how many of the ten passages were given, and the
seconds of the whole command up to the first token: of the first question with the file, and of each next one about it.
No model need understand the questions: the choice does not depend on it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from qwen_tui.history.store import History
from scripts.command_line import QWEN, command_line
from scripts.documents.town_report import CHINESE, ENGLISH, PLANTED, Report


def main() -> int:
    """Ask all questions, print what was given, and return 1 if a passage was missed."""
    parser = command_line(__doc__)
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("--ctx-size", type=int, default=8192)
    parser.add_argument("--answer", type=int, default=1, help="tokens of each answer (default: %(default)s)")
    arguments = parser.parse_args()
    missed = 0
    for name, report in (("report-en", ENGLISH), ("report-zh", CHINESE)):
        for kind in range(len(report.facts[0].questions)):
            missed += asked(arguments, PLANTED / f"{name}.pdf", report, kind)
    return 1 if missed else 0


def asked(arguments: argparse.Namespace, path: Path, report: Report, kind: int) -> int:
    """Ask one kind of question for each fact, in one conversation, print a line, and return how many were missed."""
    found, seconds = 0, []
    with tempfile.TemporaryDirectory(prefix="qwen-facts-") as home:
        for number, fact in enumerate(report.facts):
            question = fact.questions[kind]
            about = ["-c"] if number else ["-f", str(path), "--fit", "select"]
            seconds.append(ask(arguments, [*about, question], home))
            given = passages(Path(home))
            is_there = "".join(fact.sentence.split()) in "".join(given.replace("’", "'").split())
            found += is_there
            if not is_there:
                print(f"  missed: {question}")
    print(
        f"{path.name}, {('short', 'long', 'other forms')[kind]}: {found} of {len(report.facts)} passages given; "
        f"first token after {seconds[0]:.1f} s, of the next questions after {statistics.median(seconds[1:]):.1f} s",
        flush=True,
    )
    return len(report.facts) - found


def ask(arguments: argparse.Namespace, question: list[str], home: str) -> float:
    """Ask, and return the seconds up to the first token, with the start of the command and its reading."""
    options = [
        "-m",
        str(arguments.model),
        "--ctx-size",
        str(arguments.ctx_size),
        "-o",
        f"max_tokens={arguments.answer}",
    ]
    options += ["-o", "temperature=0", "--json"]
    began = time.monotonic()
    ended = subprocess.run(
        [*QWEN, "ask", *options, *question],
        env={**os.environ, "QWEN_TUI_HOME": home},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    seconds = time.monotonic() - began
    if ended.returncode:
        sys.exit(ended.stderr)
    answer = json.loads(ended.stdout)
    if arguments.answer > 1:
        print(f"  {question[-1]} — {answer['answer']!r}")
    return seconds - answer["timings"]["decode_s"]


def passages(home: Path) -> str:
    """Return all passages that the model has got in the conversation so far."""
    history = History(home / "history.db")
    try:
        last = history.last()
        assert last is not None
        given = [exchange.question.given for exchange in history.read(last).exchanges]
        return "\n".join(one.text for each in given if each for one in each.materials)
    finally:
        history.close()


if __name__ == "__main__":
    sys.exit(main())
