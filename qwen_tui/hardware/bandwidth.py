"""How fast this PC reads its memory: the limit of writing on a CPU, where every token reads all weights."""

import ctypes
import threading
import time
from typing import Any

from qwen_tui import cancellation

# More than any cache of a PC holds for one core, and little enough to have.
_BLOCK = 64 << 20
_LONGEST_S = 0.4
# A thread that could not be started leaves the others waiting; after so many seconds they give up.
_PATIENCE_S = 5.0


def memory_bandwidth(threads: int, free: int) -> float | None:
    """Return bytes per second that `threads` threads read together, looking for half a second.

    None where it cannot be measured: without a C library that searches memory, with little memory `free` (bytes), or
    where the system gives no more memory or threads.
    """
    find = _search()
    if find is None or threads * _BLOCK > free // 4:
        return None
    start = threading.Barrier(threads, timeout=_PATIENCE_S)
    try:
        return _together(find, threads, start)
    except (MemoryError, RuntimeError):
        # What has been started already waits for nobody any more.
        start.abort()
        return None


def _together(find: Any, threads: int, start: threading.Barrier) -> float | None:
    blocks = [ctypes.create_string_buffer(_BLOCK) for _thread in range(threads)]
    read = [0] * threads

    def run(index: int) -> None:
        address = ctypes.addressof(blocks[index])
        # The first look has the system lay the pages out.
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
    """Return the C library's `memchr`, which reads at the speed of memory and leaves other threads to run."""
    try:
        library = ctypes.CDLL("msvcrt" if hasattr(ctypes, "windll") else None)
        find = library.memchr
    except (OSError, AttributeError):
        return None
    find.restype, find.argtypes = ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
    return find
