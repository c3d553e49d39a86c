"""`qwen pull`: a model is fetched, resumed where it stopped, and proven."""

from functools import partial
from typing import Annotated

import typer

from qwen_tui import config, files
from qwen_tui.cli import options, screen
from qwen_tui.cli.asking import Asker
from qwen_tui.cli.environment import Environment
from qwen_tui.cli.failure import tell
from qwen_tui.cli.options import usable_settings
from qwen_tui.cli.taking_over import takeover
from qwen_tui.engine import examining
from qwen_tui.errors import ModelNotFoundError, UsageError
from qwen_tui.i18n import gettext as _
from qwen_tui.models import catalogue, parts
from qwen_tui.models.fetching.pulling import Pulling, here_for_good, standard
from qwen_tui.models.locate import DEMO
from qwen_tui.models.shelf import Shelf
from qwen_tui.planning import default_model
from qwen_tui.quoting import command_line
from qwen_tui.servers import on_server

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
    settings = options.settings_of(usable_settings(environment), {"model": model, "language": lang})
    name = settings.model
    if on_server(name, settings.servers) and model is not None:
        environment.print(_("{name} is on a server: there is nothing to fetch.").format(name=name))
        return 0
    if (name == DEMO or on_server(name, settings.servers)) and model is None:
        # Who has chosen it as the default, and types what it says, wants the real model.
        name = catalogue.DEFAULT_MODEL
    if name == DEMO:
        environment.print(_("The demonstration model is built in. Try it with: qwen chat -m demo"))
        return 0
    if sentence := here_for_good(name, is_named=model is not None):
        environment.print(sentence)
        return 0
    pulling = Pulling(
        Asker(environment),
        takeover(environment),
        partial(screen.transfer_line, environment),
        say=environment.print,
        on_refused=partial(tell, environment),
        sources=tuple(source or ()),
        may_ask=environment.can_offer and not yes,
        repair=repair,
        offline=offline,
    )
    outcomes = []
    try:
        for each in pulling.names(name):
            came, here = pulling.pull(each)
            outcomes.append(came)
            if came == "fetched":
                _print_next(environment, here)
    except (UsageError, ModelNotFoundError) as error:
        if model is None and not catalogue.find(name):
            # The person named nothing, so the settings are at fault.
            error.remedy = f"{error.remedy}\n{standard()}"
        raise
    return int(not outcomes or "unwanted" in outcomes)


def _print_next(environment: Environment, name: str) -> None:
    """Print what to type next; raises `InvalidModelError` if no answer can come from what was fetched."""
    shelf = Shelf(files.folders().models)
    record = shelf.named(name)
    if record and (problem := examining.problem(parts.first(shelf.file(record)))):
        raise problem
    usual = config.read(files.folders().config_file, environment.variables).config.model
    is_usual = name in {usual, *(entry.full_name for entry in catalogue.find(usual))}
    chat = command_line("qwen", "chat", *([] if is_usual else ["-m", name]))
    if record and not is_usual:
        for sentence in default_model.after_arrival([record], environment.variables):
            environment.print(sentence)
    environment.print(_("Talk to it with: {command}").format(command=chat))
