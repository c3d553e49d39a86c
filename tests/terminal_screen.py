"""A terminal for tests: a program in a pseudo-terminal, with its screen and its keyboard. POSIX only."""

import io
import os
import signal
import time
from collections.abc import Callable

import pexpect
import pyte

_WHERE = "\x1b[6n"
# The painter writes this before each update of an answer on the screen, and nothing else does.
_UPDATE = "\x1b[?2026h"
# So many seconds does a test wait for what comes at once on a machine that does nothing else.
PATIENCE = 60
ENTER, NEWLINE, CTRL_C, CTRL_D = "\r", "\n", "\x03", "\x04"


class Terminal:
    """A program on a screen of 80 columns and 24 rows."""

    def __init__(self, *command: str, **environment: str) -> None:
        # Everything that was written to the terminal, including control sequences.
        self.written = io.StringIO()
        self.process = pexpect.spawn(
            command[0],
            list(command[1:]),
            dimensions=(24, 80),
            encoding="utf-8",
            # When a terminal turns Ctrl-C into a signal, it may drop output that it has not shown yet, even in the
            # middle of a character.
            codec_errors="replace",
            env={**os.environ, "TERM": "xterm-256color", **environment},
        )
        self.process.logfile_read = self.written
        self._typed_at = 0
        # `type` waits; the position of the cursor is told at once.
        self.process.delaybeforesend = None
        self._screen = pyte.Screen(80, 24)
        self._stream = pyte.Stream(self._screen)

    @property
    def text(self) -> str:
        """What the screen shows now."""
        # A program that writes without end must not keep this loop running.
        until = time.monotonic() + 0.3
        while time.monotonic() < until and self.read(0.05):
            pass
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    @property
    def cursor(self) -> tuple[int, int]:
        """Where the cursor stands: column and row."""
        return self._screen.cursor.x, self._screen.cursor.y

    def read(self, patience: float) -> bool:
        """Take what the program writes within so many seconds; whether there was anything."""
        try:
            piece = self.process.read_nonblocking(65536, timeout=patience)
        except (pexpect.TIMEOUT, pexpect.EOF):
            return False
        for i, part in enumerate(piece.split(_WHERE)):
            if i:
                # The program asks for the position of the cursor, and a terminal answers.
                column, row = self.cursor
                self.process.send(f"\x1b[{row + 1};{column + 1}R")
            self._stream.feed(part)
        return True

    def resize(self, columns: int, rows: int) -> None:
        self._screen.resize(rows, columns)
        self.process.setwinsize(rows, columns)

    def type(self, keys: str) -> None:
        # Nobody types sooner. The line that shows what a test has waited for may not take keys yet.
        time.sleep(0.05)
        self._typed_at = self.written.tell()
        self.process.send(keys)

    def enter(self, line: str) -> None:
        """Send a line from the prompt of a conversation, as soon as that is there.

        What is typed earlier, while the answer or the report of a command still comes, does not send itself.
        """
        self.wait_until(lambda _text: self._screen.display[self._screen.cursor.y].startswith(">"))
        self.type(line + ENTER)

    def wait_until(self, holds: Callable[[str], bool]) -> str:
        """Wait until this holds, of the text on the screen or of anything else."""
        deadline = time.monotonic() + PATIENCE
        while not holds(text := self.text):
            assert time.monotonic() < deadline, text
        return text

    def wait_for(self, *words: str) -> str:
        """Wait until the screen shows all of `words`."""
        return self.wait_until(lambda text: all(word in text for word in words))

    def wait_for_written(self, *words: str) -> None:
        """Wait until all of `words` have been written, even if they have scrolled off since."""
        self.wait_until(lambda _text: all(word in self.written.getvalue() for word in words))

    def wait_for_times(self, word: str, times: int) -> str:
        """Wait until the screen shows `word` so many times."""
        return self.wait_until(lambda text: text.count(word) == times)

    def wait_for_answer(self) -> None:
        """Wait until some of an answer has come since `type`: two tokens at least, so that it has a speed."""
        self.wait_until(lambda _text: self.written.getvalue().count(_UPDATE, self._typed_at) > 2)

    def close(self) -> None:
        """End the program, whatever it does, and close the terminal, unless that is done."""
        if self.process.closed:
            return
        if self.process.isalive():
            self.process.kill(signal.SIGKILL)
        self.wait_until(lambda _text: not self.process.isalive())
        self.process.close()

    def leave(self) -> int:
        self.type(CTRL_D)
        return self.ended()

    def ended(self, *, closing: bool = True) -> int:
        """Wait for the end and return the exit code; `closing` closes the terminal too."""
        deadline = time.monotonic() + PATIENCE
        while self.process.isalive() and time.monotonic() < deadline:
            _ = self.text
        # Its last words may have come between the last reading and its end.
        while self.read(0.05):
            pass
        if closing:
            self.process.close()
        assert self.process.exitstatus is not None
        return int(self.process.exitstatus)
