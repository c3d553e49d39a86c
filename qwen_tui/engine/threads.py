"""Starts threads, also where memory may be short."""

import _thread
import threading
from collections.abc import Callable

# A thread that has not begun after so long, in seconds, never will.
_PATIENCE = 10.0


def start_thread(run: Callable[[], None]) -> threading.Event:
    """Run `run` in a thread that ends with the process; the returned event is set when the thread ends.

    Raises `RuntimeError` if the thread does not start. `threading.Thread` would wait for ever for a thread that finds
    no memory to begin.
    """
    begun, ended = threading.Event(), threading.Event()

    def body() -> None:
        try:
            begun.set()
            run()
        except MemoryError:
            # The event says that the thread has ended.
            return
        finally:
            ended.set()

    _thread.start_new_thread(body, ())
    if not begun.wait(_PATIENCE):
        raise RuntimeError("can't start new thread")
    return ended
