"""Tells the person on stderr what went wrong."""

import traceback

from qwen_tui.cli.environment import Environment, unwritable
from qwen_tui.errors import QwenError, refused
from qwen_tui.i18n import gettext as _


def refused_by_system(error: OSError) -> QwenError:
    """Return the error for an `OSError` that no other room has caught.

    If it names a file, it is about that file, for example one that belongs to root since somebody ran `sudo qwen`. Only
    a failed write to stdout names no file.
    """
    return unwritable(error) if error.filename is None else refused(error)


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
    environment.note("\n".join(line for line in (f"qwen: {error.message}", error.remedy) if line))
