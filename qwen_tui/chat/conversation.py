"""A conversation: what was said, what of it the next prompt holds, and the steps back and forth.

A step is a turn, or an /edit or /retry of the last one. /undo goes back by one step: after /edit and /retry the turn is
there again as it was before, and the next /undo takes it back. /redo brings back what /undo took, until a new answer
has begun. Nothing of it is deleted, in memory or on disk.
"""

import dataclasses
from dataclasses import dataclass, field

from qwen_tui.chat.question import prompt_text
from qwen_tui.engine.protocol import Engine
from qwen_tui.messages import Exchange, Message


@dataclass(slots=True)
class Conversation:
    """The turns of a conversation, all of them, and how many of the oldest messages no longer go into prompts.

    `undone` is what /redo brings back, the next at the end. `id` is the one in the history, None for a conversation
    that is not kept (yet); `head` its last message there; `model` the one that was asked last. `from_template` tells
    that the system prompt came with a template, and that the next one does not inherit it.
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
        """What was said, as the model is given it."""
        return [
            message
            for exchange in self.exchanges
            for message in (Message("user", prompt_text(exchange.question)), Message("assistant", exchange.answer))
        ]

    def prompt(self, question: str) -> tuple[Message, ...]:
        """Return the messages to answer `question` with."""
        system = [Message("system", self.system)] if self.system else []
        return (*system, *self.turns[self.left_out :], Message("user", question))

    def add(self, exchange: Exchange) -> None:
        """Take in a turn that has happened, in the place of the last one where it is `instead_of` that."""
        if exchange.instead_of is not None:
            self.exchanges.pop()
        self.exchanges.append(exchange)
        self.undone.clear()

    def without_last(self) -> "Conversation":
        """Return the conversation as it was before its last turn, which stays in this one."""
        before = self.exchanges[:-1]
        return dataclasses.replace(self, exchanges=before, undone=[], left_out=min(self.left_out, 2 * len(before)))

    def undo(self) -> Exchange:
        """Go back by one step and return what it takes back."""
        last = self.exchanges.pop()
        self.undone.append(last)
        if last.instead_of is not None:
            self.exchanges.append(last.instead_of)
        self.left_out = min(self.left_out, 2 * len(self.exchanges))
        return last

    def redo(self) -> Exchange:
        """Go forward again by one step and return what it brings back."""
        exchange = self.undone.pop()
        if exchange.instead_of is not None:
            self.exchanges.pop()
        self.exchanges.append(exchange)
        return exchange

    def make_room(self, engine: Engine, question: str) -> int:
        """Leave out as many of the oldest turns as the context demands, and return how many those are.

        An answer wants an eighth of the context, at most 1,024 tokens. Where that is not free, turns are left out
        until half of the context is: each time, everything behind the gap is computed again, so it should be rare.
        The system prompt and the question always stay.
        """
        said = len(self.turns)
        if self.left_out >= said:
            return 0
        ctx_size = engine.info().ctx_size
        reserve = min(ctx_size // 8, 1024)
        if engine.count(self.prompt(question)) + reserve <= ctx_size:
            return 0
        alone = engine.count(self.prompt(question)[-1:])
        if alone + reserve > ctx_size:
            # It will be refused, and the conversation must not have suffered for it.
            return 0
        goal = max(ctx_size // 2, min(alone + ctx_size // 8, ctx_size - reserve))
        before = self.left_out
        while self.left_out < said and engine.count(self.prompt(question)) > goal:
            self.left_out += 2
        return (self.left_out - before) // 2
