"""Makes the command line of every process of this program. A bundle, which has no `-m`, will need another one."""

import sys
from collections.abc import Sequence

# The modules that run as a process.
PROGRAM = "qwen_tui.cli.main"
WORKER = "qwen_tui.engine.worker"
PDFIUM = "qwen_tui.documents.pdfium"


def command(module: str) -> tuple[str, ...]:
    """Return the command line that runs `module`, one of the three above."""
    # -P keeps Python from importing modules out of the current folder, for example a types.py of the user.
    return sys.executable, "-P", "-m", module


def cpu_seconds(process: int) -> float:
    """Return the CPU time that the process of this number has used, in seconds; 0 where that is not known."""
    import psutil

    try:
        times = psutil.Process(process).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def is_running(command_line: Sequence[str], module: str) -> bool:
    """Whether a process with this `command_line` runs `module`."""
    # This ignores the first word: the system may name the interpreter by another path.
    return tuple(command_line[1:]) == command(module)[1:]
