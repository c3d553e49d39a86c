"""`qwen pull`: a model is fetched, resumed where it stopped, and proven."""

import sys
from typing import Annotated

import typer

from qwen_tui import config, files
from qwen_tui.cli import asking, options, screen, taking_over
from qwen_tui.cli.delivery import print_text
from qwen_tui.cli.failure import tell
from qwen_tui.cli.looking import usable_settings
from qwen_tui.errors import InvalidModelError
from qwen_tui.i18n import gettext as _
from qwen_tui.models import catalogue
from qwen_tui.models.fetching.events import Arrived
from qwen_tui.models.fetching.fetch import Fetch, proof
from qwen_tui.models.importing import elsewhere
from qwen_tui.models.locate import DEMO
from qwen_tui.models.shelf import Shelf

Sources = Annotated[
    list[str] | None,
    typer.Option("--source", metavar="WHERE", help=_("hub, modelscope, or an address; repeatable, tried in order.")),
]
Repair = Annotated[
    bool, typer.Option("--repair", help=_("Check the file that is here; fetch it again if it is wrong."))
]
Yes = Annotated[bool, typer.Option("-y", "--yes", help=_("Do not ask."))]


def pull(
    model: Annotated[str | None, typer.Argument(metavar="MODEL", show_default=False)] = None,
    source: Sources = None,
    repair: Repair = False,
    yes: Yes = False,
    offline: options.Offline = False,
    lang: options.Language = None,
) -> int:
    """Fetch MODEL, by default the one of the settings, and return the exit code."""
    name = options.settings_of(usable_settings(), {"model": model, "language": lang}).model
    if name == DEMO:
        print_text(_("The demonstration model is built in. Try it with: qwen chat -m demo") + "\n")
        return 0
    fetch = Fetch(name, screen.transfer_line(), source or (), offline=offline)
    if not repair and (sentence := fetch.ready()):
        print_text(sentence + "\n")
        return 0
    if repair and (arrived := fetch.check()):
        print_text(_("{path} is whole.").format(path=arrived.path) + "\n")
        return 0
    if not (repair or source) and _taken_over(fetch, ask=not yes):
        return 0
    fetch.learn()
    print_text(fetch.plan() + "\n")
    if not _accepted(fetch.warning(), ask=not yes):
        return 1
    arrived = fetch.run(replace=repair)
    print_text(_outcome(arrived, fetch.wanted.name) + "\n")
    return 0


def _outcome(arrived: Arrived, name: str) -> str:
    """Say that the file is there, how far it is proven, and what to type next."""
    usual = config.read(files.folders().config_file).config.model
    is_usual = name in {usual, *(entry.full_name for entry in catalogue.find(usual))}
    chat = files.command_line("qwen", "chat", *([] if is_usual else ["-m", name]))
    return "\n".join([proof(arrived), _("Talk to it with: {command}").format(command=chat)])


def _taken_over(fetch: Fetch, *, ask: bool) -> bool:
    """Offer the file that another program has fetched already; true if it was taken over, and is what was wanted."""
    if not catalogue.find(fetch.wanted.name):
        return False
    found = next((one for one in elsewhere.find() if one.entry and one.entry.full_name == fetch.wanted.name), None)
    if found is None:
        return False
    has = _("{program} has this model already: {path}").format(program=found.program, path=found.path)
    if ask and asking.can_ask() and sys.stdout.isatty():
        print_text(has + "\n")
        if not asking.confirm(_("Take it over instead of fetching it?"), default=True):
            return False
        link = taking_over.wants_link([found])
        shelf = Shelf(files.folders().models)
        try:
            taken = taking_over.take(found.path, shelf, link=link, called=found.called, origin=found.program)
        except InvalidModelError as error:
            # It only had the size of it: then the right one is fetched.
            tell(error)
            return False
        return taken.record.name == fetch.wanted.name
    takes = _("To take it over instead: {command}").format(command=f"qwen models import {files.quoted(found.path)}")
    print_text(f"{has}\n{takes}\n")
    return False


def _accepted(warning: str | None, *, ask: bool) -> bool:
    """Warn of a file that nobody vouches for; on a terminal, have the person decide."""
    if warning is None:
        return True
    print_text(warning + "\n")
    if not (ask and asking.can_ask() and sys.stdout.isatty()):
        return True
    return asking.confirm(_("Fetch it?"))
