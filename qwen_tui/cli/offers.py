"""What is offered where there is no model yet: fetching it, taking a file over, the demonstration model."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from qwen_tui import files
from qwen_tui.cli import asking, screen, taking_over
from qwen_tui.cli.failure import tell
from qwen_tui.errors import ConfigError, QwenError
from qwen_tui.files import command_line
from qwen_tui.i18n import gettext as _
from qwen_tui.models import catalogue
from qwen_tui.models.fetching.fetch import Fetch, proof
from qwen_tui.models.importing import elsewhere
from qwen_tui.models.importing.elsewhere import ForeignModel
from qwen_tui.models.locate import DEMO
from qwen_tui.models.shelf import Shelf
from qwen_tui.terminal.sanitise import clean

# Of what other programs have, so much is offered.
_MOST_FOUND = 5


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that can be done; `take` does it and returns the model to use from then on, None for none."""

    label: str
    take: Callable[[], str | None]


def chosen(model: str, reason: str, *, offline: bool) -> str:
    """Ask what to do without the `model`, which is missing for that `reason`, until something comes of it.

    Returns the name of the model to use. Raises `typer.Abort` at the end of the input.
    """
    choices = _choices(model, offline=offline)
    while True:
        _say(reason)
        for number, choice in enumerate(choices, 1):
            _say(f"  {number}  {choice.label}".replace("\n", "\n   "))
        answer = asking.ask(_("Which? (1 to {n}, Ctrl-D leaves)").format(n=len(choices)))
        if not (answer.isdecimal() and 1 <= int(answer) <= len(choices)):
            continue
        try:
            if name := choices[int(answer) - 1].take():
                return name
        except QwenError as error:
            # What did not work may not be the only way.
            tell(error)


def _choices(model: str, *, offline: bool) -> list[Choice]:
    choices = []
    try:
        fetch = None if offline else Fetch(model, screen.transfer_line())
    except ConfigError as error:
        # The other ways need no address.
        tell(error)
        fetch = None
    if fetch and not fetch.offline:
        choices.append(Choice(_("fetch it: {plan}").format(plan=fetch.plan()), lambda: _fetched(model)))
    for found in elsewhere.find()[:_MOST_FOUND]:
        label = _("use {name}, which {program} has fetched: {path}")
        choices.append(Choice(label.format(name=found.called, program=found.program, path=found.path), _Taking(found)))
    choices.append(Choice(_("use a .gguf file that is on this computer"), _from_path))
    choices.append(Choice(_("try the demonstration model, which is built in"), lambda: DEMO))
    return choices


@dataclass(frozen=True, slots=True)
class _Taking:
    """Takes over what another program has fetched."""

    found: ForeignModel

    def __call__(self) -> str:
        link = taking_over.wants_link([self.found])
        return _take(self.found.path, link=link, called=self.found.called, origin=self.found.program)


def _fetched(model: str) -> str | None:
    # A new one each time: the sources that failed may be back.
    fetch = Fetch(model, screen.transfer_line())
    known = fetch.plan()
    fetch.learn()
    if (plan := fetch.plan()) != known:
        _say(plan)
    if warning := fetch.warning():
        _say(warning)
        if not asking.confirm(_("Fetch it?")):
            return None
    _say(proof(fetch.run()))
    return model


def _from_path() -> str:
    # A file that is dragged into a terminal comes in quotes.
    path = files.expand(asking.ask(_("The path of the file:")).strip("'\"")).absolute()
    return _take(path, link=False)


def _take(path: Path, *, link: bool, called: str = "", origin: str = "") -> str:
    name = taking_over.take(path, Shelf(files.folders().models), link=link, called=called, origin=origin).record.name
    if not catalogue.find(name):
        _say(_("To use it from now on: {command}").format(command=command_line("qwen", "config", "set", "model", name)))
    return name


def _say(text: str) -> None:
    sys.stderr.write(clean(text) + "\n")
    sys.stderr.flush()
