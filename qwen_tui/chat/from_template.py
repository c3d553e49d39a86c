"""Applies a template: makes a question of it, or a draft in which the person fills in the rest."""

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
    """Return the question that `words`, `materials` and the template make.

    A new conversation without a system prompt gets that of the template. In any other conversation, the template's
    system prompt becomes a part of this one question. Raises `UsageError` if a value or the text is missing.
    """
    question = ask_about(materials, words)
    if template is None:
        return question
    if words.strip() and (name := template.only_missing(values)):
        # In qwen ask -t shell-command "find big files", the words can only be the value of the one missing variable.
        pieces = template.fill({**values, name: words}, name)
        question = Question(words, question.materials)
        filled = Filled(template.name, pieces=pieces, holds="words")
    else:
        filled = Filled(template.name, pieces=template.fill(values))
        if template.names_input and not prompt_text(question).strip():
            raise template.want_text()
    return with_system(conversation, template, msgspec.structs.replace(question, template=filled))


def with_system(conversation: Conversation, template: Template, question: Question) -> Question:
    """Put the template's system prompt into the conversation or into the question, as `compose` says."""
    if not template.system or template.system == conversation.system:
        return question
    if conversation.exchanges or conversation.system:
        filled = msgspec.structs.replace(question.template, name=template.name, system=template.system)
        return msgspec.structs.replace(question, template=filled)
    conversation.system = template.system
    conversation.from_template = True
    return question


def draft(template: Template, values: Mapping[str, str], text: str = "", *, text_precedes: bool = False) -> Draft:
    """Return the draft: the body with slots for the values that are missing.

    `values` are filled in, and so is `text`: at its place in the body, or before the body if that has no place for it.
    With `text_precedes`, the text is attached, and is put before the message when that is sent; see
    `begins_with_input`. Raises `UsageError` for values that the template does not know.
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
    """Whether the body names the text once, and before all other text."""
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
    what, choices = " ".join(variable.description.split()), listed(variable.choices)
    shown = (
        _("[{what}]").format(what=what or choices or variable.name) if variable.default is None else variable.default
    )
    hint = _("{what} ({choices})").format(what=what, choices=choices) if what and choices else what or choices
    return Slot(start, variable.name, shown, variable.default, hint)
