"""Asks NVIDIA's driver about itself and the cards. Nothing here raises for a missing or broken driver."""

import contextlib
import importlib
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from qwen_tui import cancellation
from qwen_tui.files import write_private
from qwen_tui.hardware.device import Device

# A broken driver may never answer a call; the program waits for it this many seconds.
_PATIENCE = 3.0
# The program does not ask a driver that has hung again for this many seconds, unless the PC has been restarted.
_HUNG_LASTS = 3600.0
_ASKING = "asking NVIDIA's driver"

Trouble = Literal["", "no_card", "no_library", "no_driver", "broken"]
_Value = TypeVar("_Value")


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A graphics card; sizes in bytes, `bandwidth` in bytes per second; None for values that the driver does not tell.

    `display` says whether the card drives a screen. `capability` is the compute capability, as (7, 5). `id` is its
    address on the PCI bus, as "0000:01:00.0"; empty if unknown.
    """

    name: str
    total: int | None = None
    free: int | None = None
    display: bool | None = None
    capability: tuple[int, int] | None = None
    bandwidth: int | None = None
    id: str = ""


class Graphics(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of NVIDIA's driver. `cuda` is the newest CUDA version that it supports, as "12.4".

    `trouble` says why there is no answer: `no_card` (this PC has none of NVIDIA), `no_library` (nvidia-ml-py is not
    installed), `no_driver`, or `broken`, with the driver's own words in `detail`.
    """

    driver: str | None = None
    cuda: str | None = None
    cards: tuple[Card, ...] = ()
    trouble: Trouble = ""
    detail: str = ""

    @property
    def card(self) -> Card | None:
        """The card with most memory."""
        return max(self.cards, key=lambda card: card.total or 0, default=None)

    @property
    def fullest(self) -> Card | None:
        """The card with the least free memory, of those that tell it; llama.cpp starts the driver on all of them."""
        return min(
            (card for card in self.cards if card.free is not None), key=lambda card: card.free or 0, default=None
        )

    def of(self, device: Device) -> Card | None:
        """Return the card that is ggml's `device`; None for a device of another maker.

        The address on the PCI bus decides. If the card or the device has none, the name decides, and among several
        cards of that name the least free memory.
        """
        here = [card for card in self.cards if card.id and card.id == device.id]
        alike = (card for card in self.cards if card.name.lower() in device.description.lower())
        return min(
            here or [card for card in alike if not (card.id and device.id)],
            key=lambda card: card.free or 0,
            default=None,
        )


# The result for a driver that hangs.
HUNG = Graphics(trouble="broken", detail="the driver does not answer")


def graphics(
    library: Callable[[], Any] | None = None, patience: float = _PATIENCE, *, root: Path = Path("/")
) -> Graphics:
    """Ask the driver, and wait at most `patience` seconds; `library` imports the module that asks (pynvml).

    While the driver still owes this process an answer, this returns `HUNG` without asking again.
    """
    found = _in_time(lambda: _ask(library or _library), patience) or HUNG
    if found.trouble in ("no_library", "no_driver") and _has_no_card(root):
        return msgspec.structs.replace(found, trouble="no_card")
    return found


def answered(
    question: Callable[[Any], _Value], library: Callable[[], Any] | None = None, patience: float = _PATIENCE
) -> _Value | None:
    """Return what `question` learns from NVML's module; None without a driver, or if that fails or takes too long."""

    def ask() -> _Value | None:
        with contextlib.suppress(Exception):
            nvml = (library or _library)()
            nvml.nvmlInit()
            try:
                return question(nvml)
            finally:
                nvml.nvmlShutdown()
        return None

    return _in_time(ask, patience)


def _in_time(ask: Callable[[], _Value], patience: float) -> _Value | None:
    """Return the answer of a driver that may hang; None if it does, or still owes this process an answer."""
    if any(thread.name == _ASKING for thread in threading.enumerate()):
        return None
    answers: list[_Value] = []
    asking = threading.Thread(target=lambda: answers.append(ask()), name=_ASKING, daemon=True)
    asking.start()
    cancellation.current().join(asking, patience)
    # The list is copied once, because the thread may still add its answer.
    return [*answers, None][0]


def remembering(hung_file: Path, ask: Callable[[], Graphics] = graphics, *, noting: bool = True) -> Graphics:
    """Ask the driver, unless it hung less than an hour ago: the time of the file `hung_file` tells when.

    Without `noting`, this writes nothing.
    """
    if _hung(hung_file):
        return HUNG
    found = ask()
    if found == HUNG and noting:
        # If the file cannot be written, the next process waits for the driver too.
        with contextlib.suppress(OSError):
            write_private(hung_file, b"")
        for asking in threading.enumerate():
            if asking.name == _ASKING:
                threading.Thread(target=_forget_once_over, args=(asking, hung_file), daemon=True).start()
    return found


def _forget_once_over(asking: threading.Thread, hung_file: Path) -> None:
    """Remove the file if the driver answers after all: it was only slow, as at its first start."""
    asking.join()
    with contextlib.suppress(OSError):
        hung_file.unlink()


def _hung(hung_file: Path) -> bool:
    import psutil

    try:
        when = hung_file.stat().st_mtime
    except OSError:
        return False
    return psutil.boot_time() < when and 0 <= time.time() - when < _HUNG_LASTS


def may_have_card(root: Path = Path("/")) -> bool:
    """Whether there may be an NVIDIA card that NVML does not show, as in a container or WSL."""
    if not sys.platform.startswith("linux"):
        return True
    return any((root / "dev" / name).exists() for name in ("nvidia0", "dxg"))


def _has_no_card(root: Path) -> bool:
    """Whether there is certainly no NVIDIA card, with a driver or without; False where the system does not tell."""
    if sys.platform == "win32":
        names = _on_the_bus_of_windows()
        return bool(names) and not any(name.upper().startswith("VEN_10DE") for name in names)
    if may_have_card(root):
        return False
    kinds = []
    for device in (root / "sys" / "bus" / "pci" / "devices").glob("*"):
        with contextlib.suppress(OSError):
            kinds.append(((device / "vendor").read_text().strip(), (device / "class").read_text().strip()))
    # 0x10de is NVIDIA, which has made network cards, too; the classes that begin with 3 are graphics.
    return bool(kinds) and not any(vendor == "0x10de" and kind.startswith("0x03") for vendor, kind in kinds)


def _on_the_bus_of_windows() -> list[str]:
    """Return the names of the PCI devices that were ever in this PC, as "VEN_10DE&DEV_1F82&…"; none if unknown."""
    # `Any`, because the module exists on Windows alone, also for type checkers.
    registry: Any = importlib.import_module("winreg")
    try:
        with registry.OpenKey(registry.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Enum\PCI") as bus:
            return [registry.EnumKey(bus, i) for i in range(registry.QueryInfoKey(bus)[0])]
    except OSError:
        return []


def _library() -> Any:
    import pynvml

    return pynvml


def _ask(library: Callable[[], Any]) -> Graphics:
    try:
        nvml = library()
    # An import can raise anything, and without the library the program knows no card anyway.
    except Exception as error:
        return Graphics(trouble="no_library", detail=str(error))
    try:
        nvml.nvmlInit()
    except Exception as error:
        return Graphics(trouble="no_driver" if _is_absence(nvml, error) else "broken", detail=str(error))
    try:
        count = nvml.nvmlDeviceGetCount()
        cards = tuple(_card(nvml, index) for index in range(count))
    except Exception as error:
        return Graphics(
            driver=_text(_known(lambda: nvml.nvmlSystemGetDriverVersion())), trouble="broken", detail=str(error)
        )
    else:
        return Graphics(driver=_text(_known(lambda: nvml.nvmlSystemGetDriverVersion())), cuda=_cuda(nvml), cards=cards)
    finally:
        # A failure of the shutdown does not matter.
        _known(lambda: nvml.nvmlShutdown())


def _is_absence(nvml: Any, error: Exception) -> bool:
    absent = (getattr(nvml, "NVML_ERROR_LIBRARY_NOT_FOUND", 12), getattr(nvml, "NVML_ERROR_DRIVER_NOT_LOADED", 9))
    return getattr(error, "value", None) in absent


def _card(nvml: Any, index: int) -> Card:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    memory = _known(lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
    # NVML's display mode does not help: server cards without a connector report that a screen may be attached.
    active = _known(lambda: nvml.nvmlDeviceGetDisplayActive(handle))
    capability = _known(lambda: nvml.nvmlDeviceGetCudaComputeCapability(handle))
    return Card(
        name=_text(_known(lambda: nvml.nvmlDeviceGetName(handle))) or "NVIDIA",
        total=None if memory is None else int(memory.total),
        free=None if memory is None else int(memory.free),
        display=None if active is None else bool(active),
        capability=None if capability is None else (int(capability[0]), int(capability[1])),
        bandwidth=_known(lambda: _bandwidth(nvml, handle)),
        id=(_text(_known(lambda: nvml.nvmlDeviceGetPciInfo(handle).busIdLegacy)) or "").lower(),
    )


def _bandwidth(nvml: Any, handle: Any) -> int:
    """Return bytes per second: 2 × memory clock (Hz) × bus width (bits) / 8, for two transfers in each NVML clock."""
    clock = int(nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_MEM))
    return 2 * clock * 1_000_000 * int(nvml.nvmlDeviceGetMemoryBusWidth(handle)) // 8


def _cuda(nvml: Any) -> str | None:
    version = _known(lambda: int(nvml.nvmlSystemGetCudaDriverVersion()))
    return None if version is None else f"{version // 1000}.{version % 1000 // 10}"


def _text(value: Any) -> str | None:
    """Return `value` as text: older releases of pynvml return bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _known(ask: Callable[[], _Value]) -> _Value | None:
    """Return what `ask` returns, or None if it raises anything: old drivers and small cards tell less."""
    with contextlib.suppress(Exception):
        return ask()
    return None
