"""The one place where concrete engines are built, and where what is kept is found."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from qwen_tui import files, i18n
from qwen_tui.chat.keeping import in_memory_only
from qwen_tui.cli.laboratory import Laboratory, laboratory, log
from qwen_tui.config import Config
from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.prefix_store import PrefixStore
from qwen_tui.engine.protocol import Engine, StoreOptions
from qwen_tui.errors import HistoryError
from qwen_tui.history.store import History
from qwen_tui.models.locate import locate
from qwen_tui.planning.trial import Purpose

# What kept states take of the disk where nothing is set, in bytes, and what one of 7,000 tokens takes.
_LARGEST_SHARE = 4 << 30
_ONE_STATE = 1 << 30


def engine(settings: Config, purpose: Purpose = "chat", *, quiet: bool = False, freeing: int = 0) -> LocalEngine:
    """Return the engine that `settings` ask for, not yet started; raises `ModelNotFoundError`, `InvalidModelError`.

    With `quiet` nothing is shown meanwhile. `freeing` bytes of a graphics card will be free before it is started.
    """
    subject = laboratory(settings, quiet=quiet, freeing=freeing)
    store = _store(settings)
    ways = [msgspec.structs.replace(way, store=store) for way in subject.ways(purpose)]
    # What keeps a graphics card from use.
    trouble = (subject.auto.trouble or subject.auto.full) if subject.auto else ""
    notes = (trouble,) if trouble else ()
    worked, leaving = subject.worked(ways[0]), files.folders().leaving
    return LocalEngine(ways, log(), worked, notes, crashed=subject.crashed, leaving=leaving)


def states(settings: Config) -> PrefixStore:
    """Return the prompt states kept on disk, of every model."""
    return PrefixStore(files.folders().states, cache_limit(settings))


def cache_limit(settings: Config) -> int:
    """Return how many bytes the states may take: as set, or else a modest share of the free disk."""
    if settings.cache_limit != "auto":
        return int(settings.cache_limit * 1e9)
    folder = files.folders().states
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return 0
    # On a small disk a fourth of what is left, so that one state of a long prompt fits.
    return min(_LARGEST_SHARE, max(free // 20, min(free // 4, _ONE_STATE)))


def opener(settings: Config, in_use: Engine) -> Callable[[str], Engine]:
    """Return what builds the engine of another model by its name, in all else as `settings` say.

    It takes the place of the one that is `in_use`, or that was built before, and gets what that holds of a card.
    """
    engines = [in_use]

    def build(model: str) -> Engine:
        held = sum(each.held for each in engines if isinstance(each, LocalEngine))
        built = engine(msgspec.structs.replace(settings, model=model), freeing=held)
        engines[:] = [built]
        return built

    return build


def describer(settings: Config) -> Callable[[str], str]:
    """Return what says by a model's name how it is computed here."""
    return lambda model: _looked_at(settings, model).next_time().describe()


def _looked_at(settings: Config, model: str) -> Laboratory:
    return laboratory(msgspec.structs.replace(settings, model=model), learning=False)


def history(
    settings: Config, note: Callable[[str], None], *, no_log: bool = False, needed: bool = False
) -> History | None:
    """Return the conversations kept, or None where none are to be.

    What is wrong with them is noted, and raised only where one of them is `needed` to go on with.
    """
    if no_log or not settings.history:
        return None
    try:
        return History(files.folders().history)
    except HistoryError as error:
        if needed:
            raise
        note(in_memory_only(error))
        return None


def model_file(name: str) -> Path:
    """Return the file of the model `name`; raises `ModelNotFoundError`, `InvalidModelError`."""
    return locate(name, files.folders().models)


def template_folders(language: str | None = None) -> list[Path]:
    """Return where templates are looked for: the user's own folder first, then those of the language in use."""
    own = files.folders().templates
    return [own, files.packaged("templates") / (language or i18n.language())]


def _store(settings: Config) -> StoreOptions | None:
    if not settings.cache:
        return None
    return StoreOptions(
        folder=os.fsencode(files.folders().states), limit=cache_limit(settings), worth_s=settings.cache_seconds
    )
