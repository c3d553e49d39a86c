"""Computes the state of a document before anybody asks about it, so that it lies in the prefix store."""

import hashlib

from qwen_tui.chat.answer import AnswerOptions
from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.fitting.way import Work
from qwen_tui.chat.question import ask_about
from qwen_tui.config import Config
from qwen_tui.engine.protocol import Engine
from qwen_tui.messages import Finished, Material, Message, Output

# How the owner of such a state is named. No conversation has such an id: their alphabet has no vowels.
_PREFIX = "read"
# A question of a few sentences has about so many tokens, with the request to cite the places of the document.
_QUESTION = 100


def owner(engine: Engine, material: Material, settings: Config) -> str:
    """Return the name under which the engine's state of a document is kept.

    The same document has the same name with the same model, and another one with another model.
    """
    text = f"{engine.info().identity}\0{settings.system or ''}\0{material.text}"
    return _PREFIX + hashlib.sha256(text.encode()).hexdigest()[:12]


def is_owner(name: str) -> bool:
    """Whether a state belongs to a document, and not to a conversation."""
    return name.startswith(_PREFIX)


def messages_of(material: Material, settings: Config) -> tuple[Message, ...]:
    """Return the messages with which a question about the document begins in a new conversation."""
    return Conversation(settings.system).prompt(ask_about([material], ""))


def room(engine: Engine, material: Material, settings: Config) -> int:
    """Return how many tokens of the context a document must leave to a question about it and the answer."""
    work = Work(engine, AnswerOptions.of(settings), Conversation(settings.system), ask_about([material], ""))
    return work.room + _QUESTION


def compute(engine: Engine, material: Material, settings: Config, output: Output) -> Finished:
    """Compute the state of a document, and show the progress; raises what the engine raises."""
    # An answer needs at least one token. It is not shown, and no question will begin with it.
    options = AnswerOptions(AnswerOptions.of(settings).sampling, max_tokens=1)
    finished: Finished | None = None
    for event in engine.stream(options.request(messages_of(material, settings), owner(engine, material, settings))):
        if isinstance(event, Finished):
            finished = event
        output.show(event)
    assert finished is not None, "every stream ends with Finished"
    return finished
