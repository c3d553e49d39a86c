"""What is offered where there is no model yet: fetching it, taking a file over, the demonstration model."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from qwen_tui import files, typed_paths
from qwen_tui.cli import screen
from qwen_tui.cli.asking import Asker
from qwen_tui.cli.environment import Environment
from qwen_tui.cli.failure import tell
from qwen_tui.cli.taking_over import takeover
from qwen_tui.errors import ConfigError, QwenError
from qwen_tui.files import command_line
from qwen_tui.i18n import gettext as _
from qwen_tui.models import catalogue
from qwen_tui.models.fetching.fetch import Fetch, proof
from qwen_tui.models.importing import elsewhere
from qwen_tui.models.importing.elsewhere import ForeignModel
from qwen_tui.models.importing.importing import Imported
from qwen_tui.models.locate import DEMO

# Of what other programs have, so much is offered.
_MOST_FOUND = 5


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that can be done; `take` does it and returns the model to use from then on, None for none."""

    label: str
    take: Callable[[], str | None]


def chosen(environment: Environment, model: str, reason: str, *, offline: bool) -> str:
    """Ask what to do without the `model`, which is missing for that `reason`, until something comes of it.

    Returns the name of the model to use. Raises `typer.Abort` at the end of the input.
    """
    choices = _choices(environment, model, offline=offline)
    while True:
        environment.note(reason)
        for number, choice in enumerate(choices, 1):
            environment.note(f"  {number}  {choice.label}".replace("\n", "\n   "))
        answer = Asker(environment).ask(_("Type a number from 1 to {n} (Ctrl-D leaves):").format(n=len(choices)))
        if not (answer.isdecimal() and 1 <= int(answer) <= len(choices)):
            continue
        try:
            if name := choices[int(answer) - 1].take():
                return name
        except QwenError as error:
            # What did not work may not be the only way.
            tell(environment, error)


def _choices(environment: Environment, model: str, *, offline: bool) -> list[Choice]:
    choices = []
    try:
        fetch = None if offline else Fetch(model, screen.transfer_line(environment))
    except ConfigError as error:
        # The other ways need no address.
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


def _fetched(environment: Environment, model: str) -> str | None:
    # A new one each time: the sources that failed may be back.
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
    path = files.expand(typed_paths.meant(Asker(environment).ask(_("The path of the file:")))).absolute()
    return _name_to_use(environment, takeover(environment).take(path))


def _from_elsewhere(environment: Environment, found: ForeignModel) -> str:
    return _name_to_use(environment, takeover(environment).take_foreign(found))


def _name_to_use(environment: Environment, done: Imported) -> str:
    """Return the name of the model that was taken over, and tell the person how to use it from now on."""
    name = done.record.name
    if not catalogue.find(name):
        environment.note(
            _("To use it from now on: {command}").format(command=command_line("qwen", "config", "set", "model", name))
        )
    return name
