"""Commands that only look change nothing: what the program has learned of the PC, its driver and its models stays."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from tests.conftest import COMMAND, Run
from tests.faulty_llama import build_for, card, install
from tests.terminal_screen import CTRL_D, Terminal

LOOKS = [
    "doctor",
    "doctor --json",
    "doctor -m tiny",
    "doctor -m tiny --json --network",
    "doctor -m nothing",
    "doctor -m tiny --gpu-layers 2 --ctx-size 1024",
    "models list",
    "models show tiny",
    "models show demo --json",
    "config show",
    "cache show",
    "templates list",
    "tune -m tiny --show",
    "bench -m tiny --quick",
    "doctor --help",
]


def tree(home: Path) -> dict[str, str]:
    """Return for every file below a folder its content, and when it was written."""
    there = sorted(home.rglob("*")) if home.exists() else []
    return {
        str(path.relative_to(home)): f"{path.stat().st_mtime_ns} "
        + (hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
        for path in there
    }


@pytest.fixture
def learned(qwen: Run, home: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with settings, models, conversations, states, speeds, and remembered failures."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert qwen("models", "import", tiny, "--yes").returncode == 0
    for name, value in (("threads", "1"), ("cache_seconds", "0")):
        assert qwen("config", "set", name, value).returncode == 0
    assert qwen("tune", "-m", "tiny", "--seconds", "1").returncode == 0
    assert qwen("ask", "-m", "tiny", "-o", "max_tokens=3", "hello " * 100).returncode == 0
    # The worker that was left behind writes its state now, and then the hash of the model.
    states = home / "cache" / "states"
    while not (list(states.glob("*.state")) and (states / "models.json").exists()):
        time.sleep(0.05)
    # As after a copy of the file, neither its record nor the hash in its states fits any more.
    os.utime(home / "models" / "tiny.gguf", ns=(0, 1_700_000_000_000_000_000))
    (home / "worked.json").write_text('{"version": 1, "worked": []}')
    (home / "cache" / "engine.json").write_text("{}")
    (home / "cache" / "driver-hung").touch()
    return home


def test_looking_leaves_everything_as_it_was(learned: Path, qwen: Run) -> None:
    before = tree(learned)
    for name in ("models/models.json", "history.db", "tuned.json", "config.toml"):
        assert name in before
    for look in LOOKS:
        done = qwen(*look.split())
        assert b"Traceback" not in done.stderr
        assert tree(learned) == before, look


def test_looking_creates_no_home_folder(home: Path, qwen: Run) -> None:
    for look in ("doctor -m demo", "models list", "cache show", "tune -m demo --show"):
        qwen(*look.split())
        assert not home.exists(), look


def test_a_look_at_an_unknown_card_is_not_remembered(
    qwen: Run, tiny: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, cards=[card("Card", 2 << 30)])
    build_for("vulkan", tmp_path, monkeypatch)
    for look in (["doctor"], ["tune", "--show"], ["bench", "--quick"]):
        done = qwen(*look, "-m", tiny)
        assert done.returncode == 0, done.stderr
        assert not home.exists(), look


def test_looking_during_a_conversation_learns_nothing(tiny: Path, home: Path) -> None:
    terminal = Terminal(*COMMAND, "chat", "-m", str(tiny), "-n", "-o", "max_tokens=3")
    terminal.wait_for("Enter sends", "tiny.gguf · context")
    terminal.enter("hello")
    terminal.wait_for("tokens/s")
    before = tree(home)
    for line, words in (("/show", "model"), ("/context", "The context holds"), ("/stats", "the first after")):
        terminal.enter(line)
        terminal.wait_for(words)
    terminal.type("/te\t")
    terminal.wait_for("/template")
    assert tree(home) == before
    terminal.type("\x03" + CTRL_D)
    assert terminal.ended() == 0
