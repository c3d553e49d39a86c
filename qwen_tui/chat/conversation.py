"""A conversation: its turns, which of them go into the next prompt, and the steps back and forth.

A step is a turn, or an /edit or /retry of the last one. /undo goes back by one step: after /edit and /retry this brings
the earlier version of the turn back, and the next /undo takes the turn back. /redo goes forward again, until a new
answer begins. Neither deletes anything, in memory or on disk.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from qwen_tui.chat.counting import counted
from qwen_tui.chat.question import NOTHING, Carried, beginning_of, prompt_text
from qwen_tui.engine.protocol import Engine
from qwen_tui.messages import Exchange, Material, Message, Question


def room_for_answer(ctx_size: int) -> int:
    """Return how many tokens of the context are kept free for an answer: an eighth of it, and at most 1,024."""
    return min(ctx_size // 8, 1024)


class Left(NamedTuple):
    """What has just left the prompt: so many of the oldest `turns`, of whose materials some do not stay in it.

    The `moved` materials stand before the next message instead. The `outside` ones do not, because they do not fit.
    """

    turns: int = 0
    moved: tuple[Material, ...] = ()
    outside: tuple[Material, ...] = ()


@dataclass(slots=True)
class Conversation:
    """All turns of a conversation.

    The oldest `left_out` turns no longer go into prompts. Their materials do, except for those `outside`, which do not
    fit. `undone` is what /redo brings back, beginning with the last. `id` is that of the conversation in the history,
    None if it is not there (yet), and `head` the number of its last message there. `model` is the one that was asked
    last. `from_template` says that the system prompt came with a template: the next conversation does not inherit it.
    """

    system: str | None = None
    exchanges: list[Exchange] = field(default_factory=list)
    undone: list[Exchange] = field(default_factory=list)
    left_out: int = 0
    outside: list[Material] = field(default_factory=list)
    id: str | None = None
    head: int | None = None
    model: str | None = None
    from_template: bool = False

    @property
    def turns(self) -> list[Message]:
        """The messages so far, as the model gets them."""
        return _messages(self.exchanges)

    @property
    def tokens(self) -> int | None:
        """How many tokens of the context are filled, None where nobody has counted them."""
        return self.exchanges[-1].tokens if self.exchanges else None

    @property
    def summarised(self) -> int:
        """How many of the oldest turns have a summary in their place."""
        return next((n for n in range(len(self.exchanges), 0, -1) if self.exchanges[n - 1].summary), 0)

    @property
    def out(self) -> int:
        """How many of the oldest turns are not in the prompt, whether a summary is in their place or not."""
        return max(min(self.left_out, len(self.exchanges)), self.summarised)

    @property
    def carried(self) -> Carried:
        """What stands in the prompt in place of the turns that are out: their materials, and the summary.

        Notes on a material stand for it. Of what was read as passages or part by part, nothing moves: each question
        gets the passages that bear on it.
        """
        standing = [one for exchange in self.exchanges[self.out :] for one in exchange.question.materials]
        found: dict[Material, None] = {}
        for exchange in self.exchanges[: self.out]:
            given = exchange.question.given
            if given is None:
                found |= dict.fromkeys(exchange.question.materials)
            elif given.way == "map":
                found |= dict.fromkeys(given.materials)
        summarised = self.summarised
        return Carried(
            tuple(one for one in found if one not in self.outside and one not in standing),
            self.exchanges[summarised - 1].summary if summarised else "",
        )

    def prompt(self, question: Question, *, growing: bool = False) -> tuple[Message, ...]:
        """Return the messages of the prompt that ends with `question`, whose words the person still types if `growing`.

        What is carried stands before the first message: behind a change there, all has to be computed again anyway, but
        not the material, if the conversation began with that.
        """
        whole = self.carried
        carried = Carried(tuple(one for one in whole.materials if one not in question.materials), whole.summary)
        system = [Message("system", self.system)] if self.system else []
        standing = self.exchanges[self.out :]
        as_text = beginning_of if growing else prompt_text
        last = as_text(question, NOTHING if standing else carried)
        return (*system, *_messages(standing, carried), Message("user", last))

    def whole_materials(self, question: Question) -> list[Material]:
        """Return the materials that stand whole in the prompt of `question`, in its order."""
        standing = [exchange.question for exchange in self.exchanges[self.out :]]
        carried = [one for one in self.carried.materials if one not in question.materials]
        return carried + [one for asked in (*standing, question) if asked.given is None for one in asked.materials]

    def alone(self, question: Question) -> tuple[Message, ...]:
        """Return the prompt of `question` without turns and what is carried of them, but with a summary."""
        return dataclasses.replace(self, left_out=len(self.exchanges), outside=self._all_carried()).prompt(question)

    def add(self, exchange: Exchange) -> None:
        """Add a turn; if it is `instead_of` the last one, it replaces that."""
        if exchange.instead_of is not None:
            self.exchanges.pop()
        self.exchanges.append(exchange)
        self.undone.clear()

    def without_last(self) -> "Conversation":
        """Return a copy of the conversation without its last turn."""
        before = self.exchanges[:-1]
        return dataclasses.replace(
            self, exchanges=before, undone=[], left_out=min(self.left_out, len(before)), outside=[*self.outside]
        )

    def undo(self) -> Exchange:
        """Go back by one step, and return the exchange that it takes back."""
        last = self.exchanges.pop()
        self.undone.append(last)
        if last.instead_of is not None:
            self.exchanges.append(last.instead_of)
        self.left_out = min(self.left_out, len(self.exchanges))
        return last

    def redo(self) -> Exchange:
        """Go forward again by one step, and return the exchange that it brings back."""
        exchange = self.undone.pop()
        if exchange.instead_of is not None:
            self.exchanges.pop()
        self.exchanges.append(exchange)
        return exchange

    def summarise(self, turns: int, summary: str) -> None:
        """Put a summary in the place of the oldest `turns`."""
        last = self.exchanges[turns - 1]
        self.exchanges[turns - 1] = msgspec.structs.replace(last, summary=summary)

    def make_room(self, engine: Engine, question: Question) -> Left:
        """Leave out the oldest turns if the context is too full for `question`, and return what has left.

        If the room for the answer is not free, turns are left out until half of the context is free: each time,
        everything behind the gap has to be computed again, so it should happen rarely. The system prompt, a summary and
        the question always stay. Materials stay as long as they fit beside these, the newest the longest.
        """
        ctx_size = engine.info().ctx_size
        reserve = room_for_answer(ctx_size)
        if not self.exchanges or _tokens(engine, self.prompt(question)) + reserve <= ctx_size:
            return Left()
        if _tokens(engine, self.alone(question)) + reserve > ctx_size:
            # The engine will refuse this question, so leave out nothing for it.
            return Left()
        before, already = self.out, set(self.carried.materials)
        outside = self._put_outside(engine, question, ctx_size - reserve)
        emptied = dataclasses.replace(self, left_out=len(self.exchanges))
        alone = _tokens(engine, emptied.prompt(question))
        goal = max(ctx_size // 2, min(alone + ctx_size // 8, ctx_size - reserve))
        self.left_out = before
        while self.out < len(self.exchanges) and _tokens(engine, self.prompt(question)) > goal:
            self.left_out = self.out + 1
        moved = tuple(one for one in self.carried.materials if one not in already and one not in question.materials)
        read_anew = [
            one
            for exchange in self.exchanges[before : self.out]
            if exchange.question.given is not None and exchange.question.given.way != "map"
            for one in exchange.question.materials
        ]
        return Left(self.out - before, moved, tuple(dict.fromkeys((*outside, *read_anew))))

    def _put_outside(self, engine: Engine, question: Question, most: int) -> tuple[Material, ...]:
        """Put the oldest materials outside until the others fit with `question` into `most` tokens; return them."""
        emptied = dataclasses.replace(self, left_out=len(self.exchanges))
        put = []
        while _tokens(engine, emptied.prompt(question)) > most:
            oldest = next(one for one in emptied.carried.materials if one not in question.materials)
            # The list is that of the copy as well.
            self.outside.append(oldest)
            put.append(oldest)
        return tuple(put)

    def _all_carried(self) -> list[Material]:
        emptied = dataclasses.replace(self, left_out=len(self.exchanges), outside=[])
        return list(emptied.carried.materials)


def _messages(exchanges: Sequence[Exchange], carried: Carried = NOTHING) -> list[Message]:
    """Return these turns as messages, the first of them behind what is `carried`."""
    return [
        message
        for number, exchange in enumerate(exchanges)
        for message in (
            Message("user", prompt_text(exchange.question, NOTHING if number else carried)),
            Message("assistant", exchange.answer),
        )
    ]


def _tokens(engine: Engine, messages: Sequence[Message]) -> int:
    return counted(engine, messages).tokens
