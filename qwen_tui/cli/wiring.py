"""Joins the rooms: asks planning for engines, and knows where models and templates are."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from qwen_tui import config, files, i18n
from qwen_tui.cli import screen
from qwen_tui.cli.environment import Environment
from qwen_tui.config import Config
from qwen_tui.engine.protocol import Engine
from qwen_tui.errors import QwenError, UsageError
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Event
from qwen_tui.models import inventory
from qwen_tui.models.locate import DEMO, Meaning, meant
from qwen_tui.models.shelf import Shelf
from qwen_tui.planning import default_model, opening
from qwen_tui.planning import planner as planning
from qwen_tui.planning.access import Access
from qwen_tui.planning.planner import Planner
from qwen_tui.planning.tuned import Purpose
from qwen_tui.quoting import command_line
from qwen_tui.servers import on_server


@dataclass(frozen=True, slots=True)
class TerminalWatcher:
    """Shows on stderr how far planning is, if that is a terminal and not `quiet`: the `Watcher` of `planning`."""

    environment: Environment
    settings: Config
    quiet: bool = False

    @property
    def log(self) -> Callable[[str], None] | None:
        """The callback for each line of llama.cpp's log, None if nobody wants the log."""
        return log(self.environment)

    @contextlib.contextmanager
    def hashing(self, name: str) -> Iterator[Callable[[int, int], None]]:
        """Yield what shows how far the hashing of a large file is."""
        what = _("Checking {name}").format(name=name)
        with screen.transfer(self.environment, what, lines=False, quiet=self.quiet) as show:
            yield show

    @contextlib.contextmanager
    def asking(self) -> Iterator[Callable[[Event], None]]:
        """Yield what shows that the worker is still looking at this PC."""
        quiet = self.quiet or not self.environment.stderr.isatty()
        with closing(screen.output(self.environment, self.settings, held=True, quiet=quiet)) as shown:
            yield shown.show


def planner(
    environment: Environment, settings: Config, trouble: str = "", *, quiet: bool = False, learning: bool = True
) -> Planner:
    """Return the planner of the model in `settings`; see `planner_of`. It shows its progress on a terminal.

    It raises `ModelNotFoundError`, `InvalidModelError`, and `UsageError` for a model on a server.
    """
    if on_server(settings.model, settings.servers):
        raise UsageError(
            _("{name} is on a server, and that takes a model on this computer.").format(name=settings.model),
            _("Name one with -m; see: qwen models list"),
        )
    return planning.planner_of(settings, TerminalWatcher(environment, settings, quiet), trouble, learning=learning)


def engine(
    environment: Environment,
    settings: Config,
    purpose: Purpose = "chat",
    *,
    quiet: bool = False,
    offline: bool = False,
) -> Engine:
    """Return the engine that `settings` ask for, not yet started.

    With `quiet` nothing is shown meanwhile; with `offline` no server is asked. Raises `ModelNotFoundError`,
    `InvalidModelError`, `ServerError`.
    """
    watcher = TerminalWatcher(environment, settings, quiet)
    return opening.engine_of(settings, watcher, Access(environment.variables, offline), purpose)


def counter(environment: Environment, settings: Config, *, offline: bool = False) -> Engine:
    """Return an engine that counts tokens and estimates waits for these `settings`, and answers nothing."""
    if on_server(settings.model, settings.servers):
        return engine(environment, settings, offline=offline)
    return planner(environment, settings).counter()


def opener(
    environment: Environment, settings: Config, in_use: Engine, *, offline: bool = False
) -> Callable[[str], Engine]:
    """Return a function from the name of a model to its engine, which will replace the engine `in_use`."""
    watcher = TerminalWatcher(environment, settings)
    return opening.opener(settings, watcher, in_use, Access(environment.variables, offline))


def describer(environment: Environment, settings: Config) -> Callable[[str], str]:
    """Return a function from the name of a model to the sentence that says how this PC, or a server, computes it."""

    def describe(model: str) -> str:
        if found := on_server(model, settings.servers):
            return _("computed by the server {name}: {host}").format(
                name=found.server, host=settings.servers[found.server].host
            )
        other = msgspec.structs.replace(settings, model=model)
        return planner(environment, other, learning=False).next_time().describe()

    return describe


def offering(environment: Environment, settings: Config) -> Callable[[str], str]:
    """Return what is called after each answer with the name of the model that gave it.

    It returns the offer to tune this PC for that model once; "" at any other time.
    """

    def offer(model: str) -> str:
        if model == DEMO or on_server(model, settings.servers):
            return ""
        from qwen_tui.evaluation import gain

        answered = msgspec.structs.replace(settings, model=model)
        try:
            return gain.offer(
                lambda: planner(environment, answered, learning=False, quiet=True),
                lambda: _tuning(environment, answered),
            )
        except QwenError:
            # The answer has come. What is wrong with the model's file is told with the next question.
            return ""

    return offer


def _tuning(environment: Environment, settings: Config) -> str:
    """Return the command that tunes the model in `settings`; it names the model unless that is the usual one."""
    # Imported here, because the history comes with it, and only this needs it.
    from qwen_tui.chat.going_on import is_same

    read = config.read(files.folders().config_file, environment.variables)
    usual = default_model.settled(read, noting=False).model
    named = [] if is_same(settings.model, usual, meaning(settings)) else ["-m", settings.model]
    return command_line("qwen", "tune", *named)


def log(environment: Environment) -> Callable[[str], None] | None:
    """Return the callback for each line of llama.cpp's log, None if nobody wants the log."""
    return environment.note if environment.wants_details else None


def meaning(settings: Config) -> Meaning:
    """Return a function from the name of a model to what it stands for: its file, or a model on a server."""
    return lambda name: meant(name, files.folders().models, settings.servers)


def models(settings: Config) -> list[tuple[str, str]]:
    """Return the names of the models on this computer, each with its quantisation and size, and of the servers."""
    held = [one for one in inventory.held(Shelf(files.folders().models)) if one.state != "missing"]
    about = {one.name: f"{one.quant} {files.size_text(one.size)}".strip() for one in held}
    servers = [(name, server.host) for name, server in settings.servers.items()]
    return [*about.items(), (DEMO, _("the demonstration model")), *servers]


def models_begun(
    environment: Environment, settings: Config, *, offline: bool = False
) -> Callable[[str], list[tuple[str, str]]]:
    """Return a function from the beginning of a model's name to the names that it may become.

    Only `NAME/` of a server lets it ask that server which models it has.
    """

    def begun(name: str) -> list[tuple[str, str]]:
        server, slash, _model = name.partition("/")
        if not slash or server not in settings.servers:
            return models(settings)
        access = Access(environment.variables, offline)
        return [(each, "") for each in opening.names_on(server, settings, access)]

    return begun


def template_folders(language: str | None = None) -> list[Path]:
    """Return the folders with templates: the user's own first, then the built-in ones of the language in use."""
    own = files.folders().templates
    return [own, files.packaged("templates") / (language or i18n.language())]
