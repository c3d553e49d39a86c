"""Measure the processor seconds and the peak memory of a conversation in which nothing happens.

    python scripts/bench/idle.py MODEL [--minutes 10]

Two `qwen chat`, one that reads ahead and one that does not, stand in terminals of their own at the same time. What they
take until the model is loaded, and until the system prompt is read ahead, counts too; the second column of seconds is
what came after the first minute. The memory of the worker includes the mapped weights, which both share. POSIX only; it
needs the test dependencies.
"""

import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import psutil

from qwen_tui import child
from qwen_tui.columns import markdown_table
from scripts.command_line import QWEN, command_line, report_progress
from tests.terminal_screen import Terminal

MB = 1_000_000


class Cost(NamedTuple):
    """Processor seconds and peak memory in bytes, of the program and its worker."""

    program_s: float
    worker_s: float
    program_bytes: int
    worker_bytes: int


def main() -> None:
    """Start both, wait, and print the table."""
    parser = command_line(__doc__)
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("--minutes", type=float, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="qwen-idle-", ignore_cleanup_errors=True) as folder:
        terminals = {ahead: _started(options.model.absolute(), Path(folder), ahead=ahead) for ahead in (True, False)}
        begun = time.monotonic()
        _wait(terminals, begun + 60)
        first = {ahead: _cost(terminal) for ahead, terminal in terminals.items()}
        report_progress(f"after a minute: {first}")
        _wait(terminals, begun + 60 * options.minutes)
        rows = []
        for ahead, terminal in terminals.items():
            cost = _cost(terminal)
            for name, at_first, seconds, peak in (
                ("program", first[ahead].program_s, cost.program_s, cost.program_bytes),
                ("worker", first[ahead].worker_s, cost.worker_s, cost.worker_bytes),
            ):
                after = f"{seconds - at_first:.2f}"
                rows.append(("on" if ahead else "off", name, f"{at_first:.2f}", after, f"{peak / MB:,.0f}"))
            terminal.leave()
    head = ("reading ahead", "", "CPU s, first minute", "CPU s, after it", "peak memory, MB")
    print(markdown_table(head, rows))


def _started(model: Path, folder: Path, *, ahead: bool) -> Terminal:
    environment = {"QWEN_TUI_HOME": str(folder / str(ahead)), "QWEN_TUI_READ_AHEAD": str(ahead).lower()}
    terminal = Terminal(*QWEN, "chat", "-m", str(model), QWEN_TUI_LANG="en", LC_ALL="C.UTF-8", **environment)
    terminal.wait_for("Ctrl-D leaves")
    return terminal


def _wait(terminals: dict[bool, Terminal], until: float) -> None:
    """Wait, and read what the programs draw: a full terminal would stop them."""
    while time.monotonic() < until:
        for terminal in terminals.values():
            terminal.read(1.0)


def _cost(terminal: Terminal) -> Cost:
    """Return what the program in the terminal and its worker have taken so far."""
    program = psutil.Process(terminal.process.pid)
    workers = [one for one in program.children(recursive=True) if child.is_running(one.cmdline(), child.WORKER)]
    return Cost(
        _seconds(program), sum(map(_seconds, workers)), _peak(program.pid), sum(_peak(one.pid) for one in workers)
    )


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _peak(pid: int) -> int:
    """Return the peak in bytes (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main()
