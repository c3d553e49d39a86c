"""What the history holds of a conversation, as tests look at it."""

from qwen_tui.history.records import Record


def texts(record: Record) -> list[str]:
    """The words of each question and its answer, in order."""
    return [text for exchange in record.exchanges for text in (exchange.question.words, exchange.answer)]
