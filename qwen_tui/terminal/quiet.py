"""Keeps a terminal from echoing what is typed while the program writes to it. On Windows nothing echoes meanwhile."""

import os
import signal
import sys
from typing import Any


class QuietTerminal:
    """The terminal's mode in a `with` block: it echoes no keys. Behind the block it is as it was before.

    With `by_key` every key can be read at once; otherwise what is typed stays for the program that reads next, such as
    the shell. A program in the background leaves the terminal alone.
    """

    def __init__(self, terminal: int, *, by_key: bool = False) -> None:
        """`terminal` is a file descriptor; one of something else is left alone."""
        self._terminal = terminal
        self._by_key = by_key
        self._saved: list[Any] | None = None
        self._on_continue: Any = None
        # Whether somebody in this program reads the terminal in a mode of their own for now.
        self.is_lent = False

    @property
    def is_quiet(self) -> bool:
        """Whether the block has begun on a terminal of which this is the program in front."""
        return self._saved is not None

    def __enter__(self) -> "QuietTerminal":
        if sys.platform != "win32" and self._is_in_front():
            import termios

            self._saved = termios.tcgetattr(self._terminal)
            self._quieten()
            # While the program was stopped, the shell has set up the terminal for itself.
            self._on_continue = signal.signal(signal.SIGCONT, lambda _number, _frame: self._quieten())
        return self

    def __exit__(self, *exception: object) -> None:
        if sys.platform != "win32" and self._saved is not None:
            signal.signal(signal.SIGCONT, self._on_continue)
            self.restore()
            self._saved = None

    def restore(self) -> None:
        """Set the terminal up as it was before, to stop at Ctrl-Z; it is quiet again once the program goes on."""
        if sys.platform != "win32" and self._saved is not None and self._is_in_front():
            self._set(self._saved)

    def _quieten(self) -> None:
        if sys.platform == "win32" or self._saved is None or self.is_lent or not self._is_in_front():
            return
        import termios

        quiet = [*self._saved[:6], list(self._saved[6])]
        quiet[3] &= ~termios.ECHO
        if self._by_key:
            # Every key can be read at once (ICANON). Enter stays a carriage return (ICRNL), so that it differs from a
            # newline in a paste. Signals stay on: Ctrl-C stops the answer, and does not flush what the person has typed
            # (NOFLSH).
            quiet[0] &= ~termios.ICRNL
            quiet[3] &= ~termios.ICANON
            quiet[3] |= termios.NOFLSH
            quiet[6][termios.VMIN] = 0
            quiet[6][termios.VTIME] = 0
        self._set(quiet)

    def _set(self, mode: list[Any]) -> None:
        import contextlib
        import termios

        # A terminal that is gone needs nothing. The kernel then sends SIGCONT together with SIGHUP.
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self._terminal, termios.TCSADRAIN, mode)

    def _is_in_front(self) -> bool:
        """Whether the terminal is there, and this program not in the background, where setting it up would stop it."""
        if sys.platform == "win32" or not os.isatty(self._terminal):
            return False
        try:
            return os.tcgetpgrp(self._terminal) == os.getpgrp()
        except OSError:
            # A terminal that is not this program's own stops nobody.
            return True
