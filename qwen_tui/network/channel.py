"""Bytes on their way from the thread that reads the network to the one that writes the disk."""

import threading
import time
from collections.abc import Callable

from qwen_tui import cancellation
from qwen_tui.network.request import ResponseHead

# So many bytes may wait while as many are being written: what a kill loses stays well under a megabyte.
_WAITING = 256 << 10
# Whoever waits for bytes looks this often whether to go on, in seconds.
_LOOK_EVERY = 0.05


class Channel:
    """What one thread hands over to another: first a head, then bytes, at last the error that ended them, or None.

    Bytes that wait are taken all at once: little at a time from a slow line, much from a fast one.
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
        """Hand over the head."""
        with self._changed:
            self._head = head
            self._changed.notify_all()

    def put(self, piece: bytes) -> bool:
        """Hand over bytes as soon as there is room; false where nobody wants them any more."""
        with self._changed:
            while self._waiting >= _WAITING and not self._closed:
                self._changed.wait()
            self._pieces.append(piece)
            self._waiting += len(piece)
            self._changed.notify_all()
            return not self._closed

    def end(self, error: Exception | None) -> None:
        """Hand over nothing more, and say why if that is an error."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def close(self) -> None:
        """Want nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def head(self, patience: float) -> ResponseHead:
        """Return how the answer begins; raises `TimeoutError`, and whatever ended it."""
        with self._changed:
            self._wait(patience, lambda: self._head is not None)
            if self._head is None:
                raise self._error or TimeoutError
            return self._head

    def take(self, patience: float) -> bytes:
        """Return the bytes that wait, none at the end; raises `TimeoutError`, and whatever ended it."""
        with self._changed:
            self._wait(patience, lambda: bool(self._pieces))
            if not self._pieces and self._error:
                raise self._error
            taken = b"".join(self._pieces)
            self._pieces.clear()
            self._waiting = 0
            self._changed.notify_all()
            return taken

    def _wait(self, patience: float, there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + patience
        while not (there() or self._ended):
            if time.monotonic() >= deadline:
                raise TimeoutError
            cancellation.check()
            self._changed.wait(_LOOK_EVERY)
