"""Reads the material of a command line: the files of `-f`, and stdin."""

from collections.abc import Sequence

from qwen_tui import cancellation, typed_paths
from qwen_tui.chat import material
from qwen_tui.chat.gathering import Gathering, check_count
from qwen_tui.chat.material import Reading, password_in
from qwen_tui.cli import stdin
from qwen_tui.cli.asking import Asker
from qwen_tui.cli.environment import Environment
from qwen_tui.documents.document import Password
from qwen_tui.documents.reading import read_bytes
from qwen_tui.documents.text import encoding_called
from qwen_tui.documents.whole_file import Reminder
from qwen_tui.errors import InputError, why
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Material
from qwen_tui.terminal.output import HeldOutput
from qwen_tui.typed_text import as_text

# As the name of a file, this means stdin.
STDIN = "-"

# The system's own names for it.
_STDINS = (STDIN, "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")


def gather(environment: Environment, paths: Sequence[str], reading: Reading, *, piped: bool) -> list[Material]:
    """Return the texts of the files in their order; if stdin is `piped` and not among them, it comes last."""
    paths = named(paths)
    check_count(paths)
    gathering = Gathering(reading)
    for path in [*paths, STDIN] if piped and STDIN not in paths else paths:
        if path == STDIN:
            gathering.take(read_stdin(environment, reading))
        else:
            gathering.add(typed_paths.meant(path))
    return gathering.materials


def named(paths: Sequence[str] | None) -> tuple[str, ...]:
    """Return the paths that the person has named, with `-` for stdin once, whatever it was called."""
    names = [STDIN if path in _STDINS else path for path in paths or ()]
    return tuple(name for at, name in enumerate(names) if name != STDIN or name not in names[:at])


def password_of(path: str | None) -> Password | None:
    """Return the password in the file of `--password-file`, None without one; raises `UsageError`."""
    return password_in(as_text(path)) if path is not None else None


def reading_of(
    environment: Environment, output: HeldOutput, encoding: str | None, password: Password | None
) -> Reading:
    """Return how the files of a command are read: in the named `encoding`, with the named `password` or a question.

    Raises `UsageError` for the name of no encoding.
    """
    return Reading(
        output.note,
        encoding_called(encoding) if encoding is not None else None,
        password=password or _asking(environment),
        show=output.show_reading,
    )


def _asking(environment: Environment) -> Password | None:
    """Return what asks the person at the terminal for the password of a document; None if nobody is there."""
    asker = Asker(environment)
    return asker.ask_password if asker.can_answer else None


def read_stdin(environment: Environment, reading: Reading) -> Material:
    """Return what is on stdin; raises `InputError`. After 3 s of silence, the person is told what is waited for."""
    name = _("the input")
    if environment.stdin is None:
        raise InputError(_("There is no stdin to read."), _("Give a text file or a pipe on stdin."))
    nothing_yet = _("Waiting for input on stdin (end it with Ctrl-D, or use --no-stdin) …")
    # Who types knows when the end comes.
    not_ended = "" if environment.stdin.isatty() else _("Still reading stdin: it has not ended yet (Ctrl-C stops) …")
    try:
        with (
            Reminder(reading.report, nothing_yet, not_ended) as reminder,
            cancellation.current().interruptible(),
        ):
            data = read_bytes(stdin.stream(environment, reminder.arrived), name)
    except OSError as error:
        raise InputError(
            _("{path} cannot be read: {reason}").format(path=name, reason=why(error)),
            _("Give a text file or a pipe on stdin."),
        ) from error
    return material.from_bytes(data, name, reading, "stdin")
