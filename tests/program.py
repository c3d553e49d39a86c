"""Calls the program inside the test's own process, with streams of the test: faster than a new process."""

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TextIO

from qwen_tui.cli.environment import Environment
from qwen_tui.cli.main import main
from tests.streams import Keyboard, TerminalStream


class Done(NamedTuple):
    """The result of a command: its exit code, and what it wrote."""

    code: int
    out: str
    err: str


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
    out, err = (io.StringIO(), io.StringIO()) if typed is None else (TerminalStream(), TerminalStream())
    stdin = None if typed is None else Keyboard(typed)
    code = main([str(argument) for argument in arguments], environment(stdin=stdin, stdout=out, stderr=err))
    return Done(code, out.getvalue(), err.getvalue())
