"""stdin: the program reads all of it even if it does not block, and leaves it alone if it belongs to a shell loop."""

import json
import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import COMMAND, Run

SHORT = ("-o", "max_tokens=8", "-o", "temperature=0")

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX's pipes and terminals")


def message_of(qwen: Run, answer: bytes) -> str:
    """Return the message for the model, from the output of `ask --json`."""
    kept = qwen("logs", "export", json.loads(answer)["conversation_id"], "--format", "json").stdout
    return str(json.loads(kept)["messages"][0]["content"])


@needs_posix
@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_all_of_a_nonblocking_stdin_is_read(kind: str, qwen: Run, tiny: Path, tmp_path: Path) -> None:
    if kind == "pipe":
        reading, writing = os.pipe()
    else:
        reading, writing = (end.detach() for end in socket.socketpair())
    os.set_blocking(reading, False)
    asked = [*COMMAND, "ask", "-m", str(tiny), *SHORT, "--json", "Summarise"]
    with subprocess.Popen(asked, stdin=reading, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        # Nothing comes for so long that the program says so. Then the text comes in two parts with a pause.
        assert b"Waiting for input on stdin" in process.stderr.readline()
        os.write(writing, b"first line\n")
        while select.select([reading], [], [], 0)[0]:
            time.sleep(0.05)
        os.write(writing, b"second line\n")
        os.close(writing)
        os.close(reading)
        answer = process.stdout.read()
    assert message_of(qwen, answer) == "first line\nsecond line\n\nSummarise"


@needs_posix
def test_a_question_waits_at_a_terminal_that_does_not_block(home: Path) -> None:
    from tests.terminal_screen import ENTER, Terminal

    (home / "models").mkdir(parents=True)
    left = home / "models" / "unknown-0.part"
    left.write_bytes(b"GGUF")
    unblocked = "import os, sys; os.set_blocking(0, False); os.execv(sys.argv[1], sys.argv[1:])"
    terminal = Terminal(sys.executable, "-c", unblocked, *COMMAND, "models", "rm", "--partial")
    terminal.wait_for("[y/N]")
    terminal.type("y" + ENTER)
    terminal.wait_for("1 incomplete file removed")
    assert terminal.ended() == 0
    assert not left.exists()


def test_stdin_that_a_shell_loop_reads_is_left_to_the_loop(qwen: Run, tiny: Path, tmp_path: Path) -> None:
    questions = tmp_path / "questions.txt"
    questions.write_bytes(b"first\nsecond\nthird\n")
    asked = ("ask", "-m", tiny, *SHORT, "--json")
    with questions.open("rb", buffering=0) as stdin:
        stdin.seek(len("first\n"))
        done = qwen(*asked, "first", stdin=stdin)
        assert done.returncode == 0
        assert b"read from before" in done.stderr
        assert message_of(qwen, done.stdout) == "first"
        assert stdin.tell() == len("first\n")
        assert b"read from before" not in qwen(*asked, "first", "--quiet", stdin=stdin).stderr
        assert b"read from before" not in qwen(*asked, "first", "--no-stdin", stdin=stdin).stderr
        alone = qwen(*asked, stdin=stdin)
        assert (alone.returncode, b"There is no question" in alone.stderr) == (2, True)
        # A person who names stdin with `-f -` gets the rest of it.
        rest = qwen(*asked, "-f", "-", "Compare", stdin=stdin)
        assert message_of(qwen, rest.stdout) == "second\nthird\n\nCompare"


def test_a_file_that_nobody_has_read_from_is_the_material(qwen: Run, tiny: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_bytes(b"some notes\n")
    with notes.open("rb") as stdin:
        done = qwen("ask", "-m", tiny, *SHORT, "--json", "Summarise", stdin=stdin)
    assert b"read from before" not in done.stderr
    assert message_of(qwen, done.stdout) == "some notes\n\nSummarise"
