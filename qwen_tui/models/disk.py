"""The disk that models are written to: whether there is room on it, and what to do when it refuses."""

import errno
import os
import shutil
from pathlib import Path

from qwen_tui.errors import WriteError, why
from qwen_tui.files import size_text
from qwen_tui.i18n import gettext as _

# What else may be written meanwhile, in bytes.
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
        # Then writing will tell.
        return
    if free < size + SPARE:
        raise WriteError(
            _("There is too little room in {folder}: {needed} are needed, and {free} are free.").format(
                folder=folder, needed=size_text(size + SPARE), free=size_text(free)
            ),
            _joined(_more_room(chosen=chosen), then),
        )


def write_error(path: Path, error: OSError, *, chosen: bool = False, then: str = "") -> WriteError:
    """Say why something could not be written to `path`, and what to do about it; `then` is what to do after that.

    `chosen` says that the person has named the place, and can name another; else it is below the models folder.
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        remedy = _more_room(chosen=chosen)
    elif error.errno == errno.EFBIG:
        # What came so far does not survive that, whatever was to be done then.
        then = ""
        remedy = _("A disk in the format FAT32 holds no file of 4 GB or more: format it as exFAT, or take another.")
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        remedy = (
            _("Check the permissions, or choose another place.")
            if chosen
            else _("Check its permissions, or set QWEN_TUI_HOME to another folder.")
        )
    elif error.errno in (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST):
        remedy = (
            _("Choose another name.")
            if chosen
            else _("Move away what is in its place, or set QWEN_TUI_HOME to another folder.")
        )
    else:
        remedy = _("Check the disk.")
    return WriteError(
        _("{path} could not be written: {reason}").format(path=path, reason=why(error)), _joined(remedy, then)
    )


def _more_room(*, chosen: bool) -> str:
    if chosen:
        return _("Free some space, or choose another place.")
    return _("Free some space, or set QWEN_TUI_HOME to a folder on another disk.")


def _joined(remedy: str, then: str) -> str:
    return f"{remedy} {then}" if then else remedy
