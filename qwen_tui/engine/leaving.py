"""Workers that are leaving and still hold memory of a graphics card: signs on disk, for whoever plans next."""

import contextlib
import time
from pathlib import Path

import msgspec

from qwen_tui.files import write_private

# How long memory is waited for that a worker holds who is leaving, in seconds: it frees it before it writes.
_PATIENCE = 3.0


class _Sign(msgspec.Struct, frozen=True):
    """A worker that holds so many bytes of a card, and when its process began: numbers of processes are used again."""

    held: int
    begun: float


def announce(folder: Path, process: int, held: int) -> Path | None:
    """Leave the sign that a `process` is leaving, which holds so many bytes of a card; None where it cannot be left."""
    begun = _begun(process)
    if begun is None:
        return None
    sign = folder / f"{process}.json"
    try:
        for old in folder.glob("*.json"):
            if not _held(old):
                old.unlink(missing_ok=True)
        write_private(sign, msgspec.json.encode(_Sign(held, begun)))
    except OSError:
        return None
    return sign


def withdraw(sign: Path) -> None:
    """Remove a sign: the memory is free."""
    with contextlib.suppress(OSError):
        sign.unlink(missing_ok=True)


def still_held(folder: Path) -> int:
    """Return how many bytes of the card are held by workers that are leaving; a sign without a process is none."""
    return sum(map(_held, folder.glob("*.json")))


def wait(folder: Path) -> None:
    """Wait a little for memory of a card that workers who are leaving still hold: the plan counts it as free."""
    deadline = time.monotonic() + _PATIENCE
    while still_held(folder) and time.monotonic() < deadline:
        time.sleep(0.02)


def _held(sign: Path) -> int:
    try:
        left = msgspec.json.decode(sign.read_bytes(), type=_Sign)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return 0
    return left.held if sign.stem.isdecimal() and _begun(int(sign.stem)) == left.begun else 0


def _begun(process: int) -> float | None:
    # Only where there is a sign: it takes time to import.
    import psutil

    try:
        return float(psutil.Process(process).create_time())
    except (psutil.Error, OverflowError):
        return None
