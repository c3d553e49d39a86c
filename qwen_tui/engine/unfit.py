"""Explains, from llama.cpp's log, why this program cannot use a model file that may well be undamaged."""

import re

from qwen_tui.errors import InvalidModelError
from qwen_tui.i18n import gettext as _

# What the worker reports of a vocabulary that lacks a special token of the prompt.
NO_MARK = "the vocabulary has no token "
_ARCHITECTURE = re.compile(r"unknown model architecture: '([^']*)'")
_TOKENIZER = re.compile(r"unknown (?:pre-)?tokenizer(?: type)?: '([^']*)'")
_PART = re.compile(r"failed to load GGUF split from (.+)")
_PICTURES = "cannot be used as main model"


def unfit(path: str, said: str) -> InvalidModelError | None:
    """Return the error for the file `path` of which llama.cpp `said` this; None where it is damaged or unknown."""
    if found := _ARCHITECTURE.search(said):
        return InvalidModelError(
            _("{path} is of the architecture “{name}”, which the llama.cpp installed here does not know.").format(
                path=path, name=found[1]
            ),
            _("The file may well be whole. Choose another model with -m; a newer version of qwen-tui may know it."),
        )
    if found := _TOKENIZER.search(said):
        return InvalidModelError(
            _("{path} has the tokenizer “{name}”, which the llama.cpp installed here does not know.").format(
                path=path, name=found[1]
            ),
            _("The file may well be whole. Choose another model with -m; a newer version of qwen-tui may know it."),
        )
    if NO_MARK in said:
        return InvalidModelError(
            _("{path} does not know ChatML, the form of prompts in which this program speaks to models.").format(
                path=path
            ),
            _("The file may well be whole. Choose another model with -m, such as one of Qwen."),
        )
    if found := _PART.search(said):
        return InvalidModelError(
            _("{path} is one part of a model, and another is not there: {part}").format(path=path, part=found[1]),
            _("Put all parts into one folder, and name the first with -m."),
        )
    if _PICTURES in said:
        return InvalidModelError(
            _("{path} is the part of a model that looks at pictures, and cannot answer.").format(path=path),
            _("Choose another file with -m."),
        )
    return None
