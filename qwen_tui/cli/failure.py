"""What people are told on stderr of what went wrong."""

import traceback

from qwen_tui.cli.environment import Environment, unwritable
from qwen_tui.errors import QwenError, refused
from qwen_tui.i18n import gettext as _


def refused_by_system(error: OSError) -> QwenError:
    """Return what to say of what the operating system refuses and nothing below has caught.

    An error that names a file is about that file, such as one that `sudo qwen` has left to root. Only printing names
    none: help, settings, paths.
    """
    return unwritable(error) if error.filename is None else refused(error)


def unforeseen(error: Exception) -> QwenError:
    """Return what to say of what nobody has foreseen: that memory is short, or that the program has a fault."""
    if _is_out_of_memory(error):
        return QwenError(_("There is too little memory to run the program."), _("Close other programs and try again."))
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return QwenError(
        _("The program has a fault: {what}").format(what=what),
        _("To see where, and to report it: set QWEN_TUI_DEBUG=1 and repeat the command."),
    )


def _is_out_of_memory(error: Exception) -> bool:
    """Whether it is what Python raises where a module finds no memory to be loaded into, or a thread none to run in."""
    signs = ("failed to map segment", "annot allocate memory", "can't start new thread")
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in signs)


def report(environment: Environment, error: QwenError) -> int:
    """Say what ended the command, where it happened if that is asked for, and return the exit code."""
    if environment.wants_details:
        environment.note(traceback.format_exc().rstrip("\n"))
    tell(environment, error)
    return error.exit_code


def tell(environment: Environment, error: QwenError) -> None:
    """Say on stderr what is wrong and what to do next."""
    # Where stderr is gone as well, the exit code is all that is left to say.
    environment.note("\n".join(line for line in (f"qwen: {error.message}", error.remedy) if line))
