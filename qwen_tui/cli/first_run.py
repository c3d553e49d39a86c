"""The first run: there is no model yet, so the person is asked what to do."""

import msgspec

from qwen_tui import files
from qwen_tui.cli.environment import Environment
from qwen_tui.config import Config
from qwen_tui.errors import NotFetchedError
from qwen_tui.models.locate import locate


def settled(
    environment: Environment, settings: Config, *, offline: bool = False, quiet: bool = False, is_named: bool = False
) -> Config:
    """Return `settings` with a model that is on this computer, after asking for one where it is not.

    The command may have `is_named` the model; else what is chosen in its place answers from then on.

    Raises `NotFetchedError` where nobody is there to be asked, `typer.Abort` where the person wants none.
    """
    try:
        locate(settings.model, files.folders().models)
    except NotFetchedError as error:
        if quiet or not environment.can_offer:
            raise
        # Only now: everybody else need not wait for it.
        from qwen_tui.cli import offers

        model = offers.chosen(environment, settings.model, error.message, offline=offline, is_named=is_named)
        return msgspec.structs.replace(settings, model=model)
    return settings
