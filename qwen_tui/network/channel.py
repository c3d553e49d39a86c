"""A queue from the thread that reads the network to the one that writes the disk."""

import threading
import time
from collections.abc import Callable

from qwen_tui import cancellation
from qwen_tui.network.request import ResponseHead

# The most bytes in the queue. While the disk takes one such amount, as much may arrive: if the program is killed, it
# loses well under a megabyte.
_CAPACITY = 256 << 10
# A thread that waits for bytes checks this often, in seconds, whether the operation is cancelled.
_LOOK_EVERY = 0.05


class Channel:
    """Passes one response from the reading thread to the writing one: the head, the bytes, then the error if any.

    The writing thread takes all queued bytes at once: few from a slow connection, many from a fast one.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._head: ResponseHead | None = None
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._ended = False
        self._error: Exception | None = None
        self._closed = False

    def begin(self, head: ResponseHead) -> None:
        """Pass on the head."""
        with self._changed:
            self._head = head
            self._changed.notify_all()

    def put(self, piece: bytes) -> bool:
        """Queue `piece` as soon as there is room; return false if the writing thread has closed the channel."""
        with self._changed:
            while self._waiting >= _CAPACITY and not self._closed:
                self._changed.wait()
            self._pieces.append(piece)
            self._waiting += len(piece)
            self._changed.notify_all()
            return not self._closed

    def end(self, error: Exception | None) -> None:
        """End the bytes, because of `error` if there is one."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def close(self) -> None:
        """Tell the reading thread to stop."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def head(self, patience: float) -> ResponseHead:
        """Wait for the head at most `patience` seconds; raises `TimeoutError`, or the error that ended the response."""
        with self._changed:
            self._wait(patience, lambda: self._head is not None)
            if self._head is None:
                raise self._error or TimeoutError
            return self._head

    def take(self, patience: float) -> bytes:
        """Return all queued bytes, none at the end.

        Waits at most `patience` seconds for the first. Raises `TimeoutError`, or the error that ended the response.
        """
        with self._changed:
            self._wait(patience, lambda: bool(self._pieces))
            if not self._pieces and self._error:
                raise self._error
            taken = b"".join(self._pieces)
            self._pieces.clear()
            self._waiting = 0
            self._changed.notify_all()
            return taken

    def _wait(self, patience: float, has_arrived: Callable[[], bool]) -> None:
        deadline = time.monotonic() + patience
        while not (has_arrived() or self._ended):
            if time.monotonic() >= deadline:
                raise TimeoutError
            cancellation.check()
            self._changed.wait(_LOOK_EVERY)
