"""The --help of every script says what the script is for."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent.parent / "scripts"
# The scripts that a person starts; the others are modules of these. The training script needs PyTorch even for --help.
STARTED = sorted(
    path.relative_to(SCRIPTS).as_posix()
    for path in SCRIPTS.rglob("*.py")
    if "__main__" in path.read_text(encoding="utf-8") and path.name != "train_demo_model.py"
)


@pytest.mark.skipif(sys.platform == "win32", reason="some are for POSIX only")
@pytest.mark.parametrize("name", STARTED)
def test_help_says_what_the_script_is_for_and_does_nothing(name: str) -> None:
    done = subprocess.run([sys.executable, SCRIPTS / name, "--help"], capture_output=True, text=True, timeout=60)
    said = ast.get_docstring(ast.parse((SCRIPTS / name).read_text(encoding="utf-8")))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: ")
    assert said
    assert said in done.stdout
