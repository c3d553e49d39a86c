"""The clipboard of the person at the terminal: this computer's, or over SSH that of the computer they sit at.

Only the person's own command writes to the clipboard or reads it; the text of a model never reaches it by itself.
"""

import base64
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from qwen_tui import cancellation
from qwen_tui.errors import ClipboardError, why
from qwen_tui.i18n import gettext as _
from qwen_tui.terminal.streams import write

# Terminals drop longer sequences; the strictest allows 74,994 bytes of base64.
_MOST_BYTES = 56_000
# Values of TERM whose terminals do not know OSC 52 and may print it instead.
_WITHOUT_OSC_52 = ("", "dumb", "linux")


class SystemClipboard:
    """The clipboard that pyperclip reaches; without one, `copy` sends OSC 52 to the terminal on `stream`."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str] = os.environ) -> None:
        self._stream = stream
        self._environ = environ

    def copy(self, text: str) -> str:
        """Put `text` into the clipboard; return what the person should know about it, or an empty string.

        Raises `ClipboardError`, and `OutputError` if the terminal is gone.
        """
        copy, paste = self._mechanism()
        if copy is None or paste is None:
            return self._send_to_terminal(text)
        run = cancellation.current().run
        with _translated():
            run(lambda: _without_interrupts(copy, text))
            # xclip and similar programs can fail without an error that pyperclip reports, so this reads the text back.
            arrived = run(paste) == text
        return "" if arrived else self._send_to_terminal(text)

    def paste(self) -> str:
        """Return the text in the clipboard, empty where there is none; raises `ClipboardError`."""
        _copy, paste = self._mechanism()
        if paste is None:
            raise ClipboardError(
                _("The clipboard cannot be read from here."),
                _(
                    "Paste into the line with the terminal's own key, often Ctrl-Shift-V; "
                    "or install xclip or wl-clipboard."
                ),
            )
        with _translated():
            return cancellation.current().run(paste)

    def _mechanism(self) -> tuple[Callable[[str], None] | None, Callable[[], str] | None]:
        has_display = self._environ.get("DISPLAY") or self._environ.get("WAYLAND_DISPLAY")
        if not has_display and (self._environ.get("SSH_TTY") or self._environ.get("SSH_CONNECTION")):
            # Over SSH, pyperclip would reach the clipboard of the server, and the person sits at another computer.
            return None, None
        import pyperclip

        copy, paste = pyperclip.determine_clipboard()
        return (copy, paste) if copy else (None, None)

    def _send_to_terminal(self, text: str) -> str:
        data = text.encode("utf-8", "replace")
        if not self._stream.isatty() or self._environ.get("TERM", "") in _WITHOUT_OSC_52:
            raise ClipboardError(
                _("No clipboard can be reached from here."),
                _("Install xclip or wl-clipboard, or write a file: /save FILE"),
            )
        if len(data) > _MOST_BYTES:
            raise ClipboardError(
                _("The text is too long to reach the clipboard through the terminal: {n} bytes.").format(n=len(data)),
                _("Install xclip or wl-clipboard, or write a file: /save FILE"),
            )
        # tmux passes the sequence on if its option set-clipboard is on.
        write(self._stream, f"\x1b]52;c;{base64.b64encode(data).decode()}\a")
        return _("Sent through the terminal; if nothing arrived, install xclip or wl-clipboard.")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    # pyperclip lets every error of its mechanisms through, even a plain Exception.
    except Exception as error:
        raise ClipboardError(
            _("The clipboard could not be used: {reason}").format(reason=why(error)),
            _("Install xclip or wl-clipboard."),
        ) from error


def _without_interrupts(copy: Callable[[str], None], text: str) -> None:
    """Copy with SIGINT blocked, so that Ctrl-C does not end xclip, which runs on in the background to hold the text.

    xclip inherits the blocked signal from the thread that starts it. The main thread still receives Ctrl-C.
    """
    if sys.platform == "win32":
        copy(text)
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        copy(text)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
