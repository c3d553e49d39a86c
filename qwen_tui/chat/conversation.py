"""A conversation: its turns, which of them go into the next prompt, and the steps back and forth.

A step is a turn, or an /edit or /retry of the last one. /undo goes back by one step: after /edit and /retry this brings
the earlier version of the turn back, and the next /undo takes the turn back. /redo goes forward again, until a new
answer begins. Neither deletes anything, in memory or on disk.
"""

import dataclasses
from dataclasses import dataclass, field

from qwen_tui.chat.question import prompt_text
from qwen_tui.engine.protocol import Engine
from qwen_tui.messages import Exchange, Message


def room_for_answer(ctx_size: int) -> int:
    """Return how many tokens of the context are kept free for an answer: an eighth of it, and at most 1,024."""
    return min(ctx_size // 8, 1024)


@dataclass(slots=True)
class Conversation:
    """All turns of a conversation.

    The oldest `left_out` messages no longer go into prompts. `undone` is what /redo brings back, beginning with the
    last. `id` is that of the conversation in the history, None if it is not there (yet), and `head` the number of its
    last message there. `model` is the one that was asked last. `from_template` says that the system prompt came with a
    template: the next conversation does not inherit it.
    """

    system: str | None = None
    exchanges: list[Exchange] = field(default_factory=list)
    undone: list[Exchange] = field(default_factory=list)
    left_out: int = 0
    id: str | None = None
    head: int | None = None
    model: str | None = None
    from_template: bool = False

    @property
    def turns(self) -> list[Message]:
        """The messages so far, as the model gets them."""
        return [
            message
            for exchange in self.exchanges
            for message in (Message("user", prompt_text(exchange.question)), Message("assistant", exchange.answer))
        ]

    @property
    def tokens(self) -> int | None:
        """How many tokens of the context are filled, None where nobody has counted them."""
        return self.exchanges[-1].tokens if self.exchanges else None

    def prompt(self, question: str) -> tuple[Message, ...]:
        """Return the messages of the prompt that ends with `question`."""
        system = [Message("system", self.system)] if self.system else []
        return (*system, *self.turns[self.left_out :], Message("user", question))

    def add(self, exchange: Exchange) -> None:
        """Add a turn; if it is `instead_of` the last one, it replaces that."""
        if exchange.instead_of is not None:
            self.exchanges.pop()
        self.exchanges.append(exchange)
        self.undone.clear()

    def without_last(self) -> "Conversation":
        """Return a copy of the conversation without its last turn."""
        before = self.exchanges[:-1]
        return dataclasses.replace(self, exchanges=before, undone=[], left_out=min(self.left_out, 2 * len(before)))

    def undo(self) -> Exchange:
        """Go back by one step, and return the exchange that it takes back."""
        last = self.exchanges.pop()
        self.undone.append(last)
        if last.instead_of is not None:
            self.exchanges.append(last.instead_of)
        self.left_out = min(self.left_out, 2 * len(self.exchanges))
        return last

    def redo(self) -> Exchange:
        """Go forward again by one step, and return the exchange that it brings back."""
        exchange = self.undone.pop()
        if exchange.instead_of is not None:
            self.exchanges.pop()
        self.exchanges.append(exchange)
        return exchange

    def make_room(self, engine: Engine, question: str) -> int:
        """Leave out the oldest turns if the context is too full, and return how many.

        If the room for the answer is not free, turns are left out until half of the context is free: each time,
        everything behind the gap has to be computed again, so it should happen rarely. The system prompt and
        the question always stay.
        """
        said = len(self.turns)
        if self.left_out >= said:
            return 0
        ctx_size = engine.info().ctx_size
        reserve = room_for_answer(ctx_size)
        if engine.count(self.prompt(question)) + reserve <= ctx_size:
            return 0
        alone = engine.count(self.prompt(question)[-1:])
        if alone + reserve > ctx_size:
            # The engine will refuse this question, so leave out nothing for it.
            return 0
        goal = max(ctx_size // 2, min(alone + ctx_size // 8, ctx_size - reserve))
        before = self.left_out
        while self.left_out < said and engine.count(self.prompt(question)) > goal:
            self.left_out += 2
        return (self.left_out - before) // 2
