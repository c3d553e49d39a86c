"""Chooses where answers, notes and progress go: painted on a terminal, plain elsewhere."""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import TextIO

from qwen_tui.cli.environment import Environment
from qwen_tui.config import Config
from qwen_tui.terminal.clipboard import SystemClipboard
from qwen_tui.terminal.output import HeldOutput, StreamingOutput
from qwen_tui.terminal.progress import StatusLine
from qwen_tui.terminal.quiet import QuietTerminal
from qwen_tui.terminal.transfer_line import TransferLine


def has_terminal(environment: Environment) -> bool:
    """Whether the REPL can run: stdout is a terminal, and so is stdin or, if stdin is a pipe, /dev/tty."""
    if not environment.stdout.isatty():
        return False
    if environment.can_converse:
        return True
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return False
    return True


def output(
    environment: Environment,
    settings: Config,
    *,
    held: bool = False,
    raw: bool = False,
    apart: bool = False,
    quiet: bool = False,
    notes: TextIO | None = None,
) -> HeldOutput:
    """Return the output for the events of an answer.

    The answer goes to stdout as it comes; if it is `held`, the caller prints it at the end. On a terminal it is painted
    unless it is `raw`, with `apart` below a blank row. Progress and notes go to stderr, notes to the stream `notes` if
    there is one; with `quiet` no progress is shown, and of the notes only what is lost.
    """
    stdout = environment.stdout
    goes_elsewhere = held or not stdout.isatty()
    status = StatusLine(environment.stderr, enabled=environment.can_redraw and not quiet, alone=goes_elsewhere)
    remarks = notes or environment.stderr
    if held:
        return HeldOutput(remarks, status, quiet=quiet)
    if raw or not stdout.isatty():
        return StreamingOutput(stdout, remarks, status, quiet=quiet)
    # Imported here, because it takes time and a pipe does not need it.
    from qwen_tui.terminal.painted_output import PaintedOutput, can_paint
    from qwen_tui.terminal.theme import theme
    from qwen_tui.terminal.width import Ruler

    if not can_paint(stdout, environment.variables):
        return StreamingOutput(stdout, remarks, status, quiet=quiet)
    return PaintedOutput(
        stdout,
        remarks,
        status,
        theme=theme(settings.theme, environment.variables),
        ruler=Ruler(settings.ambiguous_width, settings.prose_width),
        colour=not environment.variables.get("NO_COLOR"),
        apart=apart,
        quiet=quiet,
    )


def quiet(environment: Environment, *, by_key: bool) -> QuietTerminal:
    """Return the mode of a terminal in which what is typed is not echoed into what the program writes there.

    What is typed goes to whoever reads next: the REPL, `by_key`, or the shell.
    """
    return QuietTerminal(environment.stdout.fileno() if environment.stdout.isatty() else -1, by_key=by_key)


def print_markdown(environment: Environment, settings: Config, text: str) -> None:
    """Print Markdown on stdout: painted on a terminal, elsewhere as it is."""
    if environment.stdout.isatty():
        from qwen_tui.terminal.painted_output import can_paint, show
        from qwen_tui.terminal.theme import theme
        from qwen_tui.terminal.width import Ruler

        if can_paint(environment.stdout, environment.variables):
            show(
                environment.stdout,
                text,
                theme=theme(settings.theme, environment.variables),
                ruler=Ruler(settings.ambiguous_width, settings.prose_width),
                colour=not environment.variables.get("NO_COLOR"),
            )
            return
    environment.print(text)


def bold(environment: Environment) -> Callable[[str], str]:
    """Return what makes text on stdout bold, where that is a terminal and its person wants more than plain text."""
    from qwen_tui.terminal.painted_output import can_paint

    if environment.variables.get("NO_COLOR") or not can_paint(environment.stdout, environment.variables):
        return str
    return lambda text: f"\x1b[1m{text}\x1b[22m"


def clipboard(environment: Environment) -> SystemClipboard:
    """Return the clipboard that the person at this terminal has."""
    return SystemClipboard(environment.stdout, environment.variables)


def transfer_line(environment: Environment, *, lines: bool = True, quiet: bool = False) -> TransferLine:
    """Return the line that shows how far the transfer of a large file is.

    If stderr cannot redraw a line, `lines` decides whether it gets a new one now and then. `quiet` shows nothing.
    """
    return TransferLine(environment.stderr, live=environment.can_redraw and not quiet, lines=lines and not quiet)


@contextlib.contextmanager
def transfer(
    environment: Environment, what: str, *, lines: bool = True, quiet: bool = False
) -> Iterator[Callable[[int, int], None]]:
    """Yield what takes the bytes done and all bytes, and shows them under the label `what` until the block ends."""
    line = transfer_line(environment, lines=lines, quiet=quiet)
    try:
        yield lambda done, total: line.show(what, done, total)
    finally:
        line.clear()
