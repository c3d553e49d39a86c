"""Begins a conversation or goes on with one, and decides with which model: its own, unless -m names another."""

from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from qwen_tui import files
from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.keeping import Keeper, open_history, resume
from qwen_tui.config import Config
from qwen_tui.errors import HistoryError, ModelNotFoundError, NotFetchedError
from qwen_tui.history.store import History
from qwen_tui.i18n import gettext as _
from qwen_tui.models.locate import Meaning, lasting
from qwen_tui.quoting import quoted
from qwen_tui.typed_text import as_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which conversation the person wants: a new one, the last one (`continued`), or the one with the id `cid`.

    `no_log` keeps nothing of it. `model` and `system` are what the person names beside it, None if they name nothing.
    """

    continued: bool
    cid: str | None
    no_log: bool
    model: str | None
    system: str | None

    @property
    def goes_on(self) -> bool:
        """Whether the conversation is in the history."""
        return self.continued or self.cid is not None

    @property
    def keeps_model(self) -> bool:
        """Whether the model of the conversation answers, and not the one of the settings."""
        return self.goes_on and self.model is None


class Begun(NamedTuple):
    """What the next question needs: settings with the model, the conversation and its keeper; `wanted` led to it."""

    settings: Config
    conversation: Conversation
    keeper: Keeper
    wanted: Wanted


def begin(settings: Config, wanted: Wanted, meaning: Meaning, report: Callable[[str], None]) -> Begun:
    """Begin the `wanted` conversation, or go on with it; `report` gets a sentence if the model changes.

    `meaning` returns what the name of a model stands for. Raises `HistoryError`, and `ModelNotFoundError` if the
    conversation's own model is not on this computer.
    """
    history = open_history(settings, report, no_log=wanted.no_log, needed=wanted.goes_on)
    conversation = Conversation(settings.system)
    if wanted.goes_on:
        # With -n, nothing is kept, but the conversation can still be read.
        with nullcontext(history) if history else closing(History(files.folders().history)) as opened:
            conversation = _in_history(opened, wanted)
        if wanted.system is not None:
            conversation.system = settings.system or None
        if wanted.keeps_model:
            settings = msgspec.structs.replace(settings, model=own_model(conversation, meaning) or settings.model)
        elif said := change_of_model(conversation, as_text(settings.model), meaning):
            report(said)
    model = lasting(settings.model, meaning(settings.model))
    parts = files.folders().parts if settings.cache else None
    return Begun(settings, conversation, Keeper(history, as_text(model), report, parts), wanted)


def _in_history(history: History, wanted: Wanted) -> Conversation:
    cid = wanted.cid if wanted.cid is not None else history.last()
    if cid is None:
        raise HistoryError(_("There is no conversation to go on with."), _("Begin one with: qwen chat"))
    return resume(history, cid)


def own_model(conversation: Conversation, meaning: Meaning) -> str | None:
    """Return the model that was asked last in a conversation, None if it is unknown.

    `meaning` returns what the name of a model stands for. Raises `ModelNotFoundError` if there is no such model.
    """
    model = conversation.model
    if not model:
        return None
    try:
        meaning(model)
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


def change_of_model(conversation: Conversation, model: str, meaning: Meaning) -> str:
    """Say that `model` goes on with a conversation that was with another one; return "" if it is the same."""
    before = conversation.model
    if not before or is_same(before, model, meaning):
        return ""
    return _("This conversation was with {before}; from here on {model} answers.").format(before=before, model=model)


def is_same(one: str, other: str, meaning: Meaning) -> bool:
    """Whether two names mean the same model."""
    if one == other:
        return True
    try:
        return meaning(one) == meaning(other)
    except ModelNotFoundError:
        return False
