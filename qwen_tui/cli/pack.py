"""`qwen pack`: models, checksums and settings for a computer without a network."""

from pathlib import Path
from typing import Annotated

import typer

from qwen_tui import files
from qwen_tui.cli import screen
from qwen_tui.cli.environment import Environment
from qwen_tui.cli.options import usable_settings
from qwen_tui.engine import library
from qwen_tui.errors import ConfigError, QwenError, UsageError, why
from qwen_tui.files import expand, size_text
from qwen_tui.i18n import gettext as _
from qwen_tui.models import parts
from qwen_tui.models.importing import packing
from qwen_tui.models.shelf import Shelf
from qwen_tui.quoting import quoted
from qwen_tui.servers import on_server


def pack(
    context: typer.Context,
    out: Annotated[str, typer.Argument(metavar="OUT", help=_("A folder, or an archive: .tar or .zip."))],
    model: Annotated[
        list[str] | None,
        typer.Option("-m", "--model", metavar="MODEL", help=_("The model to pack (the one in use); repeatable.")),
    ] = None,
    no_config: Annotated[bool, typer.Option("--no-config", help=_("Leave your settings out."))] = False,
    with_engine: Annotated[
        bool, typer.Option("--with-engine", help=_("Put the portable llama.cpp into it that was built here."))
    ] = False,
    yes: Annotated[bool, typer.Option("-y", "--yes", help=_("Overwrite what is there."))] = False,
) -> None:
    """Write a pack and say how it is used."""
    environment = Environment.of(context)
    place = expand(out)
    if place.suffix.lower() in (".gz", ".xz", ".bz2", ".tgz", ".7z", ".rar", ".zst"):
        raise UsageError(
            _("A pack is a folder, or an archive that ends in .tar or .zip."),
            _("Models hardly shrink: leave out the compression."),
        )
    shelf = Shelf(files.folders().models)
    settings = usable_settings(environment, standing_in=True)
    for name in model or [settings.model]:
        if on_server(name, settings.servers):
            raise UsageError(
                _("{name} is on a server, and a pack leaves servers out.").format(name=name),
                _("Name a model on this computer: -m MODEL"),
            )
    items = packing.items([packing.named(name, shelf) for name in model or [settings.model]])
    own = None if no_config else _settings()
    content = None if no_config else packing.portable_settings(own, packing.in_use(settings.model, items, shelf))
    engine = _engine() if with_engine else None
    with screen.transfer(environment, _("Packing")) as show:
        packed = packing.pack(place, items, content, show, overwrite=yes, engine=engine)
    size = sum(one.size for one in packed.models)
    firsts = [one for one in packed.models if (part := parts.part(one.file)) is None or part.number == 1]
    names = ", ".join(one.name for one in firsts)
    environment.print(_("Packed {names} ({size}) into {path}.").format(names=names, size=size_text(size), path=place))
    environment.note(_("On the other computer: qwen models import {name}").format(name=quoted(place.name or place)))
    if packed.engine:
        _say_how_to_install(environment, place, packed.engine.file)
    if own is not None and packed.config:
        environment.note(_("Your settings are in it; --no-config leaves them out."))


def _say_how_to_install(environment: Environment, place: Path, wheel: str) -> None:
    """Say how the other computer installs the wheel, which lies in the pack `place`."""
    folder = Path(place.name or place)
    sentence = _("Before that, install the llama.cpp in it, with the pip that installed the program: {command}")
    if place.suffix.lower() in (".tar", ".zip"):
        unpacking = f"python -m {place.suffix.lower()[1:]}file -e {quoted(folder)} ."
        environment.note(_("Before that, unpack it: {command}").format(command=unpacking))
        folder = folder.with_suffix("")
        sentence = _("Then install the llama.cpp in it, with the pip that installed the program: {command}")
    # pip would leave an installed llama.cpp of the same version as it is.
    installing = f"pip install --no-index --no-deps --force-reinstall {quoted(folder / wheel)}"
    environment.note(sentence.format(command=installing))


def _engine() -> Path:
    """Return the wheel of the portable llama.cpp that was built here; raises `QwenError` if there is none."""
    if wheel := library.portable_wheel():
        return wheel
    raise QwenError(
        _("No portable llama.cpp was built here."),
        _("Build it with: {command}").format(command="python scripts/build_engine.py --kind portable --no-install"),
    )


def _settings() -> bytes | None:
    file: Path = files.folders().config_file
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(
            _("{path} cannot be read: {reason}").format(path=file, reason=why(error)),
            _("Leave your settings out with --no-config."),
        ) from error
