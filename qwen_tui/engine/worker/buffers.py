"""The buffers that llama.cpp names in its log, the one place where it says exactly what a load or a context takes."""

import re
from typing import NamedTuple

# Such as "sched_reserve:        CPU compute buffer size =   140.75 MiB".
_LINE = re.compile(r"(\S+)[ \t]+(model|KV|output|compute) buffer size =[ \t]*([\d.]+) MiB")


class Buffer(NamedTuple):
    """One buffer: the name of its device, what it is for (`model`, `KV`, `output`, `compute`), and its bytes.

    The log has hundredths of a MiB, so `nbytes` is rounded to those.
    """

    device: str
    kind: str
    nbytes: int


def logged_buffers(log: str) -> list[Buffer]:
    """Return the buffers that `log` names, in its order; one that was made anew is named once more."""
    return [Buffer(device, kind, round(float(mib) * (1 << 20))) for device, kind, mib in _LINE.findall(log)]
