"""The loop of a conversation: read a line, run it as a command or answer it, until the person leaves."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from qwen_tui import cancellation
from qwen_tui.chat import slash_commands
from qwen_tui.chat.session import Session
from qwen_tui.errors import CancelledError, OutputError, QwenError, refused
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Draft


class LineReader(Protocol):
    """Where the person types."""

    def read(self, draft: str | Draft = "") -> str:
        """Let the person edit `draft`, and return the line; raises `EOFError` when the person leaves."""

    def answering(self) -> AbstractContextManager[None]:
        """Return a context in which an answer may be written; what is typed meanwhile is kept for the next lines."""


class Repl:
    """Reads and answers lines; an error of the engine does not end it."""

    def __init__(self, session: Session, reader: LineReader, show_error: Callable[[QwenError], None]) -> None:
        self._session = session
        self._reader = reader
        self._show_error = show_error

    def run(self, first: Draft | None = None) -> None:
        """Run until the person leaves, or a signal ends the program. `first` is the draft of the first line."""
        draft = self._draft(first)
        sitting = cancellation.current()
        while not sitting.requested:
            try:
                line = self._reader.read(draft)
                if not line.strip():
                    self._session.drop_draft()
                draft = self._take(line) if line.strip() else ""
            except (EOFError, slash_commands.Farewell):
                return
            finally:
                # A Ctrl-C between two lines belongs to neither of them.
                sitting.forgive()

    def _take(self, line: str) -> str | Draft:
        """Run or answer `line`; return the draft of the next line."""
        self._session.unsent = ""
        draft: str | Draft | None = None
        with self._reader.answering(), cancellation.operation():
            try:
                if self._session.is_command(line):
                    # The person has replaced the draft by a command.
                    self._session.drop_draft()
                    draft = slash_commands.run(self._session, line)
                else:
                    self._session.answer(line)
            except OutputError:
                # The terminal cannot be written to, so the error cannot be shown there.
                raise
            except CancelledError:
                # A command that is cancelled has changed nothing.
                self._session.report(_("Stopped."))
            except QwenError as error:
                self._show_error(error)
            except OSError as error:
                # What the system refuses a command, and no other room has foreseen, ends no conversation.
                self._show_error(refused(error))
        self._session.left_edit = False
        return self._draft(draft)

    def _draft(self, begun: str | Draft | None) -> str | Draft:
        """Return the draft of the next line: `begun`, or else the unsent text."""
        text, slots = (begun.text, begun.slots) if isinstance(begun, Draft) else (begun or self._session.unsent, ())
        if self._session.template is None and not self._session.replacing:
            return text
        return Draft(text, slots, self._session.drop_draft)
