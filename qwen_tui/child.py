"""How the program starts itself: each of its processes gets its command line here, in a bundle perhaps another one."""

import sys
from collections.abc import Sequence

# What can be started.
PROGRAM = "qwen_tui.cli.main"
WORKER = "qwen_tui.engine.worker"


def command(module: str) -> tuple[str, ...]:
    """Return the command line that runs `module`, which is `PROGRAM` or `WORKER`."""
    # -P: a types.py in the user's folder must not be imported.
    return sys.executable, "-P", "-m", module


def is_running(command_line: Sequence[str], module: str) -> bool:
    """Whether a process with this command line runs `module`."""
    # The system may call the interpreter by another path.
    return tuple(command_line[1:]) == command(module)[1:]
