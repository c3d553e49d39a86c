"""Stops native code from another thread, without a Python callback.

llama.cpp calls its abort callback at every graph node, hundreds of times a token. A Python function would take the GIL
each time. libc's `strlen` over a two-byte buffer costs nothing: it returns 0 until the first byte is set.
"""

import ctypes
import sys
import threading
from typing import Any

# Stands for the number of a question while the worker reads ahead.
_READING_AHEAD = 0


class StopFlag:
    """Whether the question being answered should stop; set by the reader thread, asked by the token loop.

    Questions are numbered, so that a cancellation that arrives late never stops the next one.
    """

    def __init__(self) -> None:
        self._buffer = ctypes.create_string_buffer(2)
        self._lock = threading.Lock()
        self._current = self._cancelled = -1

    def begin(self, number: int) -> None:
        """Say which question is being answered from now on."""
        with self._lock:
            self._current = number
            self._buffer[0] = b"\x01" if self._cancelled == number else b"\x00"

    def begin_reading_ahead(self) -> None:
        """Say that from now on the worker reads ahead; `stop_reading_ahead` stops it."""
        with self._lock:
            self._current = _READING_AHEAD
            self._buffer[0] = b"\x00"

    def stop_reading_ahead(self) -> None:
        """Stop reading ahead, and nothing else."""
        with self._lock:
            if self._current == _READING_AHEAD:
                self._buffer[0] = b"\x01"

    def cancel(self, number: int) -> None:
        """Stop the question `number`, now or as soon as it begins."""
        with self._lock:
            self._cancelled = number
            if self._current == number:
                self._buffer[0] = b"\x01"

    def __bool__(self) -> bool:
        return self._buffer[0] != b"\x00"

    def install(self, llama: Any, context: Any) -> None:
        """Make a running `llama_decode` on `context` return early once the flag is set (CPU backend only)."""
        libc = ctypes.cdll.msvcrt if sys.platform == "win32" else ctypes.CDLL(None)
        callback = ctypes.cast(libc.strlen, llama.ggml_abort_callback)
        llama.llama_set_abort_callback(context, callback, ctypes.cast(self._buffer, ctypes.c_void_p))
