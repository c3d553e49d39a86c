"""Decides which model answers if the person names none: their own default, the standard one, or one that is here."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from qwen_tui import config
from qwen_tui.config import Config, Settings
from qwen_tui.engine import examining
from qwen_tui.errors import InvalidModelError, ModelNotFoundError, NotFetchedError
from qwen_tui.files import expand, folders
from qwen_tui.i18n import gettext as _
from qwen_tui.models import inventory
from qwen_tui.models.inventory import Held
from qwen_tui.models.locate import lasting, locate
from qwen_tui.models.shelf import ModelRecord, Shelf
from qwen_tui.quoting import command_line
from qwen_tui.servers import Server, on_server


def settled(settings: Settings, *, noting: bool = True) -> Config:
    """Return the settings in force; if they do not name a model, one that is here is put in, if there is any.

    `noting` is that of `examining.problem`.
    """
    if "model" in settings.sources:
        return settings.config
    shelf = Shelf(folders().models)
    found = stand_in(settings.config.model, shelf, noting=noting)
    if found is None:
        return settings.config
    return msgspec.structs.replace(settings.config, model=inventory.lasting_name(found, shelf))


def stand_in(standard: str, shelf: Shelf, *, noting: bool = True) -> Held | None:
    """Return the model that answers instead of the `standard` one: the newest that can.

    Returns None if the standard one is here, or if there is no other.
    """
    there = [one for one in reversed(inventory.held(shelf)) if one.state != "missing"]
    if not there:
        return None
    try:
        locate(standard, shelf.folder)
    except NotFetchedError:
        return next((one for one in there if not examining.problem(one.file, noting=noting)), None)
    except (ModelNotFoundError, InvalidModelError):
        return None
    return None


def usable(name: str, servers: Mapping[str, Server]) -> str:
    """Return the name to store for the model `name`, which must be on a server, or here and able to answer.

    Raises `ModelNotFoundError`, `InvalidModelError`.
    """
    if found := on_server(name, servers):
        return str(found)
    file = locate(name, folders().models)
    if problem := examining.problem(file):
        raise problem
    return lasting(name, file)


def after_arrival(records: Sequence[ModelRecord], variables: Mapping[str, str]) -> list[str]:
    """Return sentences for the person about models that have just been fetched or imported.

    They say why a model cannot answer here, whether one of them is the default from now on, and if not, how to make it
    the default.
    """
    shelf = Shelf(folders().models)
    said: list[str] = []
    answers: list[Held] = []
    for one in (held for held in inventory.held(shelf) if held.record in records):
        if problem := examining.problem(one.file):
            cannot = _("It cannot answer here: {problem}").format(problem=problem.message)
            said.append(f"{cannot}\n{problem.remedy}")
        else:
            answers.append(one)
    settings = config.read(folders().config_file, variables)
    default = _file_of(settled(settings).model)
    if default == _file_of(settings.config.model) and default in [one.file for one in answers]:
        # The model was already the default before it was here.
        return said
    if chosen := next((one for one in answers if one.file == default), None):
        name = inventory.lasting_name(chosen, shelf)
        said.append(_("{name} answers from now on where no other model is named.").format(name=name))
    elif len(answers) == 1:
        command = command_line("qwen", "models", "use", inventory.lasting_name(answers[0], shelf))
        said.append(_("To use it from now on: {command}").format(command=command))
    return said


def is_chosen(model: Held, variables: Mapping[str, str]) -> bool:
    """Whether the person has chosen `model` in the configuration file to answer where none is named."""
    settings = config.read(folders().config_file, variables)
    if settings.sources.get("model") != "file":
        return False
    # The file itself may be missing, as one that was imported as a link and then deleted.
    name = settings.config.model
    named = inventory.find(name, Shelf(folders().models))
    return expand(name) in [one.file for one in model.pieces] or (named is not None and named.file == model.file)


def unchoose(variables: Mapping[str, str]) -> str:
    """Forget which model the person has chosen, and return a sentence about which one answers now."""
    config.set_value(folders().config_file, "model", None)
    name = settled(config.read(folders().config_file, variables)).model
    if _file_of(name) is None:
        return _("It was the default. Choose another with: qwen models use NAME")
    return _("It was the default; from now on {name} answers where no other model is named.").format(name=name)


def _file_of(name: str) -> Path | None:
    try:
        return locate(name, folders().models)
    except (ModelNotFoundError, InvalidModelError):
        return None
