"""The disk that models are written to: checks for room, and explains errors of writing."""

import errno
import os
import shutil
from pathlib import Path

from qwen_tui.errors import WriteError, how_to_write, more_room, why
from qwen_tui.files import size_text
from qwen_tui.i18n import gettext as _

# Bytes to keep free, because other programs write to the disk too.
SPARE = 64 << 20


def check_room(folder: Path, size: int, *, chosen: bool = False, then: str = "") -> None:
    """Raise `WriteError` if `size` bytes do not fit onto the disk of `folder`, which need not exist.

    `chosen` and `then` as for `write_error`.
    """
    there = folder
    while not os.path.exists(there) and there != there.parent:  # noqa: PTH110 - it never raises
        there = there.parent
    try:
        free = shutil.disk_usage(there).free
    except OSError:
        # If the system does not tell the free space, a full disk shows when the file is written.
        return
    if free < size + SPARE:
        raise WriteError(
            _("There is too little room in {folder}: {needed} are needed, and {free} are free.").format(
                folder=folder, needed=size_text(size + SPARE), free=size_text(free)
            ),
            _joined(more_room(chosen=chosen), then),
        )


def write_error(path: Path, error: OSError, *, chosen: bool = False, then: str = "") -> WriteError:
    """Return the error for a failed write to `path`, with a remedy; `then` is what the person should do after that.

    `chosen` says that the person has named the place, and can name another. Otherwise it is in the models folder.
    """
    if error.errno == errno.EFBIG:
        # On such a disk the part that has arrived is lost, so the person cannot go on from there.
        then = ""
    return WriteError(
        _("{path} could not be written: {reason}").format(path=path, reason=why(error)),
        _joined(how_to_write(error, chosen=chosen), then),
    )


def _joined(remedy: str, then: str) -> str:
    return f"{remedy} {then}" if then else remedy
