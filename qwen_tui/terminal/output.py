"""Where an answer goes: straight to a terminal or a pipe, or kept for the end."""

import contextlib
import errno
import select
import sys
import time
from typing import TextIO

from qwen_tui import cancellation
from qwen_tui.errors import OutputClosedError, OutputError, why
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Event, Finished, Note, Reasoning, Text
from qwen_tui.terminal.progress import StatusLine
from qwen_tui.terminal.sanitise import clean

# In characters, of four bytes at the most; POSIX promises 512 bytes, and every system of today 4,096.
_PIECE = 1024
# How often a full pipe is looked at, in seconds.
_LOOK_EVERY = 0.05


def write(stream: TextIO, text: str) -> None:
    """Write `text` and flush; raises `OutputClosedError` when nobody reads any more, else `OutputError`.

    Into a pipe that its reader leaves full, a cancelled operation writes nothing more; one that is cancelled while it
    waits for the reader raises `CancelledError`. On a terminal Ctrl-C itself ends such a wait. Windows does
    not tell that a pipe is full.
    """
    operation = cancellation.current()
    try:
        if stream.isatty():
            stream.write(text)
            stream.flush()
            return
        # A pipe that is not full takes as many bytes as such a piece has at the most.
        for start in range(0, len(text), _PIECE):
            while _is_full(stream):
                if operation.requested:
                    return
                operation.sleep(_LOOK_EVERY)
            stream.write(text[start : start + _PIECE])
            stream.flush()
    except BrokenPipeError:
        raise OutputClosedError from None
    except OSError as error:
        # Windows says EINVAL of a closed pipe.
        if error.errno == errno.EINVAL and not stream.isatty():
            raise OutputClosedError from None
        raise OutputError(
            _("The answer could not be written: {reason}.").format(reason=why(error)),
            _("Free some space or choose another place, and ask again."),
        ) from error


def _is_full(stream: TextIO) -> bool:
    if sys.platform == "win32":
        return False
    try:
        return not select.select([], [stream.fileno()], [], 0)[1]
    except (OSError, ValueError):
        return False


class HeldOutput:
    """Shows only progress and notes: the answer is wanted whole, as JSON or for its code."""

    def __init__(self, notes: TextIO | None, status: StatusLine) -> None:
        """`notes` None drops the notes."""
        self._notes = notes
        self._status = status

    def show(self, event: Event) -> None:
        self._status.show(event)
        if isinstance(event, Note):
            self.note(event.sentence)

    def note(self, sentence: str) -> None:
        self._status.clear()
        if self._notes is not None:
            # The answer matters more than what is said about it.
            with contextlib.suppress(OutputError):
                write(self._notes, clean(sentence) + "\n")

    def resumed(self) -> None:
        """Know that the program was stopped and goes on, and that others may have written meanwhile."""

    def close(self) -> None:
        """Leave everything tidy, whatever happened."""
        self._status.clear()


class Thinking:
    """How long a model thinks before it answers, and how much."""

    def __init__(self) -> None:
        self._begun: float | None = None
        self._characters = 0

    def take(self, piece: Reasoning) -> None:
        """Take what it thinks."""
        self._begun = time.monotonic() if self._begun is None else self._begun
        self._characters += len(piece.piece)

    def folded(self) -> str:
        """Return what is shown in place of all that it thought, once; nothing where it did not think."""
        if self._begun is None:
            return ""
        seconds, characters = time.monotonic() - self._begun, self._characters
        self._begun, self._characters = None, 0
        return _("Thought for {seconds} s ({n} characters)").format(seconds=round(seconds), n=f"{characters:,}")


def taken_back() -> str:
    """Return what is said where a text turned out to have been no answer."""
    return _("So far the model was thinking; the answer follows.")


class StreamingOutput(HeldOutput):
    """Writes the pieces of an answer as they come: clean on a terminal, elsewhere exactly as the model wrote them."""

    def __init__(self, stream: TextIO, notes: TextIO | None, status: StatusLine) -> None:
        super().__init__(notes, status)
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._thinking = Thinking()
        self._ends_line = True

    def show(self, event: Event) -> None:
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

    def note(self, sentence: str) -> None:
        # In a file the answer is one piece; on a terminal the two would run together.
        if self._is_terminal and self._notes is not None and self._notes.isatty():
            self._end_line()
        super().note(sentence)

    def close(self) -> None:
        super().close()
        self._end_line()

    def _end_line(self) -> None:
        # An answer is a text: in a file or a terminal it ends its line, even where it broke off.
        if not self._ends_line:
            self._ends_line = True
            write(self._stream, "\n")
