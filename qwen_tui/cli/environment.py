"""What the program gets from outside: its three streams, and its environment variables."""

import contextlib
import io
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from qwen_tui.errors import OutputError, why
from qwen_tui.i18n import gettext as _

# A message about a failure needs these imports. They come first, because later there may be no memory for them.
from qwen_tui.terminal.sanitise import clean
from qwen_tui.terminal.streams import terminal_size, write

if TYPE_CHECKING:
    import typer


@dataclass(frozen=True, slots=True)
class Environment:
    """The streams and variables that a command works with. `main` hands them down, nobody else asks `sys`.

    `stdin` is None where the program was started without one.
    """

    stdin: TextIO | None
    stdout: TextIO
    stderr: TextIO
    variables: Mapping[str, str]

    @classmethod
    def of_process(cls) -> "Environment":
        """Return the streams and variables of this process, ready to take any character."""
        # Python has no stream where the shell has closed it, as with >&-. What the program writes there goes nowhere.
        if sys.stdout is None:
            sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for the whole process
        if sys.stderr is None:
            sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - likewise
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # Files and pipes get UTF-8. A terminal keeps its encoding; it shows ? for what that lacks.
                stream.reconfigure(errors="replace", encoding=None if stream.isatty() else "utf-8")
        return cls(sys.stdin, sys.stdout, sys.stderr, os.environ)

    @classmethod
    def of(cls, context: "typer.Context") -> "Environment":
        """Return the environment that `main` gave to the command of this `context`."""
        found = context.find_object(cls)
        assert found is not None, "main gives every command its environment"
        return found

    @property
    def can_ask(self) -> bool:
        """Whether a person can read a question on stderr and answer it on stdin."""
        return bool(self.stdin and self.stdin.isatty() and self.stderr.isatty())

    @property
    def can_converse(self) -> bool:
        """Whether a person types on stdin and reads stdout."""
        return bool(self.stdin and self.stdin.isatty() and self.stdout.isatty())

    @property
    def can_offer(self) -> bool:
        """Whether a person can be asked and reads stdout. Only then a command offers anything unasked."""
        return self.can_ask and self.stdout.isatty()

    @property
    def can_redraw(self) -> bool:
        """Whether stderr is a terminal that can erase a line; a dumb terminal cannot."""
        return self.stderr.isatty() and self.variables.get("TERM") != "dumb"

    @property
    def columns(self) -> int | None:
        """The width of the terminal on stdout; None where stdout is not a terminal."""
        return terminal_size(self.stdout).columns if self.stdout.isatty() else None

    @property
    def wants_details(self) -> bool:
        """Whether QWEN_TUI_DEBUG asks for llama.cpp's log, and for where in the program an error arose."""
        return bool(self.variables.get("QWEN_TUI_DEBUG"))

    def print_answer(self, answer: str) -> None:
        """Print on stdout what the model wrote: clean on a terminal, as it is elsewhere."""
        write(self.stdout, clean(answer) if self.stdout.isatty() else answer)

    def print(self, text: str) -> None:
        """Print on stdout anything but an answer, cleaned in the same way; add the newline that the text lacks."""
        try:
            self.print_answer(text if text.endswith("\n") or not text else f"{text}\n")
        except OutputError as error:
            if not isinstance(error.__cause__, OSError):
                raise
            # It was no answer, so “ask again” would be no help.
            raise unwritable(error.__cause__) from error.__cause__

    def note(self, sentence: str) -> None:
        """Write a sentence on stderr. If that fails, the command goes on without it."""
        with contextlib.suppress(OSError, OutputError):
            write(self.stderr, clean(sentence) + "\n")


def unwritable(error: OSError) -> OutputError:
    """Return the error for a text, other than an answer, that could not be printed."""
    reason = _("The output could not be written: {reason}.").format(reason=why(error))
    return OutputError(reason, _("Free some space or choose another place."))
