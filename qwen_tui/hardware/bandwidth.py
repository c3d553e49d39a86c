"""How fast this PC reads its memory: the limit of writing on a CPU, where every token reads all weights."""

import ctypes
import threading
import time
from typing import Any

# More than any cache of a PC holds for one core, and little enough to have.
_BLOCK = 64 << 20
_LONGEST_S = 0.4


def memory_bandwidth(threads: int, free: int) -> float | None:
    """Return bytes per second that `threads` threads read together, looking for half a second.

    None where it cannot be measured: without a C library that searches memory, or with little memory `free` (bytes).
    """
    find = _search()
    if find is None or threads * _BLOCK > free // 4:
        return None
    blocks = [ctypes.create_string_buffer(_BLOCK) for _thread in range(threads)]
    read = [0] * threads
    start = threading.Barrier(threads)

    def run(index: int) -> None:
        address = ctypes.addressof(blocks[index])
        # The first look has the system lay the pages out.
        find(address, 1, _BLOCK)
        start.wait()
        end = time.perf_counter() + _LONGEST_S
        while time.perf_counter() < end:
            find(address, 1, _BLOCK)
            read[index] += _BLOCK

    workers = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(read) / _LONGEST_S


def _search() -> Any:
    """Return the C library's `memchr`, which reads at the speed of memory and leaves other threads to run."""
    try:
        library = ctypes.CDLL("msvcrt" if hasattr(ctypes, "windll") else None)
        find = library.memchr
    except (OSError, AttributeError):
        return None
    find.restype, find.argtypes = ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
    return find
