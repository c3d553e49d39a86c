"""Finds the file that a model's name stands for."""

import difflib
import re
from pathlib import Path

from qwen_tui.errors import InvalidModelError, ModelNotFoundError, NotFetchedError, why
from qwen_tui.files import ASSETS, command_line, expand
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed
from qwen_tui.models import catalogue, inventory
from qwen_tui.models.shelf import Shelf
from qwen_tui.models.verifying import is_fetchable, missing

DEMO = inventory.DEMO

_IN_REPOSITORY = re.compile(r"([\w.-]+/[\w.-]+):([^\\:?#\s/][^\\:?#]*)")


def locate(name: str, models: Path, demo: Path = ASSETS / "demo.gguf") -> Path:
    """Return the file of the model `name`: `demo`, a path, or what is kept in `models` by `NAME[:QUANT]` of the
    catalogue or by `owner/repo:FILE`.

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
    if name.endswith(".gguf") and not (in_repository(name) or held):
        raise ModelNotFoundError(
            _("There is no file {path}.").format(path=path), _("Check the path; relative ones start in this folder.")
        )
    return _published(held.name if held else name, models)


def lasting(name: str, file: Path) -> str:
    """Return a name that finds the model in `file` from any folder: for a path, the absolute path."""
    return str(file) if expand(name).absolute() == file else name


def unknown(name: str) -> ModelNotFoundError:
    """Return the error for a name that is not in the catalogue; it suggests similar names."""
    known = [DEMO, catalogue.DEFAULT_MODEL, *dict.fromkeys(entry.full_name for entry in catalogue.CATALOGUE)]
    near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.4) or known[:2]
    return ModelNotFoundError(
        _("There is no model “{name}”.").format(name=name),
        _("Did you mean: {names}? Or give the path of a .gguf file.").format(names=listed(near)),
    )


def in_repository(name: str) -> tuple[str, str] | None:
    """Return the repository and the file if `name` is `owner/repo:FILE`, else None."""
    match = _IN_REPOSITORY.fullmatch(name)
    return (match[1], match[2]) if match and ".." not in match[2].split("/") else None


def _published(name: str, models: Path) -> Path:
    """Return the local file of a published name, of any publisher; raises `ModelNotFoundError` if there is none."""
    entries = catalogue.find(name)
    elsewhere = in_repository(name)
    if elsewhere and (entry := catalogue.of_file(*elsewhere)):
        entries = (entry,)
        if (held := inventory.find(entry.full_name, Shelf(models))) and held.state != "missing":
            return held.file
    if not (entries or elsewhere):
        raise unknown(name)
    pull = command_line("qwen", "pull", *([] if name == catalogue.DEFAULT_MODEL else [name]))
    raise NotFetchedError(
        _("{name} is not on this computer yet.").format(name=name),
        _(
            "Fetch it with: {pull}, bring a file with: qwen models import PATH, or try the demonstration model: -m demo"
        ).format(pull=pull),
    )
