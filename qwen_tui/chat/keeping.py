"""Turns on their way into the history, and conversations on their way back."""

import contextlib
import time
from collections.abc import Callable

from qwen_tui.chat.conversation import Conversation
from qwen_tui.errors import CancelledError, HistoryError
from qwen_tui.history.store import History, Turn
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import FinishReason

# A growing answer is written this often, in seconds. With the wait for the next word, and the write itself, a crash
# costs less than two.
_EVERY = 1.5


class Keeper:
    """Writes each turn as it happens. Where that fails it says so once, and the talk goes on in memory."""

    def __init__(self, history: History | None, model: str, note: Callable[[str], None]) -> None:
        """`history` None keeps nothing; `model` is noted with every turn, and may change."""
        self.history = history
        self.model = model
        self._note = note
        self._turn: Turn | None = None
        self._conversation = Conversation()
        self._written = 0.0

    def begin(self, conversation: Conversation, question: str, title: str = "") -> None:
        """Commit a question before anything is computed for it; see `History.begin`."""
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
                title=title,
            )
        except HistoryError as error:
            self._give_up(error)
            return
        self._conversation = conversation
        if conversation.id not in (None, self._turn.conversation):
            self._note(
                _("This conversation was gone on with elsewhere; here it is now {id}.").format(
                    id=self._turn.conversation
                )
            )
        conversation.id = self._turn.conversation
        self._written = time.monotonic()

    def update(self, text: str) -> None:
        """Commit the answer so far, unless that was done a moment ago."""
        if self._turn is not None and time.monotonic() - self._written >= _EVERY:
            # It is tried again soon, and told at the end, not amid the answer.
            with contextlib.suppress(HistoryError):
                self._turn.update(text)
            self._written = time.monotonic()

    def finish(self, text: str, reason: FinishReason) -> None:
        """Commit the answer as it stays."""
        if self._turn is not None:
            try:
                self._turn.update(text, reason)
            except CancelledError:
                self._note(_("The end of this answer is not kept: another program is writing to the conversations."))
            except HistoryError as error:
                self._give_up(error)
                return
            if text:
                self._conversation.head = self._turn.answer

    def take_back(self, conversation: Conversation) -> None:
        """Leave the last turn out of what is kept of `conversation`."""
        if self.history is None or conversation.id is None:
            return
        try:
            conversation.head = self.history.take_back(conversation.id, conversation.head)
        except HistoryError as error:
            self._give_up(error)

    def _give_up(self, error: HistoryError) -> None:
        self.history = self._turn = None
        self._note(in_memory_only(error))


def in_memory_only(error: HistoryError) -> str:
    """Say why nothing is kept from now on, and what to do about it, in two lines."""
    return "\n".join((error.message + " " + _("This conversation goes on in memory only."), error.remedy))


def resume(history: History, conversation: str) -> Conversation:
    """Return a conversation of the history, to go on with; questions without an answer are left out."""
    record = history.read(conversation)
    pairs = zip(record.messages[::2], record.messages[1::2], strict=False)
    turns = [message for question, answer in pairs if answer.content for message in (question, answer)]
    return Conversation(record.system, turns, id=record.summary.id, head=record.head)
