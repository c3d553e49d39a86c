"""Locks between the program's processes, waited for so that Ctrl-C ends the wait."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from qwen_tui import cancellation

# How often a lock is tried, in seconds.
_EVERY = 0.05


@contextlib.contextmanager
def locked(path: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock on the file `path` in the block; `waiting` is called if another process has it.

    Raises `OSError`, and `CancelledError` from the wait.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, mode=0o600)
    told = False
    while not lock.is_locked:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if not told:
                told = True
                waiting()
            cancellation.current().sleep(_EVERY)
    try:
        yield
    finally:
        lock.release()
