"""Every failure that the program foresees, as one tree; each says what is wrong and what to do next.

QwenError                  exit 1
├── UsageError             exit 2: options or arguments that make no sense
├── ConfigError            a configuration file or variable that cannot be used
├── InputError             material that cannot be read as text, or is too large
├── OutputError            exit 74: the answer could not be written
│   └── OutputClosedError  exit 0: the reader of the answer is gone
├── WriteError             exit 74: a file could not be written
├── ClipboardError         a clipboard that cannot be reached, or holds no text
├── TemplateError          a template that is missing or cannot be read
├── TaskError              a task of compare that is missing or cannot be read
├── HistoryError           conversations that cannot be kept or found
├── ModelNotFoundError     no such model on this computer
│   └── NotFetchedError    one that is known by name, and can be fetched
├── DownloadError          a model that could not be fetched
├── InvalidModelError      a file that is no usable model
├── PromptTooLongError     a prompt that does not fit into the context
│   └── DoesNotFitError    one that was counted before it was asked; its remedy names the choices
└── EngineError            the engine could not be started, or failed
    ├── WorkerDiedError    the worker process ended while it was needed
    └── ServerError        a server did not answer, or refused

CancelledError stands beside the tree, because it is no failure: exit 130, 143 or 129.
"""

import errno
import re
from collections.abc import Iterable
from pathlib import Path

from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import language, listed


def why(error: Exception) -> str:
    """Return the reason of the operating system or of a library, in the language in use.

    A library's own words are English. In another language they are replaced by the place in a text, if they name one,
    or else by the kind of the error.
    """
    if isinstance(error, OSError) and error.errno in (known := _system_reasons()):
        return known[error.errno]
    words = " ".join(str((isinstance(error, OSError) and error.strerror) or error).split()) or type(error).__name__
    if language() == "en":
        return words
    if place := re.search(r"line (\d+),? column (\d+)", words):
        return _("line {line}, column {column}").format(line=place[1], column=place[2])
    if isinstance(error, OSError) and error.errno:
        return _("system error {number}").format(number=error.errno)
    return type(error).__name__


def _system_reasons() -> dict[int | None, str]:
    return {
        errno.ENOENT: _("No such file or directory"),
        errno.EACCES: _("Permission denied"),
        errno.EPERM: _("Operation not permitted"),
        errno.EISDIR: _("Is a directory"),
        errno.ENOTDIR: _("Not a directory"),
        errno.ENOTEMPTY: _("The folder is not empty"),
        errno.EEXIST: _("File exists"),
        errno.ENOSPC: _("No space left on device"),
        errno.EDQUOT: _("The disk quota is used up"),
        errno.EFBIG: _("The file is too large"),
        errno.EROFS: _("Read-only file system"),
        errno.ENAMETOOLONG: _("File name too long"),
        errno.ELOOP: _("Too many levels of symbolic links"),
        errno.ESTALE: _("The network drive has lost the file"),
        errno.EINVAL: _("Invalid argument"),
        errno.EBUSY: _("Device or file is in use"),
        errno.ETXTBSY: _("Device or file is in use"),
        errno.EMFILE: _("Too many open files"),
        errno.ENFILE: _("Too many open files"),
        errno.EAGAIN: _("Too few resources for now"),
        errno.EIO: _("Input/output error"),
        errno.ENOMEM: _("Cannot allocate memory"),
        errno.ENODEV: _("No such device"),
        errno.ENXIO: _("No such device"),
        errno.ENOEXEC: _("It is not a program"),
        errno.EPIPE: _("The reader has gone"),
        errno.ETIMEDOUT: _("It took too long"),
    }


def how_to_write(error: OSError, *, chosen: bool = False) -> str:
    """Return the remedy if the operating system refuses to write a file.

    `chosen` says that the person has named the place, and can name another. Otherwise the file is in one of the
    program's folders.
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return more_room(chosen=chosen)
    if error.errno == errno.EFBIG:
        return _("A disk in the format FAT32 holds no file of 4 GB or more: format it as exFAT, or take another.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        if chosen:
            return _("Check the permissions, or choose another place.")
        return _("Check its permissions, or set QWEN_TUI_HOME to another folder.")
    if error.errno in (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST):
        if chosen:
            return _("Choose another name.")
        return _("Move away what is in its place, or set QWEN_TUI_HOME to another folder.")
    return _("Check the disk.")


def refused(error: OSError) -> "QwenError":
    """Return what to tell of a file or a folder of the program's own that the operating system does not let it use.

    Not every error names a file.
    """
    if error.filename is None and _folder_is_gone():
        return QwenError(_("The folder that you are in was removed."), _("Go to another with: cd"))
    if error.filename is None:
        return QwenError(
            _("The system refuses something: {reason}.").format(reason=why(error)),
            _("To see where, and to report it: set QWEN_TUI_DEBUG=1 and repeat the command."),
        )
    return QwenError(
        _("{path} cannot be used: {reason}").format(path=error.filename, reason=why(error)), how_to_write(error)
    )


def how_to_read(error: OSError) -> str:
    """Return the remedy if the operating system refuses to read a file that the person has named."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return _("Check the permissions of the file and of the folders above it.")
    return _("Check the path; relative ones start in this folder.")


def _folder_is_gone() -> bool:
    """Whether the current folder was removed: then no relative path leads anywhere."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def more_room(*, chosen: bool = False) -> str:
    """Return the remedy for a full disk; `chosen` as for `how_to_write`."""
    if chosen:
        return _("Free some space, or choose another place.")
    return _("Free some space, or set QWEN_TUI_HOME to a folder on another disk.")


def which_is_meant(name: str, known: Iterable[str]) -> str:
    """Return the remedy for a setting that is none of the `known` ones: those that it is like, or else all of them."""
    import difflib

    named = list(known)
    near = difflib.get_close_matches(name.lower().replace("-", "_"), named)
    if near:
        return _("Did you mean: {names}?").format(names=listed(near))
    return _("The settings are: {names}.").format(names=listed(named))


class QwenError(Exception):
    """A foreseen failure.

    `message` says what is wrong in one sentence, `remedy` what to do next, with a command if there is one. The program
    shows both unchanged, so they are already translated.
    """

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class UsageError(QwenError):
    """Options or arguments that make no sense."""

    exit_code = 2


class ConfigError(QwenError):
    """A configuration file or an environment variable that cannot be used."""


class InputError(QwenError):
    """Material that cannot be read as text, or is too large."""


class OutputError(QwenError):
    """The answer could not be written where it should go (EX_IOERR)."""

    exit_code = 74


class OutputClosedError(OutputError):
    """The reader of the answer is gone, as after `| head -1`: the program ends without a message."""

    exit_code = 0

    def __init__(self) -> None:
        super().__init__("")


class WriteError(QwenError):
    """A file that could not be written where the person wanted it."""

    exit_code = 74


class ClipboardError(QwenError):
    """A clipboard that cannot be reached, or holds no text."""


class TemplateError(QwenError):
    """A template that is missing or cannot be read."""


class TaskError(QwenError):
    """A task of `qwen compare` that is missing or cannot be read."""


class HistoryError(QwenError):
    """Conversations that cannot be kept or found."""


class ModelNotFoundError(QwenError):
    """No model of that name or path on this computer."""


class NotFetchedError(ModelNotFoundError):
    """A model that is known by its name, and can be fetched, but is not on this computer yet."""


class DownloadError(QwenError):
    """A model that could not be fetched; the part that has arrived stays for the next attempt."""


class InvalidModelError(QwenError):
    """A file that is not a model llama.cpp can load."""


class PromptTooLongError(QwenError):
    """A prompt that leaves no room for an answer in the context."""


class DoesNotFitError(PromptTooLongError):
    """A prompt that was counted before it was asked, and leaves no room for an answer. Its remedy names the choices."""


class EngineError(QwenError):
    """The engine could not be started, or failed at what was asked of it."""


class WorkerDiedError(EngineError):
    """The worker process ended while it was needed.

    `crash` is the signal of a fault in its code, as "SIGILL"; empty if it ended in another way.
    """

    crash: str = ""


class ServerError(EngineError):
    """A server that cannot be reached, refuses, or does not answer as it should.

    `status` is the HTTP status if there was one, `wait` after how many seconds the server wants to be asked again.
    `again` says that another try may help.
    """

    def __init__(
        self, message: str, remedy: str = "", *, status: int = 0, wait: float | None = None, again: bool = False
    ) -> None:
        super().__init__(message, remedy)
        self.status = status
        self.wait = wait
        self.again = again


class CancelledError(KeyboardInterrupt):
    """The operation ends here, because the person or the system has cancelled it; see `cancellation`.

    It is a `KeyboardInterrupt`, as Ctrl-C raises in any Python program, and not a `QwenError`: code that catches a
    failure and goes on does not catch this.
    """
