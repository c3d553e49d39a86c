"""What the installed llama.cpp is and sees: how it was compiled, its devices, and the buffers it would make."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from qwen_tui.hardware.plan import Plan

Kind = Literal["cpu", "gpu", "igpu", "accelerator", "unknown"]


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device as ggml reports it; sizes in bytes, and both 0 where it does not know them.

    `id` is its place on the PCI bus, as "0000:01:00.0"; empty where it has none, or does not tell.
    """

    name: str
    description: str
    kind: Kind
    free: int
    total: int
    id: str = ""


class Buffers(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of the buffers to compute in, on the GPU and in RAM."""

    gpu: int
    ram: int


class DryRun(msgspec.Struct, frozen=True, kw_only=True):
    """The buffers that llama.cpp would make with a plan, from a load that allocates nothing; bytes by device."""

    plan: Plan
    compute: dict[str, int]

    @property
    def buffers(self) -> Buffers:
        """The bytes where the memory is: what a GPU's driver keeps in RAM for it (CUDA_Host) is RAM."""
        ram = sum(size for name, size in self.compute.items() if in_ram(name))
        return Buffers(gpu=sum(self.compute.values()) - ram, ram=ram)


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """The installed llama.cpp.

    `version` is the binding's, `library` that of ggml, `features` what it was compiled for by its own words, as
    {"CPU": {"AVX2": "1"}, "CUDA": {"ARCHS": "750"}}. `notes` are lines of its log that say why a device is missing.
    """

    version: str
    library: str
    features: dict[str, dict[str, str]]
    gpu_offload: bool
    devices: tuple[Device, ...] = ()
    dry_runs: tuple[DryRun, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def gpus(self) -> tuple[Device, ...]:
        """The devices that layers can be given to: a graphics part inside the processor gains nothing."""
        return tuple(device for device in self.devices if device.kind == "gpu") if self.gpu_offload else ()

    @property
    def device(self) -> Device | None:
        """The one that layers go to where some are to, be it a graphics part inside the processor; None without one."""
        return for_layers(self.devices) if self.gpu_offload else None

    def compiled_for(self, instruction: str) -> bool:
        """Whether it uses an instruction set of the processor."""
        return self.features.get("CPU", {}).get(instruction) == "1"


def for_layers(devices: Iterable[Device]) -> Device | None:
    """Return the device that layers are given to; None where there is none. The plan and the worker both ask this.

    It gets all of them, for the plan reckons with one memory; llama.cpp by itself would spread them over every card. A
    card comes before a graphics part inside the processor, and among cards that with most memory, or the first of them;
    before all an RPC server, which somebody has named on purpose.
    """
    once: dict[str, Device] = {}
    for device in devices:
        if device.kind in ("gpu", "igpu"):
            # Two backends may show one and the same card: the first is the better, as for llama.cpp.
            once.setdefault(device.id or device.name, device)

    def rank(device: Device) -> tuple[bool, bool, int]:
        return device.name.startswith("RPC"), device.kind == "gpu", device.total

    return max(once.values(), key=rank, default=None)


def in_ram(buffer: str) -> bool:
    """Whether a buffer of this name lies in RAM: CPU, CPU_Mapped, CPU_REPACK, CUDA_Host, Vulkan_Host, BLAS."""
    return buffer.startswith(("CPU", "BLAS", "AMX")) or buffer.endswith("_Host")


def parse_features(text: str) -> dict[str, dict[str, str]]:
    """Read llama.cpp's own description: `CPU : AVX = 1 | AVX2 = 1 | CUDA : ARCHS = 750 | FORCE_MMQ = 1 | `."""
    found: dict[str, dict[str, str]] = {}
    backend = ""
    for piece in text.split("|"):
        head, colon, rest = piece.partition(" : ")
        if colon:
            backend, piece = head.strip(), rest
            found.setdefault(backend, {})
        name, equals, value = piece.partition("=")
        if equals and name.strip():
            found.setdefault(backend, {})[name.strip()] = value.strip()
    return found
