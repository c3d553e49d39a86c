"""Kill the whole program with SIGKILL: `qwen chat` in a terminal and `qwen ask` in a pipe, for `torture_history.py`.

The script compares what was shown with what is stored. In the terminal only letters count, because the layout of an
answer there is not stored.
"""

import os
import random
import re
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pexpect

from scripts.command_line import QWEN

# Questions to which the demonstration model gives long answers: in the pipe, and in the terminal.
QUESTIONS = (
    "写一篇 1200 字的文章，谈谈怎样让城市更宜居，要有案例和建议",
    "Write an essay on how to make cities more liveable",
)
OPTIONS = ("-m", "demo", "-o", "temperature=0")
LONGEST_S = 6.0
ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_=>])")


def torture_program(kills: int, promise: float, seed: int, folder: Path) -> str:
    """Kill the program so many times, every second time in a terminal; return the result in one sentence."""
    rng, wrong, begun, answers = random.Random(seed), list[str](), 0, 0
    for number in range(kills):
        home, question = folder / f"program-{number // 2}", QUESTIONS[number % 2]
        kill = kill_in_terminal if number % 2 else kill_in_pipe
        life = rng.uniform(0.0, LONGEST_S)
        environment = {**os.environ, "QWEN_TUI_HOME": str(home), "QWEN_TUI_LANG": "en"}
        has_begun, shown = kill(question, life, promise, environment)
        kept = answer_kept(home / "history.db", question)
        begun += has_begun
        answers += bool(shown)
        if has_begun and kept is None:
            wrong.append(f"lost: {question}")
        if not letters(kept or "").startswith(letters(shown)):
            wrong.append(f"of {question}, shown {shown!r}, kept {kept!r}")
    summary = (
        f"The program was killed {kills} times: {begun} times an answer had begun, {answers} times for {promise} s"
    )
    return "\n".join([f"{summary}; {len(wrong)} wrong", *wrong])


def kill_in_pipe(question: str, life: float, promise: float, environment: dict[str, str]) -> tuple[bool, str]:
    """Return whether the answer had begun, and what of it was shown `promise` seconds before the kill."""
    process = subprocess.Popen([*QWEN, "ask", *OPTIONS, question], stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    pieces = list[tuple[float, bytes]]()
    until = None
    while until is None or time.monotonic() < until:
        if piece := process.stdout.read():
            pieces.append((time.monotonic(), piece))
            # The time runs from the first word, so that loading does not use it up.
            until = until or time.monotonic() + life
        if process.poll() is not None:
            break
        time.sleep(0.01)
    killed = time.monotonic()
    process.kill()
    process.wait()
    return bool(pieces), whole_text([piece for piece in pieces if piece[0] <= killed - promise])


def kill_in_terminal(question: str, life: float, promise: float, environment: dict[str, str]) -> tuple[bool, str]:
    """Return the same for a terminal; only text that surely belongs to the answer is returned."""
    command = [*QWEN, "chat", *OPTIONS]
    environment |= {"TERM": "xterm-256color"}
    terminal = pexpect.spawn(command[0], command[1:], env=environment, encoding="utf-8", timeout=30)
    terminal.expect("Ctrl-D leaves")
    terminal.expect_exact("\x1b[6n")
    terminal.send("\x1b[1;1R")
    terminal.send(question + "\r")
    pieces = list[tuple[float, bytes]]()
    until = time.monotonic() + 1 + life
    while time.monotonic() < until:
        try:
            piece = terminal.read_nonblocking(65536, timeout=0.02)
        except pexpect.TIMEOUT:
            continue
        except pexpect.EOF:
            break
        pieces.append((time.monotonic(), piece.encode()))
        if "\x1b[6n" in piece:
            terminal.send("\x1b[1;1R")
    killed = time.monotonic()
    terminal.kill(signal.SIGKILL)
    terminal.close(force=True)
    full = reference(question, environment)
    return bool(shown_of(full, pieces)), shown_of(full, [piece for piece in pieces if piece[0] <= killed - promise])


def shown_of(full: str, pieces: list[tuple[float, bytes]]) -> str:
    """Return the longest beginning of `full` whose letters are on the screen, in order."""
    seen, wanted = letters(ESCAPE.sub("", whole_text(pieces))), letters(full)
    length = 0
    # A few letters alone prove nothing.
    for end in range(4, len(wanted) + 1):
        if wanted[:end] not in seen:
            break
        length = end
    return wanted[:length]


def reference(question: str, environment: dict[str, str]) -> str:
    """Return the whole answer to `question`."""
    done = subprocess.run([*QWEN, "ask", *OPTIONS, "-n", "-q", question], capture_output=True, env=environment)
    return done.stdout.decode()


def whole_text(pieces: list[tuple[float, bytes]]) -> str:
    """Return the pieces as one text."""
    return b"".join(piece for _at, piece in pieces).decode(errors="ignore")


def letters(text: str) -> str:
    """Return the letters and digits of `text`."""
    return "".join(filter(str.isalnum, text))


def answer_kept(database: Path, question: str) -> str | None:
    """Return the answer to `question` on the disk, None without that question; raises if the file is damaged."""
    connection = sqlite3.connect(database)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        found = connection.execute(
            "SELECT a.content FROM messages q JOIN messages a ON a.parent = q.id WHERE q.content = ?", (question,)
        ).fetchone()
    except sqlite3.OperationalError:
        # The program was killed before it created the tables.
        return None
    finally:
        connection.close()
    return str(found[0]) if found else None
