"""What a person sees of the program: where answers, notes and progress go, on a terminal and elsewhere."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

from qwen_tui.cli.delivery import print_text
from qwen_tui.config import Config
from qwen_tui.terminal.clipboard import SystemClipboard
from qwen_tui.terminal.output import HeldOutput, StreamingOutput
from qwen_tui.terminal.progress import StatusLine
from qwen_tui.terminal.transfer_line import TransferLine


def has_terminal() -> bool:
    """Whether a conversation can be had: a terminal to write to, and one to type into even where stdin is a pipe."""
    if not (sys.stdout and sys.stdout.isatty()):
        return False
    if sys.stdin and sys.stdin.isatty():
        return True
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return False
    return True


def output(
    settings: Config,
    *,
    held: bool = False,
    raw: bool = False,
    apart: bool = False,
    quiet: bool = False,
    notes: TextIO | None = None,
) -> HeldOutput:
    """Return where events go: to stdout as they come, or nowhere if the answer is `held` for the end.

    On a terminal the answer is painted, unless it is wanted `raw`; with `apart`, below a blank row. Progress and notes
    go to stderr (notes elsewhere if `notes` says so), with `quiet` nowhere.
    """
    # A dumb terminal cannot erase a line of progress.
    status = StatusLine(sys.stderr, enabled=sys.stderr.isatty() and not quiet and os.environ.get("TERM") != "dumb")
    remarks = None if quiet else notes or sys.stderr
    if held:
        return HeldOutput(remarks, status)
    if raw or not sys.stdout.isatty():
        return StreamingOutput(sys.stdout, remarks, status)
    # Only now: a pipe need not wait for what a terminal takes.
    from qwen_tui.terminal.painted_output import PaintedOutput, can_paint
    from qwen_tui.terminal.theme import theme
    from qwen_tui.terminal.width import Ruler

    if not can_paint(sys.stdout):
        return StreamingOutput(sys.stdout, remarks, status)
    return PaintedOutput(
        sys.stdout, remarks, status, theme=theme(settings.theme), ruler=Ruler(settings.ambiguous_width), apart=apart
    )


def print_markdown(settings: Config, text: str) -> None:
    """Print Markdown on stdout: painted on a terminal, elsewhere as it is."""
    if sys.stdout.isatty():
        from qwen_tui.terminal.painted_output import can_paint, show
        from qwen_tui.terminal.theme import theme
        from qwen_tui.terminal.width import Ruler

        if can_paint(sys.stdout):
            show(sys.stdout, text, theme=theme(settings.theme), ruler=Ruler(settings.ambiguous_width))
            return
    print_text(text)


def clipboard() -> SystemClipboard:
    """Return the clipboard that the person at this terminal has."""
    return SystemClipboard(sys.stdout)


def transfer_line(*, lines: bool = True, quiet: bool = False) -> TransferLine:
    """Return where it is shown how far a large file is; where nothing can be redrawn, in `lines` if they are wanted.

    Nothing is shown with `quiet`.
    """
    # A dumb terminal cannot redraw a line.
    live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return TransferLine(sys.stderr, live=live and not quiet, lines=lines and not quiet)


@contextlib.contextmanager
def transfer(what: str, *, lines: bool = True, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Give what shows how far `what` is, by the bytes that are done and all of them, until the block ends."""
    line = transfer_line(lines=lines, quiet=quiet)
    try:
        yield lambda done, total: line.show(what, done, total)
    finally:
        line.clear()
