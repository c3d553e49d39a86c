"""A template as a draft for the input line: its text, with slots where something is to be filled in."""

from collections.abc import Mapping, Sequence

from qwen_tui.chat.templates import INPUT, Template, Variable
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed
from qwen_tui.messages import Draft, Slot


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
