"""A terminal gets only harmless text, whatever the program prints; a pipe gets everything unchanged."""

import os
import subprocess
import sys
from pathlib import Path

from qwen_tui import files
from tests.conftest import Run

FUZZ = Path(__file__).parents[2] / "scripts" / "stress" / "fuzz_sanitiser.py"


def test_no_front_lets_control_sequences_through() -> None:
    done = subprocess.run(
        [sys.executable, FUZZ, "--strings", "2000", "--each", "100"], capture_output=True, timeout=100, text=True
    )
    assert done.returncode == 0, done.stderr + done.stdout


def test_a_pipe_gets_the_settings_as_they_are(qwen: Run) -> None:
    shown = qwen("config", "show", env={**os.environ, "QWEN_TUI_SYSTEM": "a\u202eb\x9bc"})
    assert "a\u202eb\x9bc".encode() in shown.stdout


def test_a_path_with_a_nul_is_a_missing_file() -> None:
    assert not files.expand("a\0b").exists()
