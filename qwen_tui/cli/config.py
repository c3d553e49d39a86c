"""`qwen config`: the settings, shown and changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import msgspec
import typer

from qwen_tui import config, files
from qwen_tui.cli.editor import open_editor
from qwen_tui.cli.environment import Environment
from qwen_tui.cli.options import tell_problems
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


def show(context: typer.Context) -> None:
    """Print the settings as TOML, with their sources."""
    environment = Environment.of(context)
    settings = config.read(files.folders().config_file, environment.variables)
    tell_problems(environment, settings.problems)
    sources = {"file": str(files.folders().config_file)}
    for name, value in msgspec.structs.asdict(settings.config).items():
        source = settings.sources.get(name, _("default"))
        if source == "environment":
            source = config.environment_name(name)
        shown = _("(the program decides)") if value is None else _toml(value)
        environment.print(f"{name} = {shown}  # {sources.get(source, source)}")


def set_(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    value: Annotated[str | None, typer.Argument(metavar="VALUE", show_default=False)] = None,
) -> None:
    """Write one setting into the file."""
    with _writing():
        config.set_value(files.folders().config_file, name, value)
    variable = config.environment_name(name)
    environment = Environment.of(context)
    if environment.variables.get(variable):
        environment.note(_("Note: {variable} is set and wins over the file.").format(variable=variable))


def edit(context: typer.Context) -> None:
    """Open the file in the editor and check it afterwards."""
    file = files.folders().config_file
    with _writing():
        if not file.exists():
            files.write_private(file, b"")
    environment = Environment.of(context)
    open_editor(environment, file)
    config.load(file, environment.variables)


def path(context: typer.Context) -> None:
    """Print the path of the file."""
    Environment.of(context).print(str(files.folders().config_file))


def _toml(value: object) -> str:
    """Return a value in TOML, which writes these values as JSON does."""
    # The value of an environment variable can be bytes that are not text.
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
