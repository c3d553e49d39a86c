"""Writes turns into the history, and reads conversations back."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from qwen_tui import files
from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.fitting.kept_parts import KeptParts
from qwen_tui.config import Config
from qwen_tui.errors import CancelledError, HistoryError
from qwen_tui.history.store import History, TurnWriter
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import in_a_row
from qwen_tui.messages import FinishReason, Given, Limit, Loss, Question

# The time between two writes of a growing answer, in seconds. With the wait for the next token and the write itself, a
# crash loses less than two seconds.
_EVERY = 1.5


class Keeper:
    """Writes each turn while it happens. If that fails, it reports this once, and writes nothing more."""

    def __init__(
        self, history: History | None, model: str, report: Callable[[str], None], parts: Path | None = None
    ) -> None:
        """Without a `history` nothing is written. `model` is stored with every turn, and may change.

        `report` gets the sentences that the person should read. Finished parts of long work are kept in the folder
        `parts`, without one nowhere.
        """
        self.history = history
        # The history to close at the end, even after writing was given up.
        self._opened = history
        self.model = model
        self._report = report
        self._parts = parts
        self._turn: TurnWriter | None = None
        self._conversation = Conversation()
        self._written = 0.0

    def close(self) -> None:
        """Close the history: SQLite then removes its side files, and the database file alone holds everything."""
        if self._opened is not None:
            self._opened.close()

    def begin(self, conversation: Conversation, question: Question, *, instead: bool = False) -> None:
        """Commit a question before anything is computed for it; see `History.begin`.

        With `instead`, its answer replaces the last one as soon as it begins.
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

    def kept_parts(self, conversation: Conversation) -> KeptParts | None:
        """Return the finished parts of long work in a conversation; None if nothing is kept of it."""
        if self._parts is None or self.history is None or conversation.id is None:
            return None
        return KeptParts(self._parts, conversation.id)

    def give(self, given: Given) -> None:
        """Commit what the model gets in place of the question's materials."""
        if self._turn is None:
            return
        try:
            self._turn.give(given)
        except HistoryError as error:
            self._give_up(error)

    def summarise(self, conversation: Conversation, turns: int, summary: str) -> None:
        """Commit a summary that stands in the place of the oldest `turns` of a conversation."""
        answer = conversation.exchanges[turns - 1].kept
        if self.history is None or answer is None:
            return
        try:
            self.history.write_summary(answer, summary)
        except HistoryError as error:
            self._give_up(error)

    def update(self, text: str) -> None:
        """Commit the answer so far, unless the last write was a moment ago."""
        if self._turn is not None and time.monotonic() - self._written >= _EVERY:
            # The next write tries again. `finish` reports a failure, so that no report interrupts the answer.
            with contextlib.suppress(HistoryError):
                self._turn.update(text)
            self._written = time.monotonic()

    def finish(self, text: str, reason: FinishReason, limit: Limit | None = None) -> int | None:
        """Commit the complete answer; return its number in the history, None if it is not stored."""
        if self._turn is None:
            return None
        try:
            self._turn.update(text, reason, limit)
        except CancelledError:
            sentence = _("The end of this answer is not kept: another program is writing to the conversations.")
            self._report(Loss(sentence))
        except HistoryError as error:
            self._give_up(error)
            return None
        self._follow(self._turn)
        # An answer that replaces another becomes the head only when some of it is stored.
        if text and (self._turn.has_begun or not self._turn.instead):
            self._conversation.head, self._conversation.model = self._turn.answer, self.model
        return self._turn.answer

    def move(self, conversation: Conversation) -> None:
        """Commit the new head of `conversation` after a step back or forth."""
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
        """Take over the conversation of `turn`: a new one, if another program has gone on with the old one."""
        if self._conversation.id not in (None, turn.conversation):
            self._report(
                _("Another program has continued this conversation; here it goes on as {id}.").format(
                    id=turn.conversation
                )
            )
        self._conversation.id = turn.conversation

    def _give_up(self, error: HistoryError) -> None:
        self.history = self._turn = None
        self._report(in_memory_only(error))


def open_history(
    settings: Config, report: Callable[[str], None], *, no_log: bool = False, needed: bool = False
) -> History | None:
    """Return the history, or None if nothing is to be kept.

    `report` gets the reason if it cannot be opened; if a conversation in it is `needed`, this raises `HistoryError`.
    """
    if no_log or not settings.history:
        return None
    try:
        return History(files.folders().history)
    except HistoryError as error:
        if needed:
            raise
        report(in_memory_only(error))
        return None


def in_memory_only(error: HistoryError) -> Loss:
    """Say in two lines why nothing is stored from now on, and what to do about it."""
    return Loss("\n".join((in_a_row(error.message, _("This conversation goes on in memory only.")), error.remedy)))


def resume(history: History, conversation: str) -> Conversation:
    """Return a conversation of the history to go on with, without the questions that have no answer."""
    stored = history.read(conversation)
    return Conversation(
        stored.system,
        [exchange for exchange in stored.exchanges if exchange.answer],
        list(stored.undone),
        id=stored.summary.id,
        head=stored.head,
        model=stored.summary.model,
    )
