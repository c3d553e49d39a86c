"""The menu of the first run: fetch the model, take a file over, or try the demonstration model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from qwen_tui import files, typed_paths
from qwen_tui.cli import screen
from qwen_tui.cli.asking import Asker
from qwen_tui.cli.config import use_model
from qwen_tui.cli.environment import Environment
from qwen_tui.cli.failure import tell
from qwen_tui.cli.taking_over import takeover
from qwen_tui.engine import examining
from qwen_tui.errors import ConfigError, ModelNotFoundError, QwenError
from qwen_tui.i18n import gettext as _
from qwen_tui.models import inventory
from qwen_tui.models.fetching.fetch import Fetch, proof
from qwen_tui.models.importing import elsewhere
from qwen_tui.models.importing.elsewhere import ForeignModel
from qwen_tui.models.importing.importing import Imported
from qwen_tui.models.locate import DEMO
from qwen_tui.models.shelf import Shelf

# The menu lists at most so many models that are here, and so many of other programs.
_MOST_FOUND = 5


@dataclass(frozen=True, slots=True)
class Choice:
    """A line of the menu; `take` does what it says and returns the model to use, None if nothing came of it."""

    label: str
    take: Callable[[], str | None]


def chosen(environment: Environment, model: str, reason: str, *, offline: bool, is_named: bool) -> str:
    """Ask what to do without the `model`, which is missing for that `reason`, until something comes of it.

    Returns the name of the model to use. Unless the command `is_named` the missing one, the other answers from then on,
    too. Raises `typer.Abort` at the end of the input.
    """
    choices = _choices(environment, model, offline=offline)
    environment.note(reason)
    while True:
        for number, choice in enumerate(choices, 1):
            environment.note(f"  {number}  {choice.label}".replace("\n", "\n   "))
        try:
            name = _asked(environment, choices).take()
        except QwenError as error:
            # Another line of the menu may still work.
            tell(environment, error)
            continue
        if name is None:
            continue
        if name not in (model, DEMO) and not is_named:
            environment.note(use_model(environment, name))
        return name


def _asked(environment: Environment, choices: Sequence[Choice]) -> Choice:
    while True:
        answer = Asker(environment).ask(_("Type a number from 1 to {n} (Ctrl-D leaves):").format(n=len(choices)))
        if answer.isdecimal() and 1 <= int(answer) <= len(choices):
            return choices[int(answer) - 1]
        environment.note(_("“{answer}” is none of these numbers.").format(answer=answer))


def _choices(environment: Environment, model: str, *, offline: bool) -> list[Choice]:
    choices = [Choice(_("use {name}, which is here").format(name=name), partial(str, name)) for name in _usable()]
    try:
        fetch = None if offline else Fetch(model, screen.transfer_line(environment))
    except ConfigError as error:
        # The other lines need no address.
        tell(environment, error)
        fetch = None
    if fetch and not fetch.offline:
        choices.append(Choice(_("fetch it: {plan}").format(plan=fetch.plan()), partial(_fetched, environment, model)))
    for found in elsewhere.find()[:_MOST_FOUND]:
        label = _("use {name}, which {program} has fetched: {path}")
        label = label.format(name=found.called, program=found.program, path=found.path)
        choices.append(Choice(label, partial(_from_elsewhere, environment, found)))
    choices.append(Choice(_("use a .gguf file that is on this computer"), partial(_from_path, environment)))
    choices.append(Choice(_("try the demonstration model, which is built in"), lambda: DEMO))
    return choices


def _usable() -> list[str]:
    """Return names of models that are here and can answer, the last ones that came first."""
    folders = files.folders()
    shelf = Shelf(folders.models)
    there = [one for one in reversed(inventory.held(shelf)) if one.state != "missing"][:_MOST_FOUND]
    return [inventory.lasting_name(one, shelf) for one in there if not examining.problem(one.file)]


def _fetched(environment: Environment, model: str) -> str | None:
    # A new Fetch each time, because sources that failed before may answer again.
    fetch = Fetch(model, screen.transfer_line(environment))
    known = fetch.plan()
    fetch.learn()
    if (plan := fetch.plan()) != known:
        environment.note(plan)
    if warning := fetch.warning():
        environment.note(warning)
        if not Asker(environment).confirm(_("Fetch it?")):
            return None
    environment.note(proof(fetch.run()))
    return model


def _from_path(environment: Environment) -> str:
    typed = Asker(environment).ask_for_model(_("The path of the file:"))
    path = files.expand(typed_paths.meant(typed)).absolute()
    if path.is_dir():
        raise ModelNotFoundError(_("{path} is a folder.").format(path=path), _("Name the .gguf file in it."))
    if not path.exists():
        remedy = _("Check the path; relative ones start in this folder.")
        raise ModelNotFoundError(_("There is no file {path}.").format(path=path), remedy)
    return _name_to_use(takeover(environment).take(path))


def _from_elsewhere(environment: Environment, found: ForeignModel) -> str:
    return _name_to_use(takeover(environment).take_foreign(found))


def _name_to_use(done: Imported) -> str:
    """Return the name of the model that was taken over; raises `InvalidModelError` if it cannot answer."""
    folders = files.folders()
    shelf = Shelf(folders.models)
    held = next(one for one in inventory.held(shelf) if one.record == done.record)
    if problem := examining.problem(held.file):
        raise problem
    return inventory.lasting_name(held, shelf)
