"""Measures how fast this PC reads its memory. That limits decoding on a CPU: every token reads all weights."""

import ctypes
import threading
import time
from typing import Any

from qwen_tui import cancellation

# In bytes for each thread: more than any cache holds for one core, and small enough to allocate.
_BLOCK = 64 << 20
_LONGEST_S = 0.4
# If a thread cannot be started, the others wait for it in vain; they give up after this many seconds.
_PATIENCE_S = 5.0


def memory_bandwidth(threads: int, free: int) -> float | None:
    """Return the bytes per second that `threads` threads read together; this takes half a second.

    None if it cannot be measured: without a C library that has `memchr`, if the blocks would take more than a quarter
    of the memory `free` (bytes), or if the system gives no memory or threads.
    """
    find = _search()
    if find is None or threads * _BLOCK > free // 4:
        return None
    start = threading.Barrier(threads, timeout=_PATIENCE_S)
    try:
        return _together(find, threads, start)
    except (MemoryError, RuntimeError):
        # The threads that have started must not wait for the missing ones.
        start.abort()
        return None


def _together(find: Any, threads: int, start: threading.Barrier) -> float | None:
    blocks = [ctypes.create_string_buffer(_BLOCK) for _thread in range(threads)]
    read = [0] * threads

    def run(index: int) -> None:
        address = ctypes.addressof(blocks[index])
        # On the first pass, the system allocates the pages, so the measurement begins after it.
        find(address, 1, _BLOCK)
        try:
            start.wait()
        except threading.BrokenBarrierError:
            return
        end = time.perf_counter() + _LONGEST_S
        while time.perf_counter() < end:
            find(address, 1, _BLOCK)
            read[index] += _BLOCK

    workers = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        cancellation.current().join(worker)
    return None if start.broken else sum(read) / _LONGEST_S


def _search() -> Any:
    """Return the C library's `memchr`: it reads at the speed of memory, and ctypes releases the GIL during the call."""
    try:
        library = ctypes.CDLL("msvcrt" if hasattr(ctypes, "windll") else None)
        find = library.memchr
    except (OSError, AttributeError):
        return None
    find.restype, find.argtypes = ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
    return find
