"""Asks the person at the terminal, and reads the answers."""

import os
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from getpass import getpass

import typer

from qwen_tui import cancellation
from qwen_tui.cli import screen, stdin
from qwen_tui.cli.environment import Environment
from qwen_tui.errors import UsageError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed
from qwen_tui.models.hashing import OnProgress
from qwen_tui.models.importing.candidates import is_model_name
from qwen_tui.terminal.sanitise import clean
from qwen_tui.terminal.sequences import without_sequences

_YES = ("y", "yes", "是", "好", "对")
_MOST_PASSWORDS = 3
_ALL = ("a", "all", "全部")


class Asker:
    """Asks the person at the terminal, and tells them what happens: the `Person` that other rooms know."""

    def __init__(
        self, environment: Environment, lent: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> None:
        """`lent` returns a context in which the terminal shows what is typed, if it does not do so now."""
        self._environment = environment
        self._lent = lent
        self.note: Callable[[str], None] = environment.note

    @property
    def can_answer(self) -> bool:
        """Whether a person is at the terminal."""
        return self._environment.can_ask

    def agreed(self, question: str, *, yes: bool) -> bool:
        """Return whether what `question` asks for may be removed; raises `UsageError` where nobody can be asked."""
        if yes:
            return True
        if not self.can_answer:
            raise UsageError(
                _("Nothing was removed: there is no terminal on which to ask first."),
                _("To remove without being asked, add --yes."),
            )
        return self.confirm(question)

    def confirm(self, question: str, *, default: bool = False) -> bool:
        """Ask a question of yes or no; Enter alone is the default. Raises `typer.Abort` at Ctrl-D."""
        answer = _half_width(self.ask(f"{question} [{'Y/n' if default else 'y/N'}]"))
        return answer in _YES if answer else default

    def choose(self, rows: Sequence[str], question: str) -> list[int]:
        """Show numbered rows and return the indices of those that are wanted: one, some, all or none."""
        for number, row in enumerate(rows, 1):
            self.note(f"{number:3}  {row}")
        while True:
            answer = _half_width(self.ask(question))
            if answer in _ALL:
                return list(range(len(rows)))
            parts = answer.replace(",", " ").split()
            if all(part.isdecimal() and 1 <= int(part) <= len(rows) for part in parts):
                return sorted({int(part) - 1 for part in parts})
            self.note(_("Write numbers, such as 1 or 1,2."))

    def choose_one(self, rows: Sequence[str], names: Sequence[str], question: str) -> int | None:
        """Show numbered rows and return the index of the one that is wanted, by number or name; None for none."""
        for number, row in enumerate(rows, 1):
            self.note(f"{number:3}  {row}")
        while answer := _half_width(self.ask(question)):
            if answer in names:
                return list(names).index(answer)
            if answer.isdecimal() and 1 <= int(answer) <= len(rows):
                return int(answer) - 1
            self.note(_("Write one of: {names}.").format(names=listed(names)))
        return None

    def ask(self, question: str) -> str:
        """Ask and return the line without the blanks around it; raises `typer.Abort` at Ctrl-D."""
        self._environment.stderr.write(clean(question) + " ")
        self._environment.stderr.flush()
        try:
            # Bytes that are not text in the terminal's encoding must not raise: they can be a part of a file's name.
            with self._lent(), cancellation.current().interruptible():
                line = os.fsdecode(stdin.stream(self._environment).readline())
        except KeyboardInterrupt:
            # The cursor still stands behind the question, and so it does after Ctrl-D.
            self.note("")
            raise
        except OSError:
            # The terminal is gone.
            line = ""
        if not line:
            self.note("")
            raise typer.Abort
        # The answers of a terminal to questions of a program before this one may be among what was typed.
        return without_sequences(line).strip()

    def ask_password(self, name: str, wrong: int) -> str | None:
        """Ask for the password of a document without showing it; None if it is not known, or was wrong too often."""
        if wrong >= _MOST_PASSWORDS:
            return None
        if wrong:
            self.note(_("That password is wrong."))
        return self._ask_hidden(_("Password of {name}:").format(name=name)) or None

    def _ask_hidden(self, question: str) -> str:
        try:
            with cancellation.current().interruptible():
                return getpass(clean(question) + " ", self._environment.stderr)
        except EOFError:
            self.note("")
            return ""

    def ask_for_model(self, question: str) -> str:
        """Ask for the path of a .gguf file and return what was typed; Tab completes it if the terminal can redraw.

        Raises `typer.Abort` at Ctrl-D.
        """
        if not self._environment.can_redraw:
            return self.ask(question)
        from qwen_tui.terminal.path_line import read_path

        try:
            return read_path(question, self._environment.stderr, is_model_name)
        except (EOFError, OSError):
            raise typer.Abort from None

    def progress(self, label: str) -> AbstractContextManager[OnProgress]:
        """Show under this label how many bytes are done, until the block ends."""
        return screen.transfer(self._environment, label)


class AskerInConversation(Asker):
    """Asks within a conversation, where `read` asks a question and returns the line, hidden or not.

    `note` shows a sentence there.
    """

    def __init__(self, environment: Environment, read: Callable[..., str], note: Callable[[str], None]) -> None:
        super().__init__(environment)
        self._read = read
        self.note = note

    def ask(self, question: str) -> str:
        """Ask and return the line without the blanks around it; raises `CancelledError` at Ctrl-C and Ctrl-D."""
        return self._read(question)

    def _ask_hidden(self, question: str) -> str:
        return self._read(question, hidden=True)


def _half_width(answer: str) -> str:
    """Return `answer` as it is compared: an input method for Chinese writes ｙ, １ and 、 as well."""
    return unicodedata.normalize("NFKC", answer).lower().replace("、", ",")
