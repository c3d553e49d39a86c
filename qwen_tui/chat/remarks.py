"""What is said below an answer about its material: how much of it was read, and what it does not bear out."""

from collections.abc import Iterator, Sequence

from qwen_tui.chat.checking.coverage import Coverage, covered
from qwen_tui.chat.checking.doubts import Doubts
from qwen_tui.messages import Exchange, Loss


def remarks(coverage: Coverage | None, doubts: Doubts | None) -> list[str]:
    """Return the sentences about the material of an answer."""
    read = [coverage.said if coverage.is_all else Loss(coverage.said)] if coverage else []
    return [*read, *(doubts.sentences() if doubts else [])]


def looked_at(exchanges: Sequence[Exchange]) -> Iterator[tuple[Exchange, Coverage | None, Doubts | None]]:
    """Yield the exchanges of a conversation from its beginning, each with what is to be said of its material.

    All is found anew in their parts, so that conversations of older versions have it, too.
    """
    # Imported only here, because the import takes time.
    from qwen_tui.chat.checking.checking import Checking

    checking, questions = Checking(), []
    for exchange in exchanges:
        questions.append(exchange.question)
        if exchange.answer:
            yield exchange, covered(exchange.question), checking.doubts(questions, exchange.answer)
        else:
            yield exchange, None, None
