"""Reads a file to its end, whatever a name may lead to: it refuses devices, waits for pipes, and notices changes."""

import io
import os
import re
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qwen_tui.documents.reading import read_bytes
from qwen_tui.errors import InputError
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Loss

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# If nothing comes for so many seconds, or no end for so many, the person is told what the program waits for.
_SILENCE, _LONG = 3.0, 10.0
# The reminder looks at this interval, in seconds.
_LOOK_EVERY = 0.25
# The devices of Windows: they are in every folder, with any ending.
_WINDOWS_DEVICE = re.compile(r"(con|prn|aux|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)\s*(\..*)?", re.IGNORECASE)


class Reminder:
    """Tells the person, while a block reads from a pipe, what the program waits for; each sentence once.

    `nothing_yet` is told if no byte has come, `not_ended` if some have, and no end. The block calls `arrived` whenever
    bytes come.
    """

    def __init__(self, report: Callable[[str], None], nothing_yet: str, not_ended: str) -> None:
        self._report = report
        self._nothing_yet, self._not_ended = nothing_yet, not_ended
        self._ended = threading.Event()
        self._begun = time.monotonic()
        # When bytes came last; None before the first.
        self._last: float | None = None

    def __enter__(self) -> "Reminder":
        threading.Thread(target=self._remind, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()

    def arrived(self) -> None:
        """Note that bytes have come."""
        self._last = time.monotonic()

    def _remind(self) -> None:
        told = False
        while not self._ended.wait(_LOOK_EVERY):
            now, last = time.monotonic(), self._last
            if last is None:
                if not told and now - self._begun > _SILENCE:
                    self._report(self._nothing_yet)
                    told = True
            elif now - last > _SILENCE or now - self._begun > _LONG:
                if self._not_ended:
                    self._report(self._not_ended)
                return


def read(path: Path, name: str, report: Callable[[str], None]) -> bytes:
    """Return the bytes of the file, which the person calls `name`; raises `InputError` and `OSError`.

    A file that changes meanwhile is read once more. If it changes again, `report` gets a sentence about that.
    """
    info = path.stat()
    _refuse_devices(info, path, name)
    if stat.S_ISFIFO(info.st_mode):
        return _from_pipe(path, name, report)
    for is_last in (False, True):
        with path.open("rb") as stream:
            before = os.fstat(stream.fileno())
            data = read_bytes(stream, name, before.st_size)
            after = os.fstat(stream.fileno())
        has_changed = _state(before) != _state(after)
        if has_changed and is_last:
            sentence = _("{name} keeps changing: what was read of it may be partly old and partly new.")
            report(Loss(sentence.format(name=name)))
        if not has_changed and not _is_replaced(path, after):
            break
    return data


def is_device_of_windows(name: str) -> bool:
    """Whether Windows takes the last part of the path `name` for a device, whatever folder it is in."""
    return bool(_WINDOWS_DEVICE.fullmatch(re.split(r"[/\\]", name)[-1].strip()))


def _refuse_devices(info: os.stat_result, path: Path, name: str) -> None:
    is_device = stat.S_ISBLK(info.st_mode) or (stat.S_ISCHR(info.st_mode) and not _is_null(info))
    if is_device or (os.name == "nt" and is_device_of_windows(str(path))):
        raise InputError(
            _("{name} is a device, not a file.").format(name=name),
            _("Put what you want of it into a file, and name that."),
        )
    if stat.S_ISSOCK(info.st_mode):
        raise InputError(
            _("{name} is a socket, not a file.").format(name=name),
            _("Name a file, or pipe the text into: qwen ask"),
        )


def _is_null(info: os.stat_result) -> bool:
    return info.st_rdev == Path(os.devnull).stat().st_rdev


def _state(info: os.stat_result) -> tuple[int, int]:
    """Return what changes when somebody writes to a file; the same for files of the kernel, which have no size."""
    return (info.st_size, info.st_mtime_ns) if info.st_size else (0, 0)


def _is_replaced(path: Path, info: os.stat_result) -> bool:
    """Whether another file has taken the place of that with this `info`; False if it was only removed."""
    try:
        now = path.stat()
    except OSError:
        return False
    return (now.st_dev, now.st_ino) != (info.st_dev, info.st_ino)


def _from_pipe(path: Path, name: str, report: Callable[[str], None]) -> bytes:
    nothing_yet = _("{name} is a pipe: waiting until another program writes to it (Ctrl-C stops) …").format(name=name)
    not_ended = _("Still reading {name}: the program that writes to it has not ended (Ctrl-C stops) …").format(
        name=name
    )
    with Reminder(report, nothing_yet, not_ended) as reminder, path.open("rb", buffering=0) as pipe:
        return read_bytes(io.BufferedReader(_Watched(pipe, reminder.arrived)), name)


class _Watched(io.RawIOBase):
    """Reads from `raw`, and calls `arrived` whenever bytes come."""

    def __init__(self, raw: io.FileIO, arrived: Callable[[], None]) -> None:
        self._raw = raw
        self._arrived = arrived

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int | None:
        count = self._raw.readinto(buffer)
        self._arrived()
        return count
