"""What the history holds of a conversation, as tests look at it."""

from qwen_tui.history.records import StoredConversation


def texts(stored: StoredConversation) -> list[str]:
    """The words of each question and its answer, in order."""
    return [text for exchange in stored.exchanges for text in (exchange.question.words, exchange.answer)]
