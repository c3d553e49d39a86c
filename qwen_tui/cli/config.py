"""`qwen config`: the settings, shown and changed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import msgspec
import typer

from qwen_tui import config, files
from qwen_tui.cli.delivery import print_text
from qwen_tui.cli.editor import open_editor
from qwen_tui.cli.looking import tell_problems
from qwen_tui.errors import WriteError, how_to_write, why
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import as_text


def build() -> typer.Typer:
    """Return the command group."""
    app = typer.Typer()
    app.command("show", help=_("Show every setting, and where it comes from."))(show)
    app.command("set", help=_("Set NAME to VALUE; without VALUE, back to the default."))(set_)
    app.command("edit", help=_("Open the file in your editor."))(edit)
    app.command("path", help=_("Print where the file is."))(path)
    return app


def show() -> None:
    """Print the settings as TOML, with their sources."""
    settings = config.read(files.folders().config_file)
    tell_problems(settings.problems)
    sources = {"file": str(files.folders().config_file)}
    for name, value in msgspec.structs.asdict(settings.config).items():
        source = settings.sources.get(name, _("default"))
        if source == "environment":
            source = config.environment_name(name)
        shown = _("(the program decides)") if value is None else _toml(value)
        print_text(f"{name} = {shown}  # {sources.get(source, source)}\n")


def set_(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    value: Annotated[str | None, typer.Argument(metavar="VALUE", show_default=False)] = None,
) -> None:
    """Write one setting into the file."""
    with _writing():
        config.set_value(files.folders().config_file, name, value)
    variable = config.environment_name(name)
    if os.environ.get(variable):
        typer.echo(_("Note: {variable} is set and wins over the file.").format(variable=variable), err=True)


def edit() -> None:
    """Open the file in the editor and check it afterwards."""
    file = files.folders().config_file
    with _writing():
        if not file.exists():
            files.write_private(file, b"")
    open_editor(file)
    config.load(file)


def path() -> None:
    """Print the path of the file."""
    print_text(f"{files.folders().config_file}\n")


def _toml(value: object) -> str:
    """Return a value as TOML writes it, which is how JSON does."""
    # A path in a variable need not be text.
    return msgspec.json.encode(as_text(value) if isinstance(value, str) else value).decode()


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteError(
            _("{path} could not be written: {reason}").format(path=files.folders().config_file, reason=why(error)),
            how_to_write(error),
        ) from error
