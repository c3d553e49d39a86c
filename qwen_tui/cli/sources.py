"""Reads the material of a command line: the files of `-f`, and stdin."""

import threading
from collections.abc import Sequence

from qwen_tui import cancellation, files, typed_paths
from qwen_tui.chat import material
from qwen_tui.chat.material import Reading
from qwen_tui.cli import stdin
from qwen_tui.cli.asking import Asker
from qwen_tui.cli.environment import Environment
from qwen_tui.documents.document import Password
from qwen_tui.documents.reading import read_bytes
from qwen_tui.documents.text import encoding_called
from qwen_tui.errors import InputError, why
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Material, as_text
from qwen_tui.terminal.output import HeldOutput

# As the name of a file, this means stdin.
STDIN = "-"

# If stdin gives nothing for so many seconds, the person is told that the program waits for it.
_PATIENCE = 3.0


def gather(environment: Environment, paths: Sequence[str], reading: Reading, *, piped: bool) -> list[Material]:
    """Return the texts of the files in their order; if stdin is `piped` and not among them, it comes last."""
    wanted = [*paths, STDIN] if piped and STDIN not in paths else paths
    return [read_stdin(environment, reading) if path == STDIN else _read(path, reading) for path in wanted]


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


def _read(path: str, reading: Reading) -> Material:
    meant = typed_paths.meant(path)
    return material.from_file(files.expand(meant), reading, as_text(meant))


def read_stdin(environment: Environment, reading: Reading) -> Material:
    """Return what is on stdin; raises `InputError`. After 3 s of silence, the person is told what is waited for."""
    name = _("the input")
    if environment.stdin is None:
        raise InputError(_("There is no stdin to read."), _("Give a text file or a pipe on stdin."))
    arrived = threading.Event()

    def remind() -> None:
        if not arrived.wait(_PATIENCE):
            reading.report(_("Waiting for input on stdin (end it with Ctrl-D, or use --no-stdin) …"))

    threading.Thread(target=remind, daemon=True).start()
    try:
        with cancellation.current().interruptible():
            data = read_bytes(stdin.stream(environment, arrived.set), name)
    except OSError as error:
        raise InputError(
            _("{path} cannot be read: {reason}").format(path=name, reason=why(error)),
            _("Give a text file or a pipe on stdin."),
        ) from error
    finally:
        arrived.set()
    return material.from_bytes(data, name, reading, "stdin")
