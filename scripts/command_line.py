"""The command line of the scripts: their --help, their progress, and how they run `qwen`."""

import argparse
import sys
from collections.abc import Callable

from qwen_tui import child

# The command line of `qwen` of this checkout or installation; files in the current folder do not change it.
QWEN = child.command(child.PROGRAM)


def command_line(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser that shows `doc`, the docstring of a script, as its --help."""
    return argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)


def report_progress(text: str) -> None:
    """Print progress on stderr: stdout has the results alone."""
    print(text, file=sys.stderr, flush=True)


def limit_address_space(limit: int) -> Callable[[], None]:
    """Return a function that limits the address space of its process to `limit` bytes (POSIX)."""
    import resource

    return lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
