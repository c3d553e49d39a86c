"""`--output FILE`: the answer goes there as it comes; nothing is overwritten unasked, and what came stays."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import COMMAND, Run

ASK = ("ask", "-m", "demo", "-o", "temperature=0", "-n")


def test_the_answer_goes_into_a_new_file_and_nothing_to_stdout(qwen: Run, tmp_path: Path) -> None:
    printed = qwen(*ASK, "Hello")
    done = qwen(*ASK, "--output", "answer.md", "Hello")
    assert (done.returncode, done.stdout) == (0, b"")
    assert (tmp_path / "answer.md").read_bytes() == printed.stdout
    assert "Written: answer.md" in done.stderr.decode()
    if os.name != "nt":
        assert stat.S_IMODE((tmp_path / "answer.md").stat().st_mode) == 0o600


def test_missing_folders_are_made_and_a_hyphen_is_stdout(qwen: Run, tmp_path: Path) -> None:
    assert qwen(*ASK, "--output", "new/answer.md", "-q", "Hello").stderr == b""
    assert (tmp_path / "new" / "answer.md").read_bytes() == qwen(*ASK, "--output", "-", "Hello").stdout != b""
    assert not (tmp_path / "-").exists()


def test_json_and_code_go_there_too(qwen: Run, tmp_path: Path) -> None:
    assert qwen(*ASK, "--json", "--output", "answer.json", "Hello").stdout == b""
    assert json.loads((tmp_path / "answer.json").read_text(encoding="utf-8"))["model"] == "demo"
    assert qwen(*ASK, "-x", "--output", "code.txt", "Hello").stdout == b""
    assert (tmp_path / "code.txt").read_text(encoding="utf-8").strip()


def test_a_file_stays_as_it_is_unless_it_may_be_overwritten(qwen: Run, tmp_path: Path) -> None:
    file = tmp_path / "mine.md"
    file.write_text("mine, and longer than any answer" * 99)
    done = qwen(*ASK, "--output", "mine.md", "Hello")
    assert done.returncode == 2
    assert all(words in done.stderr.decode() for words in ("mine.md already", "mine-2.md", "--overwrite"))
    assert file.read_text().startswith("mine")
    assert qwen(*ASK, "--output", "mine.md", "--overwrite", "Hello").returncode == 0
    assert "mine" not in file.read_text(encoding="utf-8")


def test_the_material_itself_can_be_replaced_by_its_answer(qwen: Run, tmp_path: Path) -> None:
    (tmp_path / "text.md").write_text("A text about ships.")
    assert qwen(*ASK, "-f", "text.md", "--output", "text.md", "--overwrite", "Hello").returncode == 0
    assert (tmp_path / "text.md").stat().st_size


def test_an_empty_file_is_taken_and_one_without_an_answer_leaves_nothing(qwen: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.md").touch()
    assert qwen(*ASK, "--output", "empty.md", "Hello").returncode == 0
    assert (tmp_path / "empty.md").stat().st_size
    assert qwen("ask", "-m", "none.gguf", "--output", "new.md", "Hello").returncode == 1
    assert not (tmp_path / "new.md").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and /dev/full")
def test_a_folder_a_refusal_and_a_full_disk_are_told(qwen: Run, tmp_path: Path) -> None:
    for name, code, words in (
        (".", 2, "is a folder"),
        ("/proc/here/answer.md", 74, "could not be written"),
        ("/dev/full", 74, "No space left on device"),
    ):
        done = qwen(*ASK, "--output", name, "Hello")
        assert (done.returncode, done.stdout) == (code, b"")
        assert words in done.stderr.decode()
        assert "Written" not in done.stderr.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_after_ctrl_c_what_has_come_stays(tiny: Path, tmp_path: Path) -> None:
    # Such an answer lasts until it is stopped.
    endless = ["-o", "temperature=0", "--ctx-size", "32000"]
    asked = [*COMMAND, "ask", "-m", str(tiny), "-n", *endless, "--output", "answer.md", "Hello"]
    environment = {**os.environ, "QWEN_TUI_LOOKUP": "false"}
    process = subprocess.Popen(asked, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=tmp_path, env=environment)
    file = tmp_path / "answer.md"
    while not (file.exists() and file.stat().st_size) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 130
    assert file.stat().st_size
    assert "Written: answer.md" in said
