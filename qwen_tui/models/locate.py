"""Finds the file that a model's name stands for."""

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path

from qwen_tui.errors import InvalidModelError, ModelNotFoundError, NotFetchedError, how_to_read, why
from qwen_tui.files import expand, folders
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed
from qwen_tui.models import address, catalogue, inventory, parts
from qwen_tui.models.inventory import in_repository
from qwen_tui.models.shelf import Shelf
from qwen_tui.models.verifying import is_fetchable, missing
from qwen_tui.quoting import command_line
from qwen_tui.servers import OnServer, Server, on_server

DEMO = inventory.DEMO

# What the name of a model stands for; raises `ModelNotFoundError`, `InvalidModelError`.
Meaning = Callable[[str], Path | OnServer]


def locate(name: str, models: Path, demo: Path = inventory.DEMO_FILE) -> Path:
    """Return the file of the model `name`; of a split model, that is the first part.

    In this order, `name` is `demo`, a path by its form (see `is_path`), a name of the catalogue, `NAME[:QUANT]`, the
    name or the beginning of the name of a model in `models`, `owner/repo:FILE`. Only what is none of these can be a
    path of another form. An address from a browser stands for the file that it names. Raises `ModelNotFoundError`
    naming what to do, `InvalidModelError` for a folder.
    """
    if name == DEMO:
        return demo
    name = _without_address(name)
    if inventory.is_path(name) and (file := _file_at(name)):
        return file
    shelf = Shelf(models)
    held = inventory.find(name, shelf)
    if held and held.state != "missing":
        return held.file
    if held and not (held.record and is_fetchable(held.name, pinned=held.record.pinned)):
        raise missing(held)
    if not held and not catalogue.find(name):
        if file := _file_at(name):
            return file
        _refuse_folder(name)
        if inventory.is_path(name):
            remedy = _("Check the path; relative ones start in this folder.")
            raise ModelNotFoundError(_("There is no file {path}.").format(path=expand(name)), remedy)
    return _published(held.name if held else name, shelf)


def _without_address(name: str) -> str:
    """Return the name of the model that an address of a hub stands for, and any other name as it is.

    Raises `ModelNotFoundError` for other addresses: they may be signed, so no error repeats one.
    """
    found = address.place(name)
    if found and found.is_usual:
        return found.name
    if address.is_address(name):
        raise ModelNotFoundError(_("A model is not used from an address."), _("Fetch it with: qwen pull ADDRESS"))
    return name


def _file_at(name: str) -> Path | None:
    """Return the absolute path of the file `name`, None if there is none; raises `ModelNotFoundError`."""
    path = expand(name)
    try:
        return parts.first(path.absolute()) if path.exists() and not path.is_dir() else None
    except OSError as error:
        raise ModelNotFoundError(
            _("{path} cannot be read: {reason}").format(path=path, reason=why(error)),
            how_to_read(error),
        ) from error


def _refuse_folder(name: str) -> None:
    path = expand(name)
    if path.is_dir():
        raise InvalidModelError(
            _("{path} is a folder, not a model.").format(path=path), _("Name the .gguf file in it with -m.")
        )


def meant(name: str, models: Path, servers: Mapping[str, Server]) -> Path | OnServer:
    """Return what the name of a model stands for: a model on one of the `servers`, or a file; see `locate`."""
    return on_server(name, servers) or locate(name, models)


def lasting(name: str, found: Path | OnServer) -> str:
    """Return a name that finds the model `name`, which was `found`, from any folder and later.

    For a path, that is the absolute path.
    """
    if isinstance(found, OnServer):
        return str(found)
    file = found
    if parts.first(expand(name).absolute()) == file:
        return str(file)
    if name == DEMO or catalogue.find(name):
        return name
    shelf = Shelf(folders().models)
    held = next((one for one in inventory.held(shelf) if one.file == file), None)
    return inventory.lasting_name(held, shelf) if held else name


def unknown(name: str, shelf: Shelf) -> ModelNotFoundError:
    """Return the error for a name that means nothing; it suggests similar names, also those of installed models."""
    if address.is_repository(name):
        return ModelNotFoundError(
            _("{name} is no model on this computer; it may be a repository of several.").format(name=name),
            _("See which models it has: qwen pull {name}").format(name=name),
        )
    there = [one.name for one in inventory.held(shelf)]
    published = [catalogue.DEFAULT_MODEL, *(entry.full_name for entry in catalogue.CATALOGUE)]
    known = {each.lower(): each for each in (DEMO, *published, *there)}
    near = [known[each] for each in difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.4)]
    return ModelNotFoundError(
        _("There is no model “{name}”.").format(name=name),
        (
            _("Did you mean: {names}? Or give the path of a .gguf file.").format(names=listed(near))
            if near
            else _("There are, for example: {names}. Or give the path of a .gguf file.").format(
                names=listed([*there[:3], DEMO, *published[:1]])
            )
        ),
    )


def _published(name: str, shelf: Shelf) -> Path:
    """Return the local file of a published name, of any publisher; raises `ModelNotFoundError` if there is none."""
    entries = catalogue.find(name)
    elsewhere = in_repository(name)
    if elsewhere and (entry := catalogue.of_file(*elsewhere)):
        entries = (entry,)
        if (held := inventory.find(entry.full_name, shelf)) and held.state != "missing":
            return held.file
    if not (entries or elsewhere):
        raise unknown(name, shelf)
    pull = command_line("qwen", "pull", *([] if name == catalogue.DEFAULT_MODEL else [name]))
    there = [one for one in inventory.held(shelf) if one.state != "missing"]
    if there:
        use = command_line("-m", inventory.lasting_name(there[-1], shelf))
        remedy = _("Fetch it with: {pull}, or use what is here: {use}. To use that from now on: qwen models use NAME")
        remedy = remedy.format(pull=pull, use=use)
    else:
        remedy = _(
            "Fetch it with: {pull}, bring a file with: qwen models import PATH, or try the demonstration model: -m demo"
        ).format(pull=pull)
    raise NotFetchedError(_("{name} is not on this computer yet.").format(name=name), remedy)
