"""Tells the person on stderr what went wrong."""

import errno
import traceback
from typing import TextIO

from qwen_tui.cli.environment import Environment, unwritable
from qwen_tui.errors import QwenError, refused
from qwen_tui.i18n import gettext as _
from qwen_tui.terminal.streams import terminal_size

# Where stdout has no buffer, nothing is kept of what did not fit.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def refused_by_system(error: OSError, stdout: TextIO) -> QwenError:
    """Return the error for an `OSError` that no other room has caught.

    If it names a file, it is about that file, for example one that belongs to root since somebody ran `sudo qwen`. If
    `stdout` cannot be written to, it is about that.
    """
    if error.filename is None and (error.errno in _NO_ROOM or _is_lost(stdout)):
        return unwritable(error)
    return refused(error)


def _is_lost(stdout: TextIO) -> bool:
    """Whether what was printed cannot be written: Python keeps it and fails anew."""
    try:
        stdout.flush()
    except (OSError, ValueError):
        return True
    return False


def unforeseen(error: Exception) -> QwenError:
    """Return the error for an exception that nobody has foreseen: memory is short, or the program has a fault."""
    if _is_out_of_memory(error):
        return QwenError(_("There is too little memory to run the program."), _("Close other programs and try again."))
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return QwenError(
        _("This is a fault of the program: {what}").format(what=what),
        _("To see where, and to report it: set QWEN_TUI_DEBUG=1 and repeat the command."),
    )


def _is_out_of_memory(error: Exception) -> bool:
    """Whether memory is short: Python says so in several ways when it cannot load a module or start a thread."""
    signs = ("failed to map segment", "annot allocate memory", "can't start new thread")
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in signs)


def report(environment: Environment, error: QwenError) -> int:
    """Tell the person what ended the command, with the traceback if they want details, and return the exit code."""
    if environment.wants_details:
        environment.note(traceback.format_exc().rstrip("\n"))
    tell(environment, error)
    return error.exit_code


def tell(environment: Environment, error: QwenError) -> None:
    """Tell the person what is wrong, and what to do next."""
    # If stderr is gone too, only the exit code tells that something went wrong.
    environment.note(_folded(as_told(error), environment.stderr))


def _folded(text: str, stream: TextIO) -> str:
    """Return `text` with newlines where the terminal would break the lines in the middle of words."""
    if not stream.isatty():
        return text
    try:
        from qwen_tui.columns import folded
    except (ImportError, MemoryError, OSError):
        # The error may be that there is no memory, or that the program's own files cannot be read.
        return text
    return folded(text, terminal_size(stream).columns)


def as_told(error: QwenError) -> str:
    """Return the lines that tell an error."""
    return "\n".join(line for line in (f"qwen: {error.message}", error.remedy) if line)
