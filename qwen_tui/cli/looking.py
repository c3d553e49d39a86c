"""The settings for commands that only look: one that cannot be used stops none of them."""

from qwen_tui import config, files
from qwen_tui.cli.environment import Environment
from qwen_tui.cli.failure import tell
from qwen_tui.config import Config
from qwen_tui.errors import ConfigError
from qwen_tui.i18n import gettext as _


def usable_settings(environment: Environment) -> Config:
    """Return the settings in force; of each that cannot be used it is told on stderr that it is left out."""
    settings = config.read(files.folders().config_file, environment.variables)
    tell_problems(environment, settings.problems)
    return settings.config


def tell_problems(environment: Environment, problems: tuple[ConfigError, ...]) -> None:
    """Say on stderr what is wrong with settings, and that the program goes on without them."""
    for problem in problems:
        remedy = _("It is left out for now. {remedy}").format(remedy=problem.remedy)
        tell(environment, ConfigError(problem.message, remedy))
