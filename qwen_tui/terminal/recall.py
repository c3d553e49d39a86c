"""Earlier questions, from this and earlier sittings, for the arrow keys and Ctrl-R."""

from collections.abc import AsyncGenerator, Callable, Iterable

from prompt_toolkit.history import History


class Recall(History):
    """prompt_toolkit's history. It loads the earlier questions once, when the first line is shown.

    The questions of this sitting stay in memory alone. `offered` is how many questions the present line has been given;
    the line's own text comes behind them.
    """

    def __init__(self, questions: Callable[[], Iterable[str]]) -> None:
        """`questions` returns the questions of earlier sittings, newest first."""
        super().__init__()
        self._questions = questions
        self.offered = 0

    async def load(self) -> AsyncGenerator[str, None]:
        self.offered = 0
        async for text in super().load():
            self.offered += 1
            yield text

    def load_history_strings(self) -> Iterable[str]:
        return self._questions()

    def store_string(self, string: str) -> None:  # noqa: ARG002 - the conversation is kept, not the line
        return None
