"""What a person gave, the template and the material, put together to one message."""

from collections.abc import Mapping, Sequence

from qwen_tui.chat.conversation import Conversation, ask_about
from qwen_tui.chat.templates import Template
from qwen_tui.errors import UsageError
from qwen_tui.i18n import gettext as _


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
    material: Sequence[str],
    prompt: str,
    template: Template | None,
    values: Mapping[str, str],
) -> str:
    """Return the user's message, and give a new conversation the template's system prompt if it has none.

    In a conversation that has begun, or has a system prompt, the template's goes into this one message: it applies
    once. Raises `UsageError` where something is missing.
    """
    if template is None:
        return ask_about(material, prompt)
    if prompt.strip() and (name := template.only_missing(values)):
        # qwen ask -t shell-command "find big files" can mean only one thing.
        values, prompt = {**values, name: prompt}, ""
    return with_system(conversation, template, template.fill(values, ask_about(material, prompt)))


def with_system(conversation: Conversation, template: Template, message: str) -> str:
    """Return the message that a filled template makes, and give a new conversation its system prompt; see `compose`."""
    if not template.system or template.system == conversation.system:
        return message
    if conversation.turns or conversation.system:
        return f"{template.system}\n\n{message}"
    conversation.system = template.system
    conversation.from_template = True
    return message
