"""How much memory the engine's worker has taken at its peak."""

import os
from pathlib import Path

from qwen_tui import child


def peak_memory() -> int | None:
    """Return the most bytes that a worker of this process has held, mapped weights included; None without a worker.

    Where the system keeps no peak (macOS), what is held now.
    """
    import psutil

    peaks = []
    for process in psutil.Process().children():
        try:
            if child.is_running(process.cmdline(), child.WORKER):
                peaks.append(_peak(process.pid) or _windows_peak(process.memory_info()))
        except psutil.Error:
            # It has ended in between.
            continue
    return max(peaks, default=None)


def _peak(pid: int) -> int:
    """Return Linux's figure in bytes, 0 elsewhere."""
    if os.name != "posix":
        return 0
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def _windows_peak(info: object) -> int:
    return int(getattr(info, "peak_wset", 0) or getattr(info, "rss", 0))
