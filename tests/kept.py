"""The texts of a stored conversation, for tests of several rooms."""

from qwen_tui.history.records import StoredConversation


def texts(stored: StoredConversation) -> list[str]:
    """Return the words of each question and its answer, in order."""
    return [text for exchange in stored.exchanges for text in (exchange.question.words, exchange.answer)]
