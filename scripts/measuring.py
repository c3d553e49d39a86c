"""What the measuring scripts share beside `qwen_tui.evaluation.measuring`."""

import sys
from collections.abc import Callable


def tell(text: str) -> None:
    """Print progress where it disturbs no result."""
    print(text, file=sys.stderr, flush=True)


def limiting(limit: int) -> Callable[[], None]:
    """Return what limits the address space of the process that calls it, in bytes (POSIX)."""
    import resource

    return lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
