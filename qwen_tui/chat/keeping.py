"""Turns on their way into the history, and conversations on their way back."""

import contextlib
import time
from collections.abc import Callable

from qwen_tui.chat.conversation import Conversation
from qwen_tui.errors import CancelledError, HistoryError
from qwen_tui.history.store import History, TurnWriter
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import in_a_row
from qwen_tui.messages import FinishReason, Limit, Question

# A growing answer is written this often, in seconds. With the wait for the next word, and the write itself, a crash
# costs less than two.
_EVERY = 1.5


class Keeper:
    """Writes each turn as it happens. Where that fails it says so once, and the talk goes on in memory."""

    def __init__(self, history: History | None, model: str, note: Callable[[str], None]) -> None:
        """`history` None keeps nothing; `model` is noted with every turn, and may change."""
        self.history = history
        # Closed at the end even where keeping was given up.
        self._opened = history
        self.model = model
        self._note = note
        self._turn: TurnWriter | None = None
        self._conversation = Conversation()
        self._written = 0.0

    def close(self) -> None:
        """Close the history, so that its file alone holds everything: SQLite then has no side files."""
        if self._opened is not None:
            self._opened.close()

    def begin(self, conversation: Conversation, question: Question, *, instead: bool = False) -> None:
        """Commit a question before anything is computed for it; see `History.begin`.

        With `instead` its answer takes the place of the last one, once it has begun.
        """
        self._turn = None
        if self.history is None:
            return
        try:
            self._turn = self.history.begin(
                conversation.id,
                question,
                model=self.model,
                system=conversation.system,
                after=conversation.head,
                instead_of=conversation.exchanges[-1].kept if instead else None,
            )
        except HistoryError as error:
            self._give_up(error)
            return
        self._conversation = conversation
        self._follow(self._turn)
        self._written = time.monotonic()

    def update(self, text: str) -> None:
        """Commit the answer so far, unless that was done a moment ago."""
        if self._turn is not None and time.monotonic() - self._written >= _EVERY:
            # It is tried again soon, and told at the end, not amid the answer.
            with contextlib.suppress(HistoryError):
                self._turn.update(text)
            self._written = time.monotonic()

    def finish(self, text: str, reason: FinishReason, limit: Limit | None = None) -> int | None:
        """Commit the answer as it stays; return its number in the history, None if it is not kept."""
        if self._turn is None:
            return None
        try:
            self._turn.update(text, reason, limit)
        except CancelledError:
            self._note(_("The end of this answer is not kept: another program is writing to the conversations."))
        except HistoryError as error:
            self._give_up(error)
            return None
        self._follow(self._turn)
        # An answer in the place of another has that only once something of it is on the disk.
        if text and (self._turn.has_begun or not self._turn.instead):
            self._conversation.head, self._conversation.model = self._turn.answer, self.model
        return self._turn.answer

    def stand(self, conversation: Conversation) -> None:
        """Commit where `conversation` stands, after a step back or forth."""
        if self.history is None or conversation.id is None:
            return
        to = conversation.exchanges[-1].kept if conversation.exchanges else None
        undone = conversation.undone[0].kept if conversation.undone else None
        try:
            self.history.move(conversation.id, conversation.head, to, undone)
        except HistoryError as error:
            self._give_up(error)
            return
        conversation.head = to

    def _follow(self, turn: TurnWriter) -> None:
        """Go on in the conversation that `turn` is of: it is another one where two programs went on with one."""
        if self._conversation.id not in (None, turn.conversation):
            self._note(
                _("This conversation was gone on with elsewhere; here it is now {id}.").format(id=turn.conversation)
            )
        self._conversation.id = turn.conversation

    def _give_up(self, error: HistoryError) -> None:
        self.history = self._turn = None
        self._note(in_memory_only(error))


def in_memory_only(error: HistoryError) -> str:
    """Say why nothing is kept from now on, and what to do about it, in two lines."""
    return "\n".join((in_a_row(error.message, _("This conversation goes on in memory only.")), error.remedy))


def resume(history: History, conversation: str) -> Conversation:
    """Return a conversation of the history, to go on with; questions without an answer are left out."""
    stored = history.read(conversation)
    return Conversation(
        stored.system,
        [exchange for exchange in stored.exchanges if exchange.answer],
        list(stored.undone),
        id=stored.summary.id,
        head=stored.head,
        model=stored.summary.model,
    )
