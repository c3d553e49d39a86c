"""How `ask` and `chat` begin: a new conversation, or one that goes on with its own model."""

from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass

import msgspec

from qwen_tui import files
from qwen_tui.chat import going_on
from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.keeping import Keeper, resume
from qwen_tui.cli import first_run, wiring
from qwen_tui.cli.environment import Environment
from qwen_tui.config import Config
from qwen_tui.errors import HistoryError
from qwen_tui.history.store import History
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import as_text
from qwen_tui.models.locate import lasting


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line says about the conversation: to go on with the last one, or with one by its id; to keep
    nothing; the model and the system prompt, None where they are not named there.
    """

    continued: bool
    cid: str | None
    no_log: bool
    model: str | None
    system: str | None

    @property
    def goes_on(self) -> bool:
        """Whether a conversation of the history is wanted."""
        return self.continued or self.cid is not None


def settled(
    environment: Environment, settings: Config, wanted: Wanted, *, offline: bool = False, quiet: bool = False
) -> Config:
    """Return `settings` with a model that is on this computer; see `first_run.settled`.

    A conversation that goes on with its own model is not asked about here.
    """
    if wanted.goes_on and wanted.model is None:
        return settings
    return first_run.settled(environment, settings, offline=offline, quiet=quiet)


def begun(settings: Config, wanted: Wanted, note: Callable[[str], None]) -> tuple[Config, Conversation, Keeper]:
    """Return the settings with the model that answers, the conversation, and who keeps it.

    Raises `HistoryError`, and `ModelNotFoundError` where the conversation's own model is not on this computer.
    """
    history = wiring.history(settings, note, no_log=wanted.no_log, needed=wanted.goes_on)
    conversation = Conversation(settings.system)
    if wanted.goes_on:
        # With -n nothing is kept, but the conversation is there to be read.
        with nullcontext(history) if history else closing(History(files.folders().history)) as opened:
            conversation = _to_go_on_with(opened, wanted)
        if wanted.system is not None:
            conversation.system = settings.system or None
        if wanted.model is None:
            own = going_on.own_model(conversation, wiring.model_file)
            settings = msgspec.structs.replace(settings, model=own or settings.model)
        elif said := going_on.change_of_model(conversation, as_text(settings.model), wiring.model_file):
            note(said)
    model = lasting(settings.model, wiring.model_file(settings.model))
    return settings, conversation, Keeper(history, as_text(model), note)


def _to_go_on_with(history: History, wanted: Wanted) -> Conversation:
    last = wanted.cid if wanted.cid is not None else history.last()
    if last is None:
        raise HistoryError(_("There is no conversation to go on with."), _("Begin one with: qwen chat"))
    return resume(history, last)
