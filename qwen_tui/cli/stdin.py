"""Stdin as it was handed to the program: what kind it is, whose it is, and its bytes to the end."""

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

# How often a stdin that does not block is looked at where the system cannot be asked to wait for it, in seconds.
_LOOK_EVERY = 0.05


def is_piped(environment: Environment) -> bool:
    """Whether stdin is a pipe or a file; a terminal, /dev/null and a closed one are not."""
    mode = _mode(environment)
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def is_partly_read(environment: Environment) -> bool:
    """Whether stdin is a file that somebody has read from before, such as a shell's loop: the rest is theirs."""
    try:
        return stat.S_ISREG(_mode(environment)) and os.lseek(_number(environment), 0, os.SEEK_CUR) > 0
    except OSError:
        return False


def stream(environment: Environment, arrived: Callable[[], None] = lambda: None) -> io.BufferedReader:
    """Return the bytes of stdin, up to its end; `arrived` is called when some came, and at the end.

    Another program may have told a pipe or a terminal that both share not to block: then it is waited for all the same.
    """
    assert environment.stdin is not None
    return io.BufferedReader(_Patient(environment.stdin, arrived))


class _Patient(io.RawIOBase):
    """Stdin, read as soon as there is something to read."""

    def __init__(self, stdin: TextIO, arrived: Callable[[], None]) -> None:
        # Without the buffer, which takes “nothing yet” for the end. Of a Windows console it knows the encoding.
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
            # There it knows sockets only.
            time.sleep(_LOOK_EVERY)
        else:
            select.select([self._raw], [], [])


def _mode(environment: Environment) -> int:
    try:
        return os.fstat(_number(environment)).st_mode
    except (OSError, ValueError):
        return 0


def _number(environment: Environment) -> int:
    """Return the number that the system knows stdin by, -1 where there is no stdin."""
    return environment.stdin.fileno() if environment.stdin else -1
