"""`qwen pack`: models, checksums and settings for a computer without a network."""

from pathlib import Path
from typing import Annotated

import typer

from qwen_tui import config, files
from qwen_tui.cli import wiring
from qwen_tui.errors import ConfigError, UsageError, why
from qwen_tui.files import expand, size_text
from qwen_tui.i18n import gettext as _
from qwen_tui.models import inventory, packing
from qwen_tui.models.inventory import Held
from qwen_tui.models.shelf import Shelf
from qwen_tui.models.verifying import missing


def pack(
    out: Annotated[str, typer.Argument(metavar="OUT", help=_("A folder, or an archive: .tar or .zip."))],
    model: Annotated[
        list[str] | None,
        typer.Option("-m", "--model", metavar="MODEL", help=_("The model to pack (the one in use); repeatable.")),
    ] = None,
    no_config: Annotated[bool, typer.Option("--no-config", help=_("Leave your settings out."))] = False,
    yes: Annotated[bool, typer.Option("-y", "--yes", help=_("Overwrite what is there."))] = False,
) -> None:
    """Write a pack and say how it is used."""
    place = expand(out)
    if place.suffix.lower() in (".gz", ".xz", ".bz2", ".tgz", ".7z", ".rar", ".zst"):
        raise UsageError(
            _("A pack is a folder, or an archive that ends in .tar or .zip."),
            _("Models hardly shrink: leave out the compression."),
        )
    shelf = Shelf(files.folders().models)
    settings = config.load(files.folders().config_file).config
    items = packing.items([_held(name, shelf) for name in model or [settings.model]])
    content = None if no_config else _settings(items)
    with wiring.transfer(_("Packing")) as show:
        packed = packing.pack(place, items, content, show, overwrite=yes)
    size = sum(one.size for one in packed.models)
    names = ", ".join(one.name for one in packed.models)
    typer.echo(_("Packed {names} ({size}) into {path}.").format(names=names, size=size_text(size), path=place))
    typer.echo(_("On the other computer: qwen models import {name}").format(name=place.name or place), err=True)
    if packed.config:
        typer.echo(_("Your settings are in it; --no-config leaves them out."), err=True)


def _held(name: str, shelf: Shelf) -> Held:
    if (path := expand(name)).is_file():
        # A file that was never imported can be packed all the same.
        known = [one for one in inventory.held(shelf) if one.file.resolve() == path.resolve()]
        return known[0] if known else Held(path.name, path.absolute(), path.stat().st_size, "unverified")
    held = inventory.get(name, shelf)
    if held.state == "missing":
        raise missing(held)
    return held


def _settings(items: list[packing.Item]) -> bytes | None:
    """Return the settings, in which a model that goes by its path here goes by the name it will have there."""
    file: Path = files.folders().config_file
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(
            _("{path} cannot be read: {reason}").format(path=file, reason=why(error)),
            _("Leave your settings out with --no-config."),
        ) from error
    return packing.portable_settings(content, items)
