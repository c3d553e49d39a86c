"""What people are told on stderr of what went wrong."""

import os
import sys
import traceback

from qwen_tui.errors import OutputError, QwenError, refused, why
from qwen_tui.i18n import gettext as _

# Imported with everything that a message needs: once memory is short, nothing more can be imported.
from qwen_tui.terminal.sanitise import clean


def refused_by_system(error: OSError) -> QwenError:
    """Return what to say of what the operating system refuses and nothing below has caught.

    An error that names a file is about that file, such as one that `sudo qwen` has left to root. Only printing names
    none: help, settings, paths.
    """
    if error.filename is not None:
        return refused(error)
    reason = _("The output could not be written: {reason}.").format(reason=why(error))
    return OutputError(reason, _("Free some space or choose another place."))


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


def report(error: QwenError) -> int:
    """Say what ended the command, where it happened if that is asked for, and return the exit code."""
    if os.environ.get("QWEN_TUI_DEBUG"):
        sys.stderr.write(clean(traceback.format_exc()))
    tell(error)
    return error.exit_code


def tell(error: QwenError) -> None:
    """Say on stderr what is wrong and what to do next."""
    lines = [f"qwen: {error.message}", error.remedy]
    try:
        print(clean("\n".join(line for line in lines if line)), file=sys.stderr)  # noqa: T201
    except OSError:
        # stderr is gone as well: the exit code is all that is left to say.
        return
