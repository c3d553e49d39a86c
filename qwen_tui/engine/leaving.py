"""Notices on disk of workers that are leaving and still hold memory of a graphics card: the next plan reads them."""

import contextlib
import time
from pathlib import Path

import msgspec

from qwen_tui import learned
from qwen_tui.files import write_private

# How long to wait for the memory of a leaving worker, in seconds. The worker frees it before it writes its state.
_PATIENCE = 3.0


class _Notice(msgspec.Struct, frozen=True):
    """A worker that holds `held` bytes of a card. `begun` is when its process began, because ids are used again."""

    held: int
    begun: float


_NO_NOTICE = _Notice(0, 0.0)


def announce(folder: Path, process: int, held: int) -> Path | None:
    """Leave a notice that the process with this id is leaving and holds `held` bytes; None where that fails."""
    begun = _begun(process)
    if begun is None:
        return None
    notice = folder / f"{process}.json"
    try:
        for old in folder.glob("*.json"):
            if not _held(old):
                old.unlink(missing_ok=True)
        write_private(notice, msgspec.json.encode(_Notice(held, begun)))
    except OSError:
        return None
    return notice


def withdraw(notice: Path) -> None:
    """Remove a notice: the memory is free."""
    with contextlib.suppress(OSError):
        notice.unlink(missing_ok=True)


def still_held(folder: Path) -> int:
    """Return the bytes of the card that leaving workers hold; the notice of a process that has ended counts nothing."""
    return sum(map(_held, folder.glob("*.json")))


def wait(folder: Path) -> None:
    """Wait until leaving workers have freed their memory, at most `_PATIENCE`: the plan counts that memory as free."""
    deadline = time.monotonic() + _PATIENCE
    while still_held(folder) and time.monotonic() < deadline:
        time.sleep(0.02)


def _held(notice: Path) -> int:
    content = learned.read(notice, _Notice, _NO_NOTICE)
    return content.held if notice.stem.isdecimal() and _begun(int(notice.stem)) == content.begun else 0


def _begun(process: int) -> float | None:
    # Imported only where there is a notice, because the import takes time.
    import psutil

    try:
        return float(psutil.Process(process).create_time())
    except (psutil.Error, OverflowError):
        return None
