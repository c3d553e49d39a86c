"""Describes this PC: briefly, to tell it from other PCs (`Machine`), and in full at one moment (`Computer`).

Here is also the plan by rule.
"""

import platform
from pathlib import Path

import msgspec

from qwen_tui.hardware.gpu import Graphics, graphics
from qwen_tui.hardware.memory import Memory, memory
from qwen_tui.hardware.plan import Plan
from qwen_tui.hardware.processor import Processor, logical_cores, physical_cores, processor, processor_name

_GIB = 1 << 30
# From so many cores on, the memory limits the decode, and flash attention costs nothing.
_CORES_FOR_FLASH_ATTENTION = 4


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The properties of a PC that decide its speed. `memory` is in whole GiB: kernels disagree only below that.

    The program stores measurements under this value, so it must hold nothing that changes from day to day.
    """

    cpu: str
    cores: int
    logical_cores: int
    memory: int
    gpu: str = ""


class Computer(msgspec.Struct, frozen=True, kw_only=True):
    """A PC at one moment, with its free memory."""

    system: str
    processor: Processor
    memory: Memory
    graphics: Graphics


def this_machine() -> Machine:
    """Describe this PC; the cores are those that this process may use."""
    import psutil

    return Machine(
        cpu=processor_name(),
        cores=physical_cores(),
        logical_cores=logical_cores(),
        memory=round(psutil.virtual_memory().total / _GIB),
    )


def this_computer(root: Path = Path("/")) -> Computer:
    """Describe this PC as it is now; this asks the graphics driver, which can take seconds."""
    return Computer(
        system=f"{platform.system()} {platform.release()}",
        processor=processor(root),
        memory=memory(root),
        graphics=graphics(),
    )


def default_plan(machine: Machine, *, gpu: bool = False) -> Plan:
    """Return the plan by rule, but for the context and the layers on a GPU.

    CPU: the physical cores, for batches too, since a second thread on a core gains nothing on some PCs and loses on
    others; steps of 128 tokens, which still show progress where 15 tokens are read a second; weights mapped, not
    repacked: a fifth of the loading time and half of the memory, for at most 4% of a turn. Flash attention computes
    more for each token behind a long text. On two cores, that cost 7% to 30% of the decode speed; on six cores, where
    the memory limits the decode and the cores wait, it gained 7%, and 16% in the prefill (`scripts/bench/rule.py`
    compares). GPU: flash attention and larger steps, which keep it busy and its buffers small.
    """
    if gpu:
        return Plan(threads=machine.cores, batch_threads=machine.cores, batch_size=512, flash_attention=True)
    return Plan(
        threads=machine.cores, batch_threads=machine.cores, flash_attention=machine.cores >= _CORES_FOR_FLASH_ATTENTION
    )
