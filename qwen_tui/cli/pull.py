"""`qwen pull`: a model is fetched, resumed where it stopped, and proven."""

from typing import Annotated

import typer

from qwen_tui import config, files
from qwen_tui.cli import options, screen
from qwen_tui.cli.asking import Asker
from qwen_tui.cli.environment import Environment
from qwen_tui.cli.failure import tell
from qwen_tui.cli.options import usable_settings
from qwen_tui.cli.taking_over import takeover
from qwen_tui.errors import InvalidModelError
from qwen_tui.i18n import gettext as _
from qwen_tui.models import catalogue
from qwen_tui.models.fetching.events import Arrived
from qwen_tui.models.fetching.fetch import Fetch, proof
from qwen_tui.models.importing import elsewhere
from qwen_tui.models.locate import DEMO

Sources = Annotated[
    list[str] | None,
    typer.Option("--source", metavar="WHERE", help=_("hub, modelscope, or an address; repeatable, tried in order.")),
]
Repair = Annotated[
    bool, typer.Option("--repair", help=_("Check the file that is here; fetch it again if it is wrong."))
]
Yes = Annotated[bool, typer.Option("-y", "--yes", help=_("Do not ask."))]


def pull(
    context: typer.Context,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            show_default=False,
            help=_("A model's name, owner/repo:FILE, or an address; without it, the model in use."),
        ),
    ] = None,
    source: Sources = None,
    repair: Repair = False,
    yes: Yes = False,
    offline: options.Offline = False,
    lang: options.Language = None,
) -> int:
    """Fetch MODEL, by default the one of the settings, and return the exit code."""
    environment = Environment.of(context)
    name = options.settings_of(usable_settings(environment), {"model": model, "language": lang}).model
    if name == DEMO:
        environment.print(_("The demonstration model is built in. Try it with: qwen chat -m demo"))
        return 0
    fetch = Fetch(name, screen.transfer_line(environment), source or (), offline=offline)
    if not repair and (sentence := fetch.ready()):
        environment.print(sentence)
        return 0
    if repair and (arrived := fetch.check()):
        environment.print(_("{path} is whole.").format(path=arrived.path))
        return 0
    if not (repair or source) and _taken_over(environment, fetch, ask=not yes):
        return 0
    fetch.learn()
    environment.print(fetch.plan())
    if not _accepted(environment, fetch.warning(), ask=not yes):
        return 1
    arrived = fetch.run(replace=repair)
    environment.print(_outcome(environment, arrived, fetch.wanted.name))
    return 0


def _outcome(environment: Environment, arrived: Arrived, name: str) -> str:
    """Say that the file is there, how far it is proven, and what to type next."""
    usual = config.read(files.folders().config_file, environment.variables).config.model
    is_usual = name in {usual, *(entry.full_name for entry in catalogue.find(usual))}
    chat = files.command_line("qwen", "chat", *([] if is_usual else ["-m", name]))
    return "\n".join([proof(arrived), _("Talk to it with: {command}").format(command=chat)])


def _taken_over(environment: Environment, fetch: Fetch, *, ask: bool) -> bool:
    """Offer the file that another program has fetched already; true if it was taken over, and is what was wanted."""
    if not catalogue.find(fetch.wanted.name):
        return False
    found = next((one for one in elsewhere.find() if one.entry and one.entry.full_name == fetch.wanted.name), None)
    if found is None:
        return False
    has = _("{program} has this model already: {path}").format(program=found.program, path=found.path)
    if ask and environment.can_offer:
        environment.print(has)
        if not Asker(environment).confirm(_("Take it over instead of fetching it?"), default=True):
            return False
        try:
            taken = takeover(environment).take_foreign(found)
        except InvalidModelError as error:
            # It only had the size of it: then the right one is fetched.
            tell(environment, error)
            return False
        return taken.record.name == fetch.wanted.name
    takes = _("To take it over instead: {command}").format(command=f"qwen models import {files.quoted(found.path)}")
    environment.print(f"{has}\n{takes}")
    return False


def _accepted(environment: Environment, warning: str | None, *, ask: bool) -> bool:
    """Warn of a file that nobody vouches for; on a terminal, have the person decide."""
    if warning is None:
        return True
    environment.print(warning)
    if not (ask and environment.can_offer):
        return True
    return Asker(environment).confirm(_("Fetch it?"))
