"""How long to wait for a source, and how often to try it again."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

T = TypeVar("T")


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """Waiting times in seconds. Two silent sources are given up within 15 s."""

    # Until the answer begins: name lookup, connection, redirections and all.
    answer: float = 6.0
    # Without a byte, in the middle of the file.
    stall: float = 20.0
    # Tries of one source that bring nothing, and the wait after the first of them, which doubles.
    tries: int = 6
    first_wait: float = 1.0
    longest_wait: float = 60.0


PATIENCE = Patience()


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return what `call` returns, or raise what it raises; `TimeoutError` after `seconds`, whatever it is doing.

    Looking up a name cannot be given a time limit, nor be interrupted: it is left behind in a thread of its own.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(call())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    deadline = time.monotonic() + seconds
    while thread.is_alive() and time.monotonic() < deadline:
        # In steps, because Windows does not interrupt a wait.
        thread.join(0.2)
    if failure:
        raise failure[0]
    if not outcome:
        raise TimeoutError
    return outcome[0]
