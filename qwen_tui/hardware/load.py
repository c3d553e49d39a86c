"""How busy other programs keep the processor."""

import time

import msgspec

from qwen_tui.hardware.processor import logical_cores

# How long their processor time is watched, in seconds: short ticks of a system add up within it.
_WATCHED_S = 0.4


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """How many `cores` of `all_cores` other programs use, and the name of the busiest of them; "" if not known."""

    cores: float
    all_cores: int
    program: str = ""

    @property
    def share(self) -> float:
        """The share of the processor that they use, from 0 to 1."""
        return min(1.0, self.cores / self.all_cores)


def load_of_others() -> Load | None:
    """Watch the other programs for a moment; None if the system does not tell. This process and its parents count not.

    A child that this process has ended meanwhile is not seen.
    """
    import psutil

    try:
        own = {process.pid for process in (psutil.Process(), *psutil.Process().parents())}
        before = _seconds(own)
        time.sleep(_WATCHED_S)
        after = _seconds(own)
    except (psutil.Error, OSError):
        return None
    used = {pid: seconds - before[pid][0] for pid, (seconds, _name) in after.items() if pid in before}
    if not used:
        return None
    busiest = max(used, key=lambda pid: used[pid])
    cores = round(sum(used.values()) / _WATCHED_S, 1)
    return Load(cores=cores, all_cores=logical_cores(), program=after[busiest][1])


def _seconds(own: set[int]) -> dict[int, tuple[float, str]]:
    """Return the processor seconds and the name of each process that is not among `own`."""
    import psutil

    found = {}
    for process in psutil.process_iter(("cpu_times", "name")):
        times = process.info["cpu_times"]
        if process.pid not in own and times is not None:
            found[process.pid] = (times.user + times.system, process.info["name"] or "")
    return found
