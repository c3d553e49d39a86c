"""The outputs of an answer: piece by piece to a terminal or a pipe, or held back until it is whole."""

import contextlib
import time
from typing import TextIO

from qwen_tui.errors import OutputError
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Event, FileRead, Finished, Loss, Note, Prefill, Reasoning, Step, Text
from qwen_tui.terminal.progress import StatusLine
from qwen_tui.terminal.sanitise import clean
from qwen_tui.terminal.streams import write


class HeldOutput:
    """Shows only progress and notes, because the caller prints the whole answer at the end, as JSON or as its code."""

    def __init__(self, notes: TextIO, status: StatusLine, *, quiet: bool = False) -> None:
        """With `quiet`, of the notes only a `Loss` is shown."""
        self._notes = notes
        self._status = status
        self._quiet = quiet

    def show(self, event: Event) -> None:
        self._status.show(event)
        if isinstance(event, Note):
            self.note(event.sentence)

    def show_reading(self, event: FileRead) -> None:
        """Show how far a file is read."""
        self._status.show(event)

    def note(self, sentence: str) -> None:
        if not self._quiet or isinstance(sentence, Loss):
            self._tell(sentence)

    def _tell(self, sentence: str) -> None:
        self._status.clear()
        # A note that cannot be written must not end the answer.
        with contextlib.suppress(OutputError):
            write(self._notes, clean(sentence) + "\n")

    def show_end(self, text: str, rows: int) -> None:
        """Show the last `rows` of an earlier answer."""
        self.note("\n".join(end_of(text.strip("\n").splitlines(), rows)))

    def resumed(self) -> None:
        """Take note that the program was suspended and goes on: other programs may have written to the terminal."""

    def close(self) -> None:
        """Remove progress and end the last line, also after a failure."""
        self._status.clear()


def end_of(lines: list[str], rows: int) -> list[str]:
    """Return the last `rows` of `lines`, below a sign where others stood before them."""
    return lines if len(lines) <= rows else ["…", *lines[-rows:]]


class Thinking:
    """Counts how long a model thinks before it answers, and how many characters."""

    def __init__(self) -> None:
        self._begun: float | None = None
        self._characters = 0

    def take(self, piece: Reasoning) -> None:
        """Count one piece of the model's reasoning."""
        self._begun = time.monotonic() if self._begun is None else self._begun
        self._characters += len(piece.piece)

    def folded(self) -> str:
        """Return the sentence that stands for the reasoning, and start anew; empty if the model has not thought."""
        if self._begun is None:
            return ""
        seconds, characters = time.monotonic() - self._begun, self._characters
        self._begun, self._characters = None, 0
        return _("Thought for {seconds} s ({n} characters)").format(seconds=round(seconds), n=f"{characters:,}")


def taken_back() -> str:
    """Return the sentence for text that was shown as an answer and turned out to be reasoning."""
    return _("So far the model was thinking; the answer follows.")


class StreamingOutput(HeldOutput):
    """Writes each piece of an answer at once: cleaned on a terminal, elsewhere exactly as the model wrote it."""

    def __init__(self, stream: TextIO, notes: TextIO, status: StatusLine, *, quiet: bool = False) -> None:
        super().__init__(notes, status, quiet=quiet)
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._thinking = Thinking()
        self._ends_line = True

    def show(self, event: Event) -> None:
        # On a terminal, progress would overwrite the unfinished line of the answer.
        if not (isinstance(event, Step | Prefill) and self._is_terminal and not self._ends_line):
            super().show(event)
        if isinstance(event, Reasoning) and event.taken_back:
            self.note(taken_back())
        elif isinstance(event, Reasoning):
            self._thinking.take(event)
        elif isinstance(event, Text | Finished) and self._is_terminal and (folded := self._thinking.folded()):
            self.note(folded)
        if isinstance(event, Text):
            piece = clean(event.piece) if self._is_terminal else event.piece
            if piece:
                write(self._stream, piece)
                self._ends_line = piece.endswith("\n")
        elif isinstance(event, Finished):
            self._end_line()

    def _tell(self, sentence: str) -> None:
        # On a terminal, a note would continue the unfinished line of the answer. A file gets the answer alone.
        if self._is_terminal and self._notes.isatty():
            self._end_line()
        super()._tell(sentence)

    def close(self) -> None:
        super().close()
        self._end_line()

    def _end_line(self) -> None:
        # In a file or on a terminal, the answer ends with a newline, even if it broke off.
        if not self._ends_line:
            self._ends_line = True
            write(self._stream, "\n")
