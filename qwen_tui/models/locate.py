"""Which file a model's name stands for."""

import difflib
import re
from pathlib import Path

from qwen_tui.errors import InvalidModelError, ModelNotFoundError, why
from qwen_tui.files import ASSETS, expand
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed
from qwen_tui.models import catalogue, inventory
from qwen_tui.models.shelf import Shelf
from qwen_tui.models.verifying import is_fetchable, missing

DEMO = "demo"


def locate(name: str, models: Path, demo: Path = ASSETS / "demo.gguf") -> Path:
    """Return the file of the model `name`: `demo`, a path, or `NAME[:QUANT]` of the catalogue, kept in `models`.

    Raises `ModelNotFoundError` naming what to do, `InvalidModelError` for a folder.
    """
    if name == DEMO:
        return demo
    path = expand(name)
    try:
        if path.is_dir():
            raise InvalidModelError(
                _("{path} is a folder, not a model.").format(path=path), _("Name the .gguf file in it with -m.")
            )
        if path.exists():
            return path.absolute()
    except OSError as error:
        raise ModelNotFoundError(
            _("{path} cannot be read: {reason}").format(path=path, reason=why(error)),
            _("Check the path; relative ones start in this folder."),
        ) from error
    held = inventory.find(name, Shelf(models))
    if held and held.state != "missing":
        return held.file
    if held and not (held.record and is_fetchable(held.name, pinned=held.record.pinned)):
        raise missing(held)
    if name.endswith(".gguf") and ":" not in re.split(r"[/\\]", name)[-1]:
        raise ModelNotFoundError(
            _("There is no file {path}.").format(path=path), _("Check the path; relative ones start in this folder.")
        )
    return _from_catalogue(name, models)


def _from_catalogue(name: str, models: Path) -> Path:
    entries = catalogue.find(name)
    if not entries:
        known = [DEMO, catalogue.DEFAULT_MODEL, *dict.fromkeys(entry.full_name for entry in catalogue.CATALOGUE)]
        near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.4) or known[:2]
        raise ModelNotFoundError(
            _("There is no model “{name}”.").format(name=name),
            _("Did you mean: {names}? Or give the path of a .gguf file.").format(names=listed(near)),
        )
    shelf = Shelf(models)
    if record := shelf.named(entries[0].full_name):
        return shelf.file(record)
    # A file that was put there by hand goes by its publisher's name.
    file = models / entries[0].file
    if not file.exists():
        raise ModelNotFoundError(
            _("{name} is not on this computer yet: {file} is missing.").format(name=name, file=file),
            _("Put the file there, give another with -m PATH, or try the demonstration model with -m demo."),
        )
    return file
