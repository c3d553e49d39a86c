"""The program called within a test's own process, on streams that the test holds: quicker than a process of its own."""

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TextIO

from qwen_tui.cli.environment import Environment
from qwen_tui.cli.main import main

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Done(NamedTuple):
    """What a command left: its exit code, and what it wrote."""

    code: int
    out: str
    err: str


class Screen(io.StringIO):
    """A terminal that keeps what is written to it. It has no size, so that COLUMNS decides how wide it is."""

    def isatty(self) -> bool:
        return True


class _Lines(io.RawIOBase):
    """Gives one line to each read, as a terminal does."""

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
    """A terminal on which somebody has already typed all there is to type."""

    def __init__(self, typed: str) -> None:
        super().__init__(io.BufferedReader(_Lines(typed)), encoding="utf-8")

    def isatty(self) -> bool:
        return True


def environment(
    *,
    stdin: TextIO | None = None,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
    variables: Mapping[str, str] | None = None,
) -> Environment:
    """Return an environment with these streams, and by default with no stdin and with streams that are no terminals."""
    return Environment(
        stdin, stdout or io.StringIO(), stderr or io.StringIO(), os.environ if variables is None else variables
    )


def call(*arguments: str | Path, typed: str | None = None) -> Done:
    """Run a command; with `typed`, a person at a terminal has typed that, and reads both streams."""
    out, err = (io.StringIO(), io.StringIO()) if typed is None else (Screen(), Screen())
    stdin = None if typed is None else Keyboard(typed)
    code = main([str(argument) for argument in arguments], environment(stdin=stdin, stdout=out, stderr=err))
    return Done(code, out.getvalue(), err.getvalue())
