"""Measure what reading ahead saves: type a question in a real terminal, with and without it, and time the first token.

    python scripts/bench/reading_ahead.py MODEL [--scene file template resume] [--rounds 3] [--tokens 1500]
        [--words 60] [--pace 40]

- file: a file is attached with /file, then a question of --words words is typed at --pace words a minute.
- template: /template email is filled in within 30 s.
- resume: a conversation of --tokens tokens is taken up again, from a store without its state, and 20 words are typed.

Each round runs both ways in turn, in a home folder of its own. Prints the seconds from Enter to the first token, as the
program itself counts them (/stats), and how long it took from a key to its letter on the screen: the median, and the
worst. POSIX only; it needs the test dependencies.
"""

import argparse
import os
import random
import re
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from qwen_tui.columns import markdown_table
from qwen_tui.evaluation.measuring import WORDS, words
from scripts.command_line import QWEN, command_line, report_progress
from tests.terminal_screen import ENTER, Terminal

# A key that has not appeared after so many seconds is a failure.
_LATEST = 10.0
_FIRST = re.compile(r"the first after ([\d.]+) s")


class Typed(NamedTuple):
    """The seconds from Enter to the first token, and from each key to its letter."""

    first_s: float
    keys_s: list[float]


def main() -> None:
    """Run the scenes in turn, with and without reading ahead, and print the table."""
    parser = command_line(__doc__)
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("--scene", nargs="+", choices=SCENES, default=["file"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=1500, help="of the file or the conversation, about")
    parser.add_argument("--words", type=int, default=60, help="of the question about the file")
    parser.add_argument("--pace", type=float, default=40.0, help="words typed a minute")
    options = parser.parse_args()
    found: dict[tuple[str, bool], list[Typed]] = defaultdict(list)
    for number in range(options.rounds):
        for scene in options.scene:
            for ahead in (True, False):
                with tempfile.TemporaryDirectory(prefix="qwen-ahead-", ignore_cleanup_errors=True) as home:
                    rng = random.Random(number)
                    found[scene, ahead].append(Sitting(options, Path(home), rng, ahead=ahead).run(scene))
                report_progress(f"round {number + 1}, {scene}, {ahead=}: {found[scene, ahead][-1].first_s:.2f} s")
    head = ("scene", "reading ahead", "first token, s", "key to letter, ms", "worst, ms")
    rows = []
    for (scene, ahead), results in found.items():
        keys = [1000 * key for result in results for key in result.keys_s]
        first = sorted(result.first_s for result in results)
        spread = f"{statistics.median(first):.2f} ({first[0]:.2f} to {first[-1]:.2f})"
        rows.append((scene, "on" if ahead else "off", spread, f"{statistics.median(keys):.1f}", f"{max(keys):.1f}"))
    print(markdown_table(head, rows))


class Sitting:
    """One `qwen chat` in a terminal, with a person who types at an even pace."""

    def __init__(self, options: argparse.Namespace, home: Path, rng: random.Random, *, ahead: bool) -> None:
        self._options, self._home, self._rng = options, home, rng
        self._environment = {
            "QWEN_TUI_HOME": str(home / "home"),
            "QWEN_TUI_READ_AHEAD": str(ahead).lower(),
            "QWEN_TUI_MAX_TOKENS": "4",
            # Nobody would answer the question whether to go on.
            "QWEN_TUI_ASK_ABOVE": "0",
            "QWEN_TUI_LANG": "en",
            "LC_ALL": "C.UTF-8",
        }
        self.keys_s: list[float] = []

    def run(self, scene: str) -> Typed:
        """Run the scene and return what was measured."""
        more = self._conversation() if scene == "resume" else ()
        self._terminal = Terminal(*QWEN, "chat", "-m", str(self._options.model.absolute()), *more, **self._environment)
        self._terminal.wait_for("Ctrl-D leaves")
        time.sleep(1)
        SCENES[scene](self)
        asked = len(self._terminal.written.getvalue())
        self._terminal.type(ENTER)
        self._wait(lambda: "tokens/s" in self._terminal.text and len(self._terminal.written.getvalue()) > asked)
        time.sleep(1)
        self._terminal.type("/stats" + ENTER)
        self._wait(lambda: _FIRST.search(self._terminal.text) is not None)
        match = _FIRST.search(self._terminal.text)
        assert match is not None
        self._terminal.leave()
        return Typed(float(match[1]), self.keys_s)

    def file(self) -> None:
        """Attach a file, and type a question about it."""
        file = self._home / "report.txt"
        file.write_text(words(self._options.tokens, self._rng))
        self._terminal.type(f"/file {file}" + ENTER)
        self._terminal.wait_for("goes with the next message")
        self._type(self._words(self._options.words), self._options.pace)

    def template(self) -> None:
        """Insert the template for a mail, and fill in its slots within 30 seconds."""
        self._terminal.type("/template email" + ENTER)
        self._terminal.wait_for("[")
        begun = time.monotonic()
        for slot in range(4):
            if slot:
                self._terminal.type("\t")
            self._type(self._words(4), self._options.pace)
        time.sleep(max(0.0, begun + 30 - time.monotonic()))

    def resume(self) -> None:
        """Go on with a conversation whose state is not in the store."""
        self._type(self._words(20), self._options.pace)

    def _conversation(self) -> tuple[str, ...]:
        command = [*QWEN, "ask", "-m", str(self._options.model.absolute()), "What is it about?", "-q"]
        environment = {**os.environ, **self._environment, "QWEN_TUI_CACHE": "false"}
        material = words(self._options.tokens, self._rng).encode()
        subprocess.run(command, input=material, env=environment, stdout=subprocess.DEVNULL, check=True)
        return ("-c",)

    def _words(self, count: int) -> str:
        return " ".join(self._rng.choice(WORDS.split()) for _word in range(count))

    def _type(self, text: str, pace: float) -> None:
        """Type `text` at so many words a minute, and time each key."""
        pause = 60 / pace / (len(text) / len(text.split()))
        for letter in text:
            begun = time.perf_counter()
            before = self._terminal.cursor
            self._terminal.process.send(letter)
            while self._terminal.cursor == before:
                self._terminal.read(0.001)
                assert time.perf_counter() - begun < _LATEST, self._terminal.text
            self.keys_s.append(time.perf_counter() - begun)
            while (left := begun + pause - time.perf_counter()) > 0:
                self._terminal.read(left)

    def _wait(self, holds: Callable[[], bool]) -> None:
        until = time.monotonic() + 900
        while not holds():
            assert time.monotonic() < until, self._terminal.text
            time.sleep(0.1)


SCENES = {"file": Sitting.file, "template": Sitting.template, "resume": Sitting.resume}


if __name__ == "__main__":
    main()
