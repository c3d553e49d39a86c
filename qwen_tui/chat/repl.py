"""The conversation as a loop: a line is read, carried out or answered, and so on until the person leaves."""

from collections.abc import Callable
from typing import Protocol

from qwen_tui import cancellation
from qwen_tui.chat import slash_commands
from qwen_tui.chat.session import Session
from qwen_tui.errors import CancelledError, OutputError, QwenError
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Draft


class AnsweringMode(Protocol):
    """While an answer is written: what is typed meanwhile is kept for the next line."""

    typed: str

    def __enter__(self) -> "AnsweringMode": ...

    def __exit__(self, *exception: object) -> None: ...


class LineReader(Protocol):
    """Where the person types."""

    def read(self, draft: str | Draft = "") -> str:
        """Return what was typed, starting from `draft`; raises `EOFError` when the person leaves."""

    def answering(self) -> AnsweringMode:
        """Return a context in which an answer may be written to the terminal."""


class Repl:
    """Asks, answers, and survives whatever the engine does."""

    def __init__(self, session: Session, reader: LineReader, show_error: Callable[[QwenError], None]) -> None:
        self._session = session
        self._reader = reader
        self._show_error = show_error

    def run(self, first: Draft | None = None) -> None:
        """Go on until the person leaves, or the program is told to end. `first` is what the line begins with."""
        draft = self._draft(first, "")
        sitting = cancellation.current()
        while not sitting.requested:
            try:
                line = self._reader.read(draft)
                if not line.strip():
                    self._session.drop_draft()
                draft = self._take(line) if line.strip() else ""
            except (EOFError, slash_commands.Leave):
                return
            finally:
                # A Ctrl-C between two lines means neither of them.
                sitting.forgive()

    def _take(self, line: str) -> str | Draft:
        """Carry out or answer `line`; return what the next line should start with."""
        self._session.unsent = ""
        draft: str | Draft | None = None
        with self._reader.answering() as mode, cancellation.operation():
            try:
                if self._is_command(line):
                    # It takes the place of what the line was begun with.
                    self._session.drop_draft()
                    draft = slash_commands.run(self._session, line)
                else:
                    self._session.answer(line)
            except OutputError:
                # A terminal that cannot be written to cannot be told about it either.
                raise
            except CancelledError:
                # Nothing was changed by what did not come to its end.
                self._session.say(_("Stopped."))
            except QwenError as error:
                self._show_error(error)
        self._session.left_edit = False
        return self._draft(draft, mode.typed)

    def _is_command(self, line: str) -> bool:
        """Whether `line` is no message."""
        if self._session.replacing and self._session.conversation.exchanges[-1].question.words.startswith("/"):
            return False
        # What a template began is a message, whatever was filled in first.
        return line.startswith("/") and self._session.template is None

    def _draft(self, begun: str | Draft | None, typed: str) -> str | Draft:
        """Return what the next line starts with: what is `begun` or else unsent, then what was typed meanwhile."""
        text, slots = (begun.text, begun.slots) if isinstance(begun, Draft) else (begun or self._session.unsent, ())
        text = "\n".join(filter(None, (text, typed)))
        if self._session.template is None and not self._session.replacing:
            return text
        return Draft(text, slots, self._session.drop_draft)
