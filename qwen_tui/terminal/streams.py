"""Text to a pipe, a file or a terminal, without waiting for ever; and the size of a terminal."""

import errno
import os
import select
import shutil
import sys
from typing import TextIO

from qwen_tui import cancellation
from qwen_tui.errors import OutputClosedError, OutputError, why
from qwen_tui.i18n import gettext as _

# In characters, each at most four bytes. A pipe that is not full takes 512 bytes by POSIX, 4,096 on today's systems.
_PIECE = 1024
# `write` looks at a full pipe at this interval, in seconds.
_LOOK_EVERY = 0.05


def write(stream: TextIO, text: str) -> None:
    """Write `text` and flush; raises `OutputClosedError` when the reader is gone, `OutputError` for other failures.

    If the pipe is full and the operation is already cancelled, this writes nothing more. If the operation is cancelled
    during the wait for the reader, it raises `CancelledError`. On a terminal, Ctrl-C itself ends such a wait. Windows
    does not report that a pipe is full.
    """
    operation = cancellation.current()
    try:
        if stream.isatty():
            stream.write(text)
            stream.flush()
            return
        # A pipe that is not full always has room for one piece, so this write cannot block.
        for start in range(0, len(text), _PIECE):
            while _is_full(stream):
                if operation.requested:
                    return
                operation.sleep(_LOOK_EVERY)
            stream.write(text[start : start + _PIECE])
            stream.flush()
    except BrokenPipeError:
        raise OutputClosedError from None
    except OSError as error:
        # Windows reports a closed pipe as EINVAL.
        if error.errno == errno.EINVAL and not stream.isatty():
            raise OutputClosedError from None
        raise OutputError(
            _("The answer could not be written: {reason}.").format(reason=why(error)),
            _("Free some space or choose another place, and ask again."),
        ) from error


def _is_full(stream: TextIO) -> bool:
    if sys.platform == "win32":
        return False
    try:
        return not select.select([], [stream.fileno()], [], 0)[1]
    except (OSError, ValueError):
        return False


def terminal_size(stream: TextIO) -> os.terminal_size:
    """Return the size of the terminal that `stream` writes to; 80 by 24 if the system does not know it."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        size = shutil.get_terminal_size()
    # Some pseudo-terminals report 0 by 0.
    return size if size.columns > 1 and size.lines > 1 else os.terminal_size((80, 24))
