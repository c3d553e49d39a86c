"""The model that answers where none is named: chosen by the person, or the first one that came."""

from collections.abc import Sequence
from pathlib import Path

from qwen_tui import config, files
from qwen_tui.cli.config import store
from qwen_tui.cli.environment import Environment
from qwen_tui.engine import examining
from qwen_tui.errors import InvalidModelError, ModelNotFoundError
from qwen_tui.files import command_line
from qwen_tui.i18n import gettext as _
from qwen_tui.models import inventory
from qwen_tui.models.inventory import Held
from qwen_tui.models.locate import lasting, locate
from qwen_tui.models.shelf import ModelRecord, Shelf
from qwen_tui.planning import stand_in


def use(environment: Environment, name: str) -> str:
    """Let the model `name`, which must be here and able to answer, answer from now on where none is named.

    Returns the sentence that says so. Raises `ModelNotFoundError`, `InvalidModelError`, `WriteError`.
    """
    folders = files.folders()
    file = locate(name, folders.models)
    if problem := examining.problem(file):
        raise problem
    chosen = lasting(name, file)
    store(environment, "model", chosen)
    return _("{name} answers from now on where no other model is named.").format(name=chosen)


def after_arrival(environment: Environment, records: Sequence[ModelRecord]) -> None:
    """Say whether one of the models that have just come answers from now on, and if none does, how to choose it.

    Of a model that cannot answer, this says why.
    """
    folders = files.folders()
    shelf = Shelf(folders.models)
    usable: list[Held] = []
    for one in inventory.held(shelf):
        if one.record not in records:
            continue
        if problem := examining.problem(one.file):
            cannot = _("It cannot answer here: {problem}").format(problem=problem.message)
            environment.note(f"{cannot}\n{problem.remedy}")
        else:
            usable.append(one)
    settings = config.read(folders.config_file, environment.variables)
    answering = _file_of(stand_in.settled(settings).model)
    if not usable or (answering == _file_of(settings.config.model) and answering in [one.file for one in usable]):
        return
    if chosen := next((one for one in usable if one.file == answering), None):
        name = inventory.lasting_name(chosen, shelf)
        environment.note(_("{name} answers from now on where no other model is named.").format(name=name))
    elif len(usable) == 1:
        command = command_line("qwen", "models", "use", inventory.lasting_name(usable[0], shelf))
        environment.note(_("To use it from now on: {command}").format(command=command))


def _file_of(name: str) -> Path | None:
    try:
        return locate(name, files.folders().models)
    except (ModelNotFoundError, InvalidModelError):
        return None
