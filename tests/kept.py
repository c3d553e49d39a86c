"""The texts of a stored conversation, for tests of several rooms."""

from pathlib import Path

from qwen_tui.history.records import StoredConversation
from qwen_tui.history.store import History


def on_disk(path: Path) -> list[str]:
    """Return the texts of the last conversation in a history, as another process reads them; none if there is none."""
    history = History(path)
    last = history.last()
    return texts(history.read(last)) if last else []


def texts(stored: StoredConversation) -> list[str]:
    """Return the words of each question and its answer, in order."""
    return [text for exchange in stored.exchanges for text in (exchange.question.words, exchange.answer)]
