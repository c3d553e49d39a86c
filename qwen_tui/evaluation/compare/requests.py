"""Makes the request for a task on a side: the same question on all sides, but for what a side changes of it."""

from collections.abc import Sequence
from pathlib import Path

from qwen_tui.chat import templates
from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.from_template import compose
from qwen_tui.engine.protocol import ReplayOptions, Request, SamplingOptions
from qwen_tui.evaluation.compare.side import OF_TASK, Side
from qwen_tui.evaluation.compare.task import Task
from qwen_tui.messages import Material, Message

# Of a greedy answer, so many tokens are followed: four tasks give some hundreds of places.
FOLLOWED_TOKENS = 128


def seeded(task: Task, side: Side, seed: int, folders: Sequence[Path]) -> Request:
    """Return the request for an answer with a seed; `folders` have the templates.

    Raises `TemplateError`, and `UsageError` for a template that wants more than the task gives.
    """
    settings = side.settings
    sampler = SamplingOptions(
        temperature=settings.temperature,
        top_p=settings.top_p,
        top_k=settings.top_k,
        min_p=settings.min_p,
        presence_penalty=settings.presence_penalty,
        seed=seed,
    )
    return Request(
        messages=messages(task, side, folders), sampler=sampler, max_tokens=_most(task, side), lookup=settings.lookup
    )


def greedy(task: Task, side: Side, folders: Sequence[Path]) -> Request:
    """Return the request for the most likely answer, as long as it is followed."""
    most = min(FOLLOWED_TOKENS, _most(task, side))
    sampler = SamplingOptions(temperature=0)
    return Request(messages=messages(task, side, folders), sampler=sampler, max_tokens=most, lookup=False)


def led(task: Task, side: Side, answer: str, folders: Sequence[Path]) -> Request:
    """Return the request that leads a side through an `answer`, token by token, in batches of the same sizes."""
    most = min(FOLLOWED_TOKENS, _most(task, side))
    sampler = ReplayOptions(text=answer, best_two=True)
    return Request(messages=messages(task, side, folders), sampler=sampler, max_tokens=most, lookup=False)


def messages(task: Task, side: Side, folders: Sequence[Path]) -> tuple[Message, ...]:
    """Return the messages of the question; raises as `seeded`."""
    conversation = Conversation(system=side.settings.system)
    materials = [Material(task.name, task.material)] if task.material else []
    name = task.template if side.template == OF_TASK else side.template
    template = templates.find(name, folders) if name else None
    values, words = {}, task.prompt
    if template is not None and task.values is not None:
        values, words = dict(task.values), ""
    question = compose(conversation, materials, words, template, values)
    return conversation.prompt(question)


def _most(task: Task, side: Side) -> int:
    return min(task.answer_tokens, side.settings.max_tokens or task.answer_tokens)
