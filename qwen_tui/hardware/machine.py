"""What this PC has that decides how to compute."""

import os


def physical_cores() -> int:
    """Return the number of cores decoding should use: physical ones, within what this process may run on.

    Two threads on one core wait for the same memory; more threads than allowed cores wait for each other.
    """
    import psutil

    physical = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else physical
    return max(1, min(physical, allowed))
