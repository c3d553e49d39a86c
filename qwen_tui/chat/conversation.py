"""A conversation: what was said, and what of it the next prompt holds."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from qwen_tui.engine.protocol import Engine
from qwen_tui.messages import Message


@dataclass(slots=True)
class Conversation:
    """The turns of a conversation, all of them, and how many of the oldest messages no longer go into prompts.

    `id` is the one in the history, None for a conversation that is not kept (yet); `head` its last message there.
    `from_template` tells that the system prompt came with a template, and that the next one does not inherit it.
    """

    system: str | None = None
    turns: list[Message] = field(default_factory=list)
    left_out: int = 0
    id: str | None = None
    head: int | None = None
    from_template: bool = False

    def prompt(self, question: str) -> tuple[Message, ...]:
        """Return the messages to answer `question` with."""
        system = [Message("system", self.system)] if self.system else []
        return (*system, *self.turns[self.left_out :], Message("user", question))

    def add(self, question: str, answer: str) -> None:
        """Take in a turn that has happened."""
        self.turns += [Message("user", question), Message("assistant", answer)]

    def take_back(self) -> str:
        """Take out the last turn and return its question."""
        question = self.turns[-2].content
        del self.turns[-2:]
        self.left_out = min(self.left_out, len(self.turns))
        return question

    def make_room(self, engine: Engine, question: str) -> int:
        """Leave out as many of the oldest turns as the context demands, and return how many those are.

        An answer wants an eighth of the context, at most 1,024 tokens. Where that is not free, turns are left out
        until half of the context is: each time, everything behind the gap is computed again, so it should be rare.
        The system prompt and the question always stay.
        """
        if self.left_out >= len(self.turns):
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
        while self.left_out < len(self.turns) and engine.count(self.prompt(question)) > goal:
            self.left_out += 2
        return (self.left_out - before) // 2


def ask_about(material: Sequence[str], instruction: str) -> str:
    """Return one user message: the material first, so that a second question reuses what was computed for it."""
    return "\n\n".join(part.strip("\n") for part in (*material, instruction) if part.strip())
