"""What a person gave, the template and the material, put together to one question."""

from collections.abc import Mapping, Sequence

import msgspec

from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.question import ask_about, prompt_text
from qwen_tui.chat.templates import Template
from qwen_tui.errors import UsageError
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Filled, Material, Question


def parameters(options: Sequence[str]) -> dict[str, str]:
    """Return the values of `NAME=VALUE` options; raises `UsageError`."""
    values: dict[str, str] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals:
            raise UsageError(_("-p {option} is not understood.").format(option=option), _("Write -p NAME=VALUE."))
        values[name.strip()] = value
    return values


def compose(
    conversation: Conversation,
    materials: Sequence[Material],
    words: str,
    template: Template | None,
    values: Mapping[str, str],
) -> Question:
    """Return the question, and give a new conversation the template's system prompt if it has none.

    In a conversation that has begun, or has a system prompt, the template's goes into this one question: it applies
    once. Raises `UsageError` where something is missing.
    """
    question = ask_about(materials, words)
    if template is None:
        return question
    if words.strip() and (name := template.only_missing(values)):
        # qwen ask -t shell-command "find big files" can mean only one thing.
        pieces = template.fill({**values, name: words}, name)
        question = Question(words, question.materials)
        filled = Filled(template.name, pieces=pieces, holds="words")
    else:
        filled = Filled(template.name, pieces=template.fill(values))
        if template.names_input and not prompt_text(question).strip():
            raise template.want_text()
    return with_system(conversation, template, msgspec.structs.replace(question, template=filled))


def with_system(conversation: Conversation, template: Template, question: Question) -> Question:
    """Return what a template makes of a question, and give a new conversation its system prompt; see `compose`."""
    if not template.system or template.system == conversation.system:
        return question
    if conversation.turns or conversation.system:
        filled = msgspec.structs.replace(question.template, name=template.name, system=template.system)
        return msgspec.structs.replace(question, template=filled)
    conversation.system = template.system
    conversation.from_template = True
    return question
