"""The first run: there is no model yet, so the person is asked what to do."""

import msgspec

from qwen_tui import files
from qwen_tui.cli.environment import Environment
from qwen_tui.config import Config
from qwen_tui.errors import NotFetchedError
from qwen_tui.models.locate import meant


def settled(
    environment: Environment, settings: Config, *, offline: bool = False, quiet: bool = False, is_named: bool = False
) -> Config:
    """Return `settings` with a model that is on this computer; if theirs is not, the person chooses another.

    The command may have `is_named` the model; else what is chosen in its place answers from then on.

    Raises `NotFetchedError` if nobody can be asked, `typer.Abort` if the person wants none.
    """
    try:
        meant(settings.model, files.folders().models, settings.servers)
    except NotFetchedError as error:
        if quiet or not environment.can_offer:
            raise
        # Imported here, because it takes time and only a first run needs it.
        from qwen_tui.cli import offers

        model = offers.chosen(environment, settings.model, error.message, offline=offline, is_named=is_named)
        return msgspec.structs.replace(settings, model=model)
    return settings
