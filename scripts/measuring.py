"""What the scripts share beside `qwen_tui.evaluation.measuring`."""

import argparse
import sys
from collections.abc import Callable

from qwen_tui import child

# `qwen`, of this checkout or this installation, whatever lies in the current folder.
QWEN = child.command(child.PROGRAM)


def command_line(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser whose --help is what a script says about itself."""
    return argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)


def tell(text: str) -> None:
    """Print progress where it disturbs no result."""
    print(text, file=sys.stderr, flush=True)


def limiting(limit: int) -> Callable[[], None]:
    """Return what limits the address space of the process that calls it, in bytes (POSIX)."""
    import resource

    return lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
