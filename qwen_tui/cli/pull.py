"""`qwen pull`: a model is fetched, resumed where it stopped, and proven."""

from dataclasses import dataclass, replace
from typing import Annotated

import typer

from qwen_tui import columns, config, files
from qwen_tui.cli import options, screen
from qwen_tui.cli.asking import Asker
from qwen_tui.cli.environment import Environment
from qwen_tui.cli.failure import tell
from qwen_tui.cli.options import usable_settings
from qwen_tui.cli.taking_over import takeover
from qwen_tui.engine import examining
from qwen_tui.errors import InvalidModelError, ModelNotFoundError, UsageError
from qwen_tui.i18n import gettext as _
from qwen_tui.models import address, catalogue, inventory, parts
from qwen_tui.models.fetching import repository
from qwen_tui.models.fetching.fetch import Fetch, proof
from qwen_tui.models.importing import elsewhere
from qwen_tui.models.inventory import in_repository
from qwen_tui.models.locate import DEMO, locate
from qwen_tui.models.shelf import Shelf
from qwen_tui.models.verifying import is_fetchable
from qwen_tui.planning import default_model

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
    if sentence := _here_for_good(name, is_named=model is not None):
        environment.print(sentence)
        return 0
    names = [name]
    if wanted := repository.repository(name, environment.variables):
        names = _chosen(environment, wanted, offline=offline)
    wish = _Wish(environment, tuple(source or ()), repair=repair, ask=not yes, offline=offline)
    try:
        return max([_pull_all(wish, each) for each in names], default=1)
    except (UsageError, ModelNotFoundError) as error:
        if model is None and not catalogue.find(name):
            # The person named nothing, so the settings are at fault.
            error.remedy = f"{error.remedy}\n{_standard()}"
        raise


def _standard() -> str:
    return _("To fetch the standard model: {command}").format(command=f"qwen pull {catalogue.DEFAULT_MODEL}")


@dataclass(frozen=True, slots=True)
class _Wish:
    """How to fetch: the `sources` that were named, whether to `repair` and to `ask`, and whether it is `offline`."""

    environment: Environment
    sources: tuple[str, ...]
    repair: bool
    ask: bool
    offline: bool


def _here_for_good(name: str, *, is_named: bool) -> str | None:
    """Return a sentence for a model that is here and cannot be fetched; None for any other.

    The settings may name one that was imported: then nothing is to be fetched unless the person names something.
    """
    shelf = Shelf(files.folders().models)
    if catalogue.find(name) or address.is_address(name) or in_repository(name):
        return None
    try:
        file = locate(name, shelf.folder)
    except (ModelNotFoundError, InvalidModelError):
        return None
    held = next((one for one in inventory.held(shelf) if one.file == file), None)
    if held and is_fetchable(held.name, pinned=bool(held.record and held.record.pinned)):
        return None
    if is_named and held is None:
        return None
    here = _("{name} is here already: {path}").format(name=held.name if held else name, path=file)
    return here if is_named else f"{here}\n{_standard()}"


def _chosen(environment: Environment, wanted: tuple[str, str, str], *, offline: bool) -> list[str]:
    """Return the names of the models of a repository that are to be fetched; raises `UsageError` if nobody chooses."""
    offered = repository.models(wanted, offline=offline, environ=environment.variables)
    if len(offered) == 1:
        return [offered[0].name]
    several = _("There are several models in {path}.").format(path=wanted[0])
    if not environment.can_ask:
        commands = [f"  {files.command_line('qwen', 'pull', one.name)}" for one in offered]
        raise UsageError(several, "\n".join([_("Fetch one of them:"), *commands]))
    environment.note(several)
    rows = columns.lines(
        [(one.name.partition(":")[2], files.size_text(one.size) if one.size else "") for one in offered]
    )
    which = Asker(environment).choose(rows, _("Type numbers, all, or Enter for none:"))
    return [offered[index].name for index in which]


def _pull_all(wish: _Wish, name: str) -> int:
    """Fetch a model, of a split one all parts, and say what to type next; return the exit code."""
    fetched: Fetch | None = None
    for number, each in enumerate(parts.names(name)):
        fetch = Fetch(each, screen.transfer_line(wish.environment), wish.sources, offline=wish.offline)
        code = _pull(wish if number == 0 else replace(wish, ask=False), fetch)
        if code:
            return code
        if code is None:
            fetched = fetched or fetch
    return _told(wish.environment, fetched) if fetched else 0


def _pull(wish: _Wish, fetch: Fetch) -> int | None:
    """Fetch one file; return the exit code where there is nothing to fetch, or the person does not want it."""
    environment = wish.environment
    if not wish.repair and (sentence := fetch.ready()):
        environment.print(sentence)
        return 0
    if wish.repair and (arrived := fetch.check()):
        environment.print(_("{path} is whole.").format(path=arrived.path))
        return 0
    if not (wish.repair or wish.sources) and _taken_over(environment, fetch, ask=wish.ask):
        return 0
    fetch.learn()
    environment.print(fetch.plan())
    if not _accepted(environment, fetch.warning(), ask=wish.ask):
        return 1
    arrived = fetch.run(replace=wish.repair)
    environment.print(proof(arrived))
    return None


def _told(environment: Environment, fetch: Fetch) -> int:
    """Say what to type next, or that no answer can come from what was fetched; return the exit code."""
    name = fetch.wanted.name
    shelf = Shelf(files.folders().models)
    record = shelf.named(name)
    if record and (problem := examining.problem(parts.first(shelf.file(record)))):
        raise problem
    usual = config.read(files.folders().config_file, environment.variables).config.model
    is_usual = name in {usual, *(entry.full_name for entry in catalogue.find(usual))}
    chat = files.command_line("qwen", "chat", *([] if is_usual else ["-m", name]))
    environment.print(_("Talk to it with: {command}").format(command=chat))
    if record and not is_usual:
        for sentence in default_model.after_arrival([record], environment.variables):
            environment.note(sentence)
    return 0


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
