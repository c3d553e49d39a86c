"""The model that answers while the person has chosen none, and the standard one is not on this computer."""

import msgspec

from qwen_tui.config import Config, Settings
from qwen_tui.engine import examining
from qwen_tui.errors import InvalidModelError, ModelNotFoundError, NotFetchedError
from qwen_tui.files import folders
from qwen_tui.models import inventory
from qwen_tui.models.inventory import Held
from qwen_tui.models.locate import locate
from qwen_tui.models.shelf import Shelf


def settled(settings: Settings, *, noting: bool = True) -> Config:
    """Return the settings in force; if nothing in them names a model, with one that is here, if there is any.

    `noting` is that of `examining.problem`.
    """
    if "model" in settings.sources:
        return settings.config
    shelf = Shelf(folders().models)
    found = stand_in(settings.config.model, shelf, noting=noting)
    if found is None:
        return settings.config
    return msgspec.structs.replace(settings.config, model=inventory.lasting_name(found, shelf))


def stand_in(standard: str, shelf: Shelf, *, noting: bool = True) -> Held | None:
    """Return the model that answers in place of the `standard` one: of those that can, the last that came.

    None if the standard one is here, and if there is no other.
    """
    there = [one for one in reversed(inventory.held(shelf)) if one.state != "missing"]
    if not there:
        return None
    try:
        locate(standard, shelf.folder)
    except NotFetchedError:
        return next((one for one in there if not examining.problem(one.file, noting=noting)), None)
    except (ModelNotFoundError, InvalidModelError):
        return None
    return None
