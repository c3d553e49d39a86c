"""Streams and a clock that a test controls."""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class TerminalStream(io.StringIO):
    """A terminal that stores what is written to it. It reports no size, so COLUMNS decides on its width."""

    def isatty(self) -> bool:
        return True


class _Lines(io.RawIOBase):
    """Returns one line for each read, like a terminal."""

    def __init__(self, typed: str) -> None:
        self._typed = io.BytesIO(typed.encode())

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        line = self._typed.readline(len(view))
        view[: len(line)] = line
        return len(line)


class Keyboard(io.TextIOWrapper):
    """A terminal on which a person has already typed everything."""

    def __init__(self, typed: str) -> None:
        super().__init__(io.BufferedReader(_Lines(typed)), encoding="utf-8")

    def isatty(self) -> bool:
        return True


class Clock:
    """A clock whose time passes only when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now
