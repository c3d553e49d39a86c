"""Collects what the person types while an answer streams: not echoed, and kept for the next line."""

import os
import select
import signal
import sys
import threading
from typing import Any

from qwen_tui.terminal.sanitise import clean

# While no key comes, the reading thread looks at this interval for the end of the answer, in seconds.
_TICK = 0.05


class QuietTerminal:
    """The terminal's mode during an answer: it echoes no keys. Afterwards, `typed` holds what the person typed."""

    def __init__(self, terminal: int) -> None:
        """`terminal` is the file descriptor of the terminal that the person types into."""
        self._terminal = terminal
        self._saved: list[Any] | None = None
        self._on_continue: Any = None
        self._keys = bytearray()
        self._done = threading.Event()
        self._drain = threading.Thread(target=self._read, daemon=True)
        self.typed = ""

    def __enter__(self) -> "QuietTerminal":
        if sys.platform != "win32" and os.isatty(self._terminal):
            import termios

            self._saved = termios.tcgetattr(self._terminal)
            self._quieten()
            # While the program was suspended, the shell has restored its own settings of the terminal.
            self._on_continue = signal.signal(signal.SIGCONT, lambda _number, _frame: self._quieten())
            self._drain.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if sys.platform == "win32" or self._saved is None:
            return
        import termios

        signal.signal(signal.SIGCONT, self._on_continue)
        self._done.set()
        self._drain.join()
        try:
            while keys := os.read(self._terminal, 4096):
                self._keys += keys
            termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._saved)
        except (OSError, termios.error):
            # The terminal is gone. The next read reports that, and nobody needs the typed text any more.
            self._keys.clear()
        self.typed = typed_text(bytes(self._keys))

    def _read(self) -> None:
        """Read the keys out of the terminal's queue. At 4 KB the queue is full, and no longer accepts Ctrl-C."""
        while not self._done.is_set():
            try:
                if select.select([self._terminal], [], [], _TICK)[0]:
                    keys = os.read(self._terminal, 4096)
                    if not keys:
                        return
                    self._keys += keys
            except OSError:
                return

    def _quieten(self) -> None:
        import termios

        try:
            quiet = termios.tcgetattr(self._terminal)
        except termios.error:
            # The terminal is gone. The kernel then sends SIGCONT together with SIGHUP.
            return
        # No echo into the answer (ECHO), and every key readable at once (ICANON). Enter stays a carriage return
        # (ICRNL), so that it differs from a newline in a paste. Signals stay on: Ctrl-C stops the answer, and does not
        # flush what the person has typed (NOFLSH).
        quiet[0] &= ~termios.ICRNL
        quiet[3] &= ~(termios.ECHO | termios.ICANON)
        quiet[3] |= termios.NOFLSH
        quiet[6][termios.VMIN] = 0
        quiet[6][termios.VTIME] = 0
        termios.tcsetattr(self._terminal, termios.TCSADRAIN, quiet)


def typed_text(keys: bytes) -> str:
    """Return the text in `keys`, which a terminal sent, without escape sequences and without the last Enter."""
    kept = bytearray()
    i = 0
    while i < len(keys):
        if keys[i] == 0x1B:
            i = _after_escape(keys, i)
            continue
        if keys[i] in (0x7F, 0x08):
            # Backspace deletes the last character, which may have several bytes.
            text = kept.decode("utf-8", "ignore")
            kept = bytearray(text[:-1].encode())
        else:
            kept.append(0x0A if keys[i] == 0x0D else keys[i])
        i += 1
    return clean(kept.decode("utf-8", "replace")).rstrip("\n")


def _after_escape(keys: bytes, start: int) -> int:
    """Return the index behind the escape sequence at `start`."""
    i = start + 1
    if i < len(keys) and keys[i] in b"[O":
        i += 1
        while i < len(keys) and not 0x40 <= keys[i] <= 0x7E:
            i += 1
    return i + 1
