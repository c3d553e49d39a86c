"""Flip single bits in an imported model: `verify` must find each, and no damaged file may be loaded.

    python scripts/stress/fuzz_verify.py [--count 1000] [--seed 0] [--model PATH]

Every case flips one random bit of the file in the models folder, and runs two commands. `qwen models verify` gets the
file with its old size, time and inode, as when a disk decays: it must find the damage. `qwen ask` gets it with a new
time, as when a program has written to the file: it must refuse to load it. At the end, both must accept the undamaged
file.
"""

import io
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from qwen_tui.cli.environment import Environment
from qwen_tui.cli.main import main as qwen
from qwen_tui.files import ASSETS
from scripts.command_line import command_line, report_progress


def main() -> int:
    """Run the cases, and return 1 if one of them was missed."""
    parser = command_line(__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", type=Path, default=ASSETS / "demo.gguf")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"QWEN_TUI_HOME": folder, "QWEN_TUI_LANG": "en"}
        return run(Path(folder), options.model, options.seed, options.count)


def run(home: Path, model: Path, seed: int, count: int) -> int:
    """Flip the bits of the cases `seed`, `seed` + 1, …, and return how many were found."""
    assert command("models", "import", str(model))[0] == 0
    name = model.name
    file = home / "models" / name
    size, untouched = file.stat().st_size, file.stat().st_mtime_ns
    found = refused = 0
    begun = time.monotonic()
    for case in range(seed, seed + count):
        rng = random.Random(case)
        at, bit = rng.randrange(size), 1 << rng.randrange(8)
        flip(file, at, bit)
        os.utime(file, ns=(untouched, untouched))
        code, said = command("models", "verify", name)
        found += code == 1 and "DAMAGED" in said
        os.utime(file)
        code, said = command("ask", "-m", name, "-n", "-o", "max_tokens=1", "Hello")
        refused += code == 1 and "damaged or was replaced" in said
        flip(file, at, bit)
        os.utime(file, ns=(untouched, untouched))
        if found < case - seed + 1 or refused < case - seed + 1:
            report_progress(f"case {case}: byte {at} bit {bit}: {said}")
            break
    whole = command("models", "verify", name)[0] == 0 and command("ask", "-m", name, "-n", "Hello")[0] == 0
    print(f"{count} single-bit flips in {size:,} bytes: {found} found by verify, {refused} refused by ask")
    print(
        f"the sound file at the end: {'verified and loaded' if whole else 'REFUSED'}; {time.monotonic() - begun:.0f} s"
    )
    return int(not (found == refused == count and whole))


def command(*arguments: str) -> tuple[int, str]:
    """Run a command of the program; return its exit code and all of its output."""
    said = io.StringIO()
    return qwen(arguments, Environment(None, said, said, os.environ)), said.getvalue()


def flip(file: Path, at: int, bit: int) -> None:
    """Flip one bit of the file in place."""
    with file.open("r+b") as stream:
        stream.seek(at)
        byte = stream.read(1)[0]
        stream.seek(at)
        stream.write(bytes([byte ^ bit]))


if __name__ == "__main__":
    sys.exit(main())
