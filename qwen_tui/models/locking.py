"""Locks between the program's processes; Ctrl-C ends the wait for a lock."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from qwen_tui import cancellation

# The time between two attempts to get a lock, in seconds.
_EVERY = 0.05


@contextlib.contextmanager
def locked(path: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock on the file `path` in the block; call `on_wait` once if another process has the lock.

    Raises `OSError`, and `CancelledError` during the wait.
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
                on_wait()
            cancellation.current().sleep(_EVERY)
    try:
        yield
    finally:
        lock.release()
