"""Material from a pipe or a file on stdin."""

import os
import stat
import sys
import threading
from collections.abc import Callable

from qwen_tui.chat import material
from qwen_tui.errors import InputError
from qwen_tui.i18n import gettext as _

# How long stdin may be silent before a person is told what is awaited, in seconds.
_PATIENCE = 3.0


def is_material() -> bool:
    """Whether stdin is a pipe or a file; a terminal, /dev/null and a closed one are not."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError, AttributeError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def read(note: Callable[[str], None]) -> str:
    """Return the text on stdin; raises `InputError`.

    `note` is told of an encoding that had to be guessed, and after 3 s of waiting, what is awaited.
    """
    name = _("the input")
    arrived = threading.Event()

    def remind() -> None:
        if not arrived.wait(_PATIENCE):
            note(_("Waiting for input on stdin (end it with Ctrl-D, or use --no-stdin) …"))

    threading.Thread(target=remind, daemon=True).start()
    try:
        first = sys.stdin.buffer.read(1) or b""
        arrived.set()
        data = first + material.read(sys.stdin.buffer, name)
    except OSError as error:
        raise InputError(
            _("{path} cannot be read: {reason}").format(path=name, reason=error.strerror or error),
            _("Give a text file or a pipe on stdin."),
        ) from error
    finally:
        arrived.set()
    text, remark = material.decode(data, name)
    if remark:
        note(remark)
    return text
