"""Keeps a terminal from echoing keys while the program writes to it. On Windows, terminals do not echo them anyway."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any


class QuietTerminal:
    """Sets the terminal for the duration of a `with` block: it echoes no keys. Afterwards its mode is as before.

    With `by_key`, the program can read every key at once. Otherwise the typed text stays for the next program that
    reads, such as the shell. A program in the background does not change the terminal.
    """

    def __init__(self, terminal: int, *, by_key: bool = False) -> None:
        """`terminal` is a file descriptor; if it is not a terminal, nothing is changed."""
        self._terminal = terminal
        self._by_key = by_key
        self._saved: list[Any] | None = None
        self._on_continue: Any = None
        # Whether another part of the program reads the terminal in its own mode for now.
        self.is_lent = False

    @property
    def is_quiet(self) -> bool:
        """Whether the block has begun, and this program is in the foreground of the terminal."""
        return self._saved is not None

    def __enter__(self) -> "QuietTerminal":
        if sys.platform != "win32" and self._is_in_front():
            import termios

            self._saved = termios.tcgetattr(self._terminal)
            self._quieten()
            # While the program was stopped, the shell has set its own mode.
            self._on_continue = signal.signal(signal.SIGCONT, lambda _number, _frame: self._quieten())
        return self

    def __exit__(self, *exception: object) -> None:
        if sys.platform != "win32" and self._saved is not None:
            signal.signal(signal.SIGCONT, self._on_continue)
            self.restore()
            self._saved = None

    def restore(self) -> None:
        """Restore the terminal's mode before the program stops at Ctrl-Z; when it continues, it is quiet again."""
        if sys.platform != "win32" and self._saved is not None and self._is_in_front():
            self._set(self._saved)

    @contextlib.contextmanager
    def lent(self) -> Iterator[None]:
        """Give the terminal its own mode for the block, so that the person sees what they answer to a question."""
        self.is_lent = True
        self.restore()
        try:
            yield
        finally:
            self.is_lent = False
            self._quieten()

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
        import termios

        # A terminal that is gone needs no mode. The kernel then sends SIGCONT together with SIGHUP.
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self._terminal, termios.TCSADRAIN, mode)

    def _is_in_front(self) -> bool:
        """Whether the terminal is there, and the program is not in the background: changing the mode would stop it."""
        if sys.platform == "win32" or not os.isatty(self._terminal):
            return False
        try:
            return os.tcgetpgrp(self._terminal) == os.getpgrp()
        except OSError:
            # A terminal that does not control this program cannot stop it.
            return True
