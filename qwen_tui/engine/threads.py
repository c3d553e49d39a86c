"""Starting a thread where memory may be short."""

import _thread
import threading
from collections.abc import Callable

# A thread that does not run after so long, in seconds, never will.
_PATIENCE = 10.0


def start_thread(run: Callable[[], None]) -> threading.Event:
    """Run `run` in a thread that does not outlive the process; the event returned is set at its end.

    Raises `RuntimeError` if that fails. `threading.Thread` waits for ever for a thread that found no memory to begin.
    """
    begun, ended = threading.Event(), threading.Event()

    def body() -> None:
        try:
            begun.set()
            run()
        except MemoryError:
            # Whoever waits for its work finds it ended.
            return
        finally:
            ended.set()

    _thread.start_new_thread(body, ())
    if not begun.wait(_PATIENCE):
        raise RuntimeError("can't start new thread")
    return ended
