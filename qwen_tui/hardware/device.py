"""What the installed llama.cpp is and sees: how it was compiled, its devices, and the buffers that it would make."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from qwen_tui.hardware.plan import Plan

Kind = Literal["cpu", "gpu", "igpu", "accelerator", "unknown"]


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device as ggml reports it; the sizes are in bytes, and both 0 if ggml does not know them.

    `id` is the address on the PCI bus, as "0000:01:00.0"; empty if the device has none, or does not tell.
    """

    name: str
    description: str
    kind: Kind
    free: int
    total: int
    id: str = ""


class Buffers(msgspec.Struct, frozen=True, kw_only=True):
    """The sizes of the compute buffers on the GPU and in RAM, in bytes."""

    gpu: int
    ram: int


class DryRun(msgspec.Struct, frozen=True, kw_only=True):
    """The bytes of the compute buffers with a plan, by device, from a loading that allocates nothing."""

    plan: Plan
    compute: dict[str, int]

    @property
    def buffers(self) -> Buffers:
        """The bytes by the memory that holds them: a GPU's own buffer in RAM (CUDA_Host) counts as RAM."""
        ram = sum(size for name, size in self.compute.items() if in_ram(name))
        return Buffers(gpu=sum(self.compute.values()) - ram, ram=ram)


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """The installed llama.cpp.

    `version` is the version of the binding, `library` that of ggml. `features` is what it says that it was compiled
    for, as {"CPU": {"AVX2": "1"}, "CUDA": {"ARCHS": "750"}}. `gpu_offload` says whether it was built for GPUs, too,
    found or not. `notes` are lines of its log that say why a device is missing. `variant` is the part of a portable
    build that computes on this processor; empty if there is just one. `died` are variants that would suit it better,
    and died here. `broken` has a line for each variant that cannot be loaded, with the reason.
    """

    version: str
    library: str
    features: dict[str, dict[str, str]]
    gpu_offload: bool
    devices: tuple[Device, ...] = ()
    dry_runs: tuple[DryRun, ...] = ()
    notes: tuple[str, ...] = ()
    variant: str = ""
    died: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()

    @property
    def gpus(self) -> tuple[Device, ...]:
        """The devices for layers, without a graphics part inside the processor, which makes nothing faster."""
        return tuple(device for device in self.devices if device.kind == "gpu") if self.gpu_offload else ()

    @property
    def device(self) -> Device | None:
        """The device for layers if any go to one, even a graphics part inside the processor; None without one."""
        return for_layers(self.devices) if self.gpu_offload else None

    def compiled(self) -> dict[str, str]:
        """Return for each backend what it was compiled for, as {"CPU": "AVX2 FMA", "CUDA": "ARCHS 750"}."""

        def said(name: str, value: str) -> str:
            return name if value == "1" else f"{name} {value}"

        return {
            backend: " ".join(said(name, value) for name, value in known.items() if value != "0")
            for backend, known in self.features.items()
        }

    def compiled_for(self, instruction: str) -> bool:
        """Whether the code for the processor uses the instruction set `instruction`."""
        return self.features.get("CPU", {}).get(instruction) == "1"


def for_layers(devices: Iterable[Device]) -> Device | None:
    """Return the device that the layers go to, None without one. Both the plan and the worker decide by this.

    All layers go to one device, because the plan calculates with one memory. llama.cpp itself would spread them over
    all cards. An RPC server comes first, because a person has named it on purpose. A card comes before a graphics part
    inside the processor, and among cards the one with the most memory, or the first of several.
    """
    once: dict[str, Device] = {}
    for device in devices:
        if device.kind in ("gpu", "igpu"):
            # Two backends may show the same card. The first one counts, as it does for llama.cpp.
            once.setdefault(device.id or device.name, device)

    def rank(device: Device) -> tuple[bool, bool, int]:
        return device.name.startswith("RPC"), device.kind == "gpu", device.total

    return max(once.values(), key=rank, default=None)


def in_ram(buffer: str) -> bool:
    """Whether a buffer of this name is in RAM: CPU, CPU_Mapped, CPU_REPACK, CUDA_Host, Vulkan_Host, BLAS."""
    return buffer.startswith(("CPU", "BLAS", "AMX")) or buffer.endswith("_Host")


def parse_features(text: str) -> dict[str, dict[str, str]]:
    """Parse llama.cpp's description of itself: `CPU : AVX = 1 | AVX2 = 1 | CUDA : ARCHS = 750 | FORCE_MMQ = 1 | `."""
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
