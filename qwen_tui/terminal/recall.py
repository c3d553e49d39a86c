"""What was asked before, for the arrow keys and Ctrl-R: earlier sittings, and this one."""

from collections.abc import AsyncGenerator, Callable, Iterable

from prompt_toolkit.history import History


class Recall(History):
    """Earlier questions, asked for once and only when a line is shown; what this sitting adds stays in memory.

    `offered` is how many the line at hand was given: its own text comes behind them.
    """

    def __init__(self, questions: Callable[[], Iterable[str]]) -> None:
        """`questions` returns those of earlier sittings, newest first."""
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
