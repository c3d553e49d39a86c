"""What a way to ask about material works with, and what it returns: the seam between `fitting` and the ways."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from qwen_tui.chat.answer import AnswerOptions
from qwen_tui.chat.conversation import Conversation, room_for_answer
from qwen_tui.chat.counting import Counted, counted
from qwen_tui.chat.fitting.kept_parts import KeptParts
from qwen_tui.config import Fit
from qwen_tui.engine.protocol import Engine
from qwen_tui.messages import Event, Message, Question

# An answer of so many tokens is what "in all" counts with, where nobody has set another limit: a page or so.
ANSWER = 300


class Person(Protocol):
    """The person at the terminal, who can be asked."""

    def confirm(self, question: str, *, default: bool = False) -> bool:
        """Ask a question of yes or no; Enter alone is the default."""

    def choose_one(self, rows: Sequence[str], names: Sequence[str], question: str) -> int | None:
        """Show numbered rows, and return the index of the one that is wanted, by number or name; None for none."""


class Front(NamedTuple):
    """Where a question is asked: who can be asked about it, who is told, and how a choice is written there.

    `person` is None where nobody can be asked. `say_fit` shows how to name a way, with `{way}` in its place, and
    `say_shorter` what else helps there. `advised` is the way that suits the task, if a template says so.
    """

    report: Callable[[str], None] = lambda _sentence: None
    person: Person | None = None
    say_fit: str = "--fit {way}"
    say_shorter: str = ""
    advised: Fit | None = None


class Work(NamedTuple):
    """What a way to ask works with; `conversation` is the one before the question, and changes only by the turn.

    `kept` holds finished parts of the work; None if nothing is kept of the conversation.
    """

    engine: Engine
    options: AnswerOptions
    conversation: Conversation
    question: Question
    kept: KeptParts | None = None
    front: Front = Front()

    def messages(self, question: Question) -> tuple[Message, ...]:
        """Return the prompt of `question` with the system prompt and a summary alone, without earlier turns."""
        return self.conversation.alone(question)

    def size(self, question: Question) -> Counted:
        """Return the tokens of that prompt, about, if they are many times as many as the context holds."""
        return counted(self.engine, self.messages(question))

    def tokens(self, question: Question) -> int:
        """Return the tokens of that prompt."""
        return self.size(question).tokens

    @property
    def room(self) -> int:
        """How many tokens of the context are kept for the answer."""
        room, most = room_for_answer(self.engine.info().ctx_size), self.options.max_tokens
        return room if most is None else min(room, most)

    @property
    def answer_tokens(self) -> int:
        """How many tokens of answer a time "in all" counts with, the same for every way, so that they compare."""
        most = self.options.max_tokens
        return ANSWER if most is None else min(ANSWER, most)

    def fits(self, question: Question) -> bool:
        """Whether `question` fits into the context with the system prompt and an answer, if older turns leave it."""
        return self.tokens(question) + self.room <= self.engine.info().ctx_size


class Fitted(NamedTuple):
    """A question as it is to be asked. With an `answer`, that is its answer, and ends with `Finished`."""

    question: Question
    answer: Iterator[Event] | None = None


class Cost(NamedTuple):
    """What a way will do with the material of a question, and what it will take: the person chooses by that.

    - `does` says it in a clause with its numbers, as "reads 9 of 60 passages, 3,900 of 12,480 tokens".
    - `first_s` are the seconds to the first word of the answer, `all_s` those to its end; None where that is not known.
    - `obstacle` says in a sentence why the way cannot be taken here; empty if it can.
    """

    does: str
    first_s: float | None = None
    all_s: float | None = None
    obstacle: str = ""


def seconds_in_all(engine: Engine, parts: Iterable[tuple[int, int]]) -> float | None:
    """Return how long prompts and answers of so many tokens take, one after the other; None if nobody knows yet.

    Each begins a context of its own, so that they take less time than one prompt that is as long as all of them.
    """
    found = [engine.estimate(read, written=written) for read, written in parts]
    known = [seconds for seconds in found if seconds is not None]
    return sum(known) if len(known) == len(found) else None


class Way(NamedTuple):
    """A way to ask about material that does not fit.

    `run` yields its progress, and returns what is to be asked. `cost` is asked before, and takes no longer than a
    person waits for a choice: it may count tokens, and asks the model nothing.
    """

    run: Callable[[Work], Generator[Event, None, Fitted]]
    cost: Callable[[Work], Cost]
