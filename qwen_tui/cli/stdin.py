"""Looks at stdin: whether it is a pipe or a file, whether somebody else reads it too; and reads it to its end."""

import io
import os
import select
import stat
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from qwen_tui.cli.environment import Environment

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# On Windows, a stdin that does not block is tried again at this interval, in seconds.
_LOOK_EVERY = 0.05


def is_piped(environment: Environment) -> bool:
    """Whether stdin is a pipe or a file; a terminal, /dev/null and a closed one are not."""
    mode = _mode(environment)
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def is_partly_read(environment: Environment) -> bool:
    """Whether stdin is a file of which another process has read a part, such as a shell's loop that owns the rest."""
    try:
        return stat.S_ISREG(_mode(environment)) and os.lseek(_descriptor(environment), 0, os.SEEK_CUR) > 0
    except OSError:
        return False


def stream(environment: Environment, arrived: Callable[[], None] = lambda: None) -> io.BufferedReader:
    """Return a stream of the bytes of stdin; it calls `arrived` whenever bytes come, and at the end.

    A program that shares this pipe or terminal may have made it non-blocking. The stream waits for bytes all the same.
    """
    assert environment.stdin is not None
    return io.BufferedReader(_WaitingStdin(environment.stdin, arrived))


class _WaitingStdin(io.RawIOBase):
    """Reads stdin, and waits where a non-blocking stdin has nothing yet."""

    def __init__(self, stdin: TextIO, arrived: Callable[[], None]) -> None:
        # Python's buffer takes “nothing yet” for the end, so this reads below it. `raw` also knows a Windows console.
        assert isinstance(stdin.buffer, io.BufferedReader)
        self._raw = stdin.buffer.raw
        self._arrived = arrived

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        while (count := self._raw.readinto(buffer)) is None:
            self._wait()
        self._arrived()
        return int(count)

    def _wait(self) -> None:
        if os.name == "nt":
            # On Windows, select knows only sockets.
            time.sleep(_LOOK_EVERY)
        else:
            select.select([self._raw], [], [])


def _mode(environment: Environment) -> int:
    try:
        return os.fstat(_descriptor(environment)).st_mode
    except (OSError, ValueError):
        return 0


def _descriptor(environment: Environment) -> int:
    """Return the file descriptor of stdin, -1 if there is no stdin."""
    return environment.stdin.fileno() if environment.stdin else -1
