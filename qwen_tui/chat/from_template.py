"""What a person gave, the template and the material, put together to one question."""

from collections.abc import Mapping, Sequence

import msgspec

from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.question import ask_about, prompt_text
from qwen_tui.chat.templates import INPUT, Template, Variable
from qwen_tui.errors import UsageError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed
from qwen_tui.messages import Draft, Filled, Material, Question, Slot


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


def draft(template: Template, values: Mapping[str, str], text: str = "", *, text_precedes: bool = False) -> Draft:
    """Return what to fill in, edit and send.

    `values` are filled in already, and so is the text at hand, before the body if that does not name it. With
    `text_precedes` the text is put before the message when it is sent; see `begins_with_input`. Raises `UsageError`
    for values that the template does not know.
    """
    template.check(values)
    if text.strip() and (only := template.only_missing(values)):
        values, text = {**values, only: text}, ""
    parts, text = template.parts(), text.strip("\n")
    if text.strip() and template.names_input:
        values = {**values, INPUT: text}
    elif text.strip():
        parts = [(text + "\n\n", ""), *parts]
    elif text_precedes and begins_with_input(template):
        (following, name), *rest = parts[1:]
        parts = [(following.lstrip("\n"), name), *rest]
    return _put_together(parts, template, values)


def begins_with_input(template: Template) -> bool:
    """Whether the text at hand stands before all else in the body, and nowhere else."""
    (before, first), *rest = template.parts()
    names = [name for _text, name in rest]
    return first == INPUT and INPUT not in names and not before.strip() and any(text.strip() for text, _name in rest)


def _put_together(parts: Sequence[tuple[str, str]], template: Template, values: Mapping[str, str]) -> Draft:
    variables = {variable.name: variable for variable in template.variables}
    variables[INPUT] = Variable(INPUT, _("the text it is about"))
    text = ""
    slots: list[Slot] = []
    for piece, name in parts:
        text += piece
        if name in values:
            text += values[name]
        elif name:
            slots.append(_slot(variables[name], len(text)))
            text += slots[-1].shown
    return Draft(text, tuple(slots))


def _slot(variable: Variable, start: int) -> Slot:
    hint, choices = variable.description, listed(variable.choices)
    if hint and choices:
        hint = _("{what} ({choices})").format(what=hint, choices=choices)
    return Slot(start, variable.name, variable.default, hint or choices)
