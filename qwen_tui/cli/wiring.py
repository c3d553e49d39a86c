"""Where the rooms are joined: what `cli` asks planning for, and where models and templates lie."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from qwen_tui import files, i18n
from qwen_tui.cli import screen
from qwen_tui.cli.environment import Environment
from qwen_tui.config import Config
from qwen_tui.engine.protocol import Engine
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Event
from qwen_tui.models.locate import locate
from qwen_tui.planning import planner as planning
from qwen_tui.planning.planner import Planner
from qwen_tui.planning.trial import Purpose


@dataclass(frozen=True, slots=True)
class Watcher:
    """Shows on stderr how far planning is, where that is a terminal and nobody wants it `quiet`."""

    environment: Environment
    settings: Config
    quiet: bool = False

    @property
    def log(self) -> Callable[[str], None] | None:
        """What takes each line of llama.cpp's log, None where nobody wants them."""
        return log(self.environment)

    @contextlib.contextmanager
    def hashing(self, name: str) -> Iterator[Callable[[int, int], None]]:
        """Show how far the hashing of a large file is."""
        what = _("Checking {name}").format(name=name)
        with screen.transfer(self.environment, what, lines=False, quiet=self.quiet) as show:
            yield show

    @contextlib.contextmanager
    def asking(self) -> Iterator[Callable[[Event], None]]:
        """Show that llama.cpp takes long to look at this PC."""
        quiet = self.quiet or not self.environment.stderr.isatty()
        with closing(screen.output(self.environment, self.settings, held=True, quiet=quiet)) as shown:
            yield shown.show


def planner(
    environment: Environment, settings: Config, trouble: str = "", *, quiet: bool = False, learning: bool = True
) -> Planner:
    """Return the planner of the model that `settings` name, which shows on a terminal how far it is; see `planner_of`.

    It raises `ModelNotFoundError`, `InvalidModelError`.
    """
    return planning.planner_of(settings, Watcher(environment, settings, quiet), trouble, learning=learning)


def engine(environment: Environment, settings: Config, purpose: Purpose = "chat", *, quiet: bool = False) -> Engine:
    """Return the engine that `settings` ask for, not yet started; raises `ModelNotFoundError`, `InvalidModelError`.

    With `quiet` nothing is shown meanwhile.
    """
    return planner(environment, settings, quiet=quiet).engine(purpose)


def opener(environment: Environment, settings: Config, in_use: Engine) -> Callable[[str], Engine]:
    """Return what builds the engine of another model by its name, to take the place of the one `in_use`."""
    return planning.opener(settings, Watcher(environment, settings), in_use)


def describer(environment: Environment, settings: Config) -> Callable[[str], str]:
    """Return what says by a model's name how it is computed here."""

    def describe(model: str) -> str:
        other = msgspec.structs.replace(settings, model=model)
        return planner(environment, other, learning=False).next_time().describe()

    return describe


def log(environment: Environment) -> Callable[[str], None] | None:
    """Return what takes each line of llama.cpp's log, None where nobody wants them."""
    return environment.note if environment.wants_details else None


def model_file(name: str) -> Path:
    """Return the file of the model `name`; raises `ModelNotFoundError`, `InvalidModelError`."""
    return locate(name, files.folders().models)


def template_folders(language: str | None = None) -> list[Path]:
    """Return where templates are looked for: the user's own folder first, then those of the language in use."""
    own = files.folders().templates
    return [own, files.packaged("templates") / (language or i18n.language())]
