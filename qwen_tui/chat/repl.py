"""The conversation as a loop: a line is read, answered, and so on until the person leaves."""

from collections.abc import Callable
from typing import Protocol

from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.keeping import Keeper
from qwen_tui.chat.turn import Answer, AnswerOptions, Turn
from qwen_tui.engine.protocol import Engine
from qwen_tui.errors import OutputError, QwenError
from qwen_tui.messages import Output


class LineReader(Protocol):
    """Where the person types."""

    def read(self, draft: str = "") -> str:
        """Return what was typed, starting from `draft`; raises `EOFError` when the person leaves."""

    def answering(self) -> "AnsweringMode":
        """Return a context in which an answer may be written to the terminal."""


class AnsweringMode(Protocol):
    """While an answer is written: what is typed meanwhile is kept for the next line."""

    typed: str

    def __enter__(self) -> "AnsweringMode": ...

    def __exit__(self, *exception: object) -> None: ...


class Repl:
    """Asks, answers, and survives whatever the engine does."""

    def __init__(
        self,
        engine: Engine,
        conversation: Conversation,
        reader: LineReader,
        output: Output,
        options: AnswerOptions,
        keeper: Keeper,
        show_error: Callable[[QwenError], None],
    ) -> None:
        self._engine = engine
        self._conversation = conversation
        self._reader = reader
        self._output = output
        self._options = options
        self._keeper = keeper
        self._show_error = show_error
        self.last: Answer | None = None

    def run(self, leaving: Callable[[], bool] = lambda: False) -> None:
        """Go on until the person leaves, or `leaving` says so after an answer."""
        draft = ""
        while not leaving():
            try:
                question = self._reader.read(draft)
            except EOFError:
                return
            draft = self.answer(question) if question.strip() else ""

    def answer(self, question: str) -> str:
        """Answer `question`; return what the next line should start with."""
        turn = Turn(self._engine, self._output, self._options, self._keeper)
        with self._reader.answering() as mode:
            try:
                self.last = turn.run(self._conversation, question)
            except OutputError:
                # A terminal that cannot be written to cannot be told about it either.
                raise
            except QwenError as error:
                self._show_error(error)
        # A question that got no word of an answer is not part of the conversation: it is given back, not lost.
        return mode.typed if turn.text else "\n".join(filter(None, (question, mode.typed)))
