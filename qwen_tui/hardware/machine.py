"""What this PC has that decides how to compute: what tells it from another, and the fuller description."""

import platform
from pathlib import Path

import msgspec

from qwen_tui.hardware.gpu import Graphics, graphics
from qwen_tui.hardware.memory import Memory, memory
from qwen_tui.hardware.processor import Processor, logical_cores, physical_cores, processor, processor_name

_GIB = 1 << 30


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What tells one PC from another where speed is concerned; `memory` is in whole GiB, which kernels agree about.

    Figures are kept under it, so nothing that changes from day to day belongs in here.
    """

    cpu: str
    cores: int
    logical_cores: int
    memory: int
    gpu: str = ""


class Computer(msgspec.Struct, frozen=True, kw_only=True):
    """A PC at one moment, with what is free of it."""

    system: str
    processor: Processor
    memory: Memory
    graphics: Graphics


def this_machine() -> Machine:
    """Describe what this PC is; the cores are those that this process may use."""
    import psutil

    return Machine(
        cpu=processor_name(),
        cores=physical_cores(),
        logical_cores=logical_cores(),
        memory=round(psutil.virtual_memory().total / _GIB),
    )


def this_computer(root: Path = Path("/")) -> Computer:
    """Describe this PC as it is now; asks the graphics driver, which can take a while."""
    return Computer(
        system=f"{platform.system()} {platform.release()}",
        processor=processor(root),
        memory=memory(root),
        graphics=graphics(),
    )
