"""Decides which model goes on with a conversation: its own, unless the person names another with -m."""

from collections.abc import Callable
from pathlib import Path

from qwen_tui.chat.conversation import Conversation
from qwen_tui.errors import ModelNotFoundError, NotFetchedError
from qwen_tui.files import quoted
from qwen_tui.i18n import gettext as _


def own_model(conversation: Conversation, file_of: Callable[[str], Path]) -> str | None:
    """Return the model that was asked last in a conversation, None if it is unknown.

    `file_of` returns the file of a model. Raises `ModelNotFoundError` if that is not on this computer.
    """
    model = conversation.model
    if not model:
        return None
    try:
        file_of(model)
    except ModelNotFoundError as error:
        another = _("Go on with another model: qwen chat --cid {id} -m MODEL").format(id=conversation.id)
        if isinstance(error, NotFetchedError):
            fetch = _("Fetch it with: {command}").format(command=f"qwen pull {quoted(model)}")
            another = f"{fetch}\n{another}"
        raise ModelNotFoundError(
            _("Conversation {id} is with the model {name}, which is not on this computer.").format(
                id=conversation.id, name=model
            ),
            another,
        ) from error
    return model


def change_of_model(conversation: Conversation, model: str, file_of: Callable[[str], Path]) -> str:
    """Say that `model` goes on with a conversation that was with another one; return "" if it is the same."""
    before = conversation.model
    if not before or is_same(before, model, file_of):
        return ""
    return _("This conversation was with {before}; from here on {model} answers.").format(before=before, model=model)


def is_same(one: str, other: str, file_of: Callable[[str], Path]) -> bool:
    """Whether two names mean the same model file."""
    if one == other:
        return True
    try:
        return file_of(one) == file_of(other)
    except ModelNotFoundError:
        return False
