"""The buffer sizes in llama.cpp's log: the only place where it reports exactly what a model or a context takes."""

import re
from typing import NamedTuple

# For example "sched_reserve:        CPU compute buffer size =   140.75 MiB".
_LINE = re.compile(r"(\S+)[ \t]+(model|KV|output|compute) buffer size =[ \t]*([\d.]+) MiB")


class Buffer(NamedTuple):
    """One buffer: the name of its device, its purpose (`model`, `KV`, `output`, `compute`), and its size in bytes.

    The log gives hundredths of a MiB, so `nbytes` is rounded to those.
    """

    device: str
    kind: str
    nbytes: int


def logged_buffers(log: str) -> list[Buffer]:
    """Return the buffers in `log`, in its order; a buffer that llama.cpp allocated again appears twice."""
    return [Buffer(device, kind, round(float(mib) * (1 << 20))) for device, kind, mib in _LINE.findall(log)]
