"""`qwen config`: the settings, shown and changed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated

import typer

from qwen_tui import config, files
from qwen_tui.cli.editor import open_editor
from qwen_tui.cli.environment import Environment
from qwen_tui.cli.options import tell_problems
from qwen_tui.errors import QwenError, UsageError, WriteError, how_to_write, which_is_meant, why
from qwen_tui.explanations import EXAMPLES, explanation, shown_value
from qwen_tui.i18n import gettext as _
from qwen_tui.models.locate import lasting, meant
from qwen_tui.planning import default_model
from qwen_tui.servers import Server, told
from qwen_tui.typed_text import as_text


def build() -> typer.Typer:
    """Return the command group."""
    app = typer.Typer()
    app.command("show", help=_("Show every setting, what it is for, and where its value comes from."))(show)
    app.command("set", help=_("Set NAME to VALUE; without VALUE, back to the default."))(set_)
    app.command("edit", help=_("Open the file in your editor."))(edit)
    app.command("path", help=_("Print where the file is."))(path)
    return app


def show(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", show_default=False, help=_("A setting; without it, all of them."))
    ] = None,
) -> None:
    """Print the settings as TOML, each below what it is for and with where it comes from."""
    environment = Environment.of(context)
    if name is not None and name not in config.FIELDS:
        raise UsageError(_("There is no setting “{name}”.").format(name=name), which_is_meant(name, config.FIELDS))
    settings = config.read(files.folders().config_file, environment.variables)
    tell_problems(environment, settings.problems)
    for one in [name] if name else config.FIELDS:
        # A path in a variable need not be text.
        value = as_text(found) if isinstance(found := getattr(settings.config, one), str) else found
        source = {
            "environment": _("from {place}").format(place=config.environment_name(one)),
            "file": _("from {place}").format(place=files.folders().config_file),
        }.get(settings.sources.get(one, ""), _("default"))
        environment.print(f"# {explanation(one)}\n{one} = {shown_value(one, value)}  # {source}")
        if not name:
            environment.print("\n")
    for server, settings_of_it in ({} if name else settings.config.servers).items():
        lines = [f"{one} = {shown_value(one, value)}" for one, value in told(settings_of_it).items()]
        environment.print("\n".join([f"[{config.SERVERS}.{server}]", *lines]) + "\n\n")


def set_(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help=_("A setting; see: qwen config show."))],
    value: Annotated[
        str | None, typer.Argument(metavar="VALUE", show_default=False, help=_("Without it: back to the default."))
    ] = None,
) -> None:
    """Write one setting into the file, and say so."""
    environment, file = Environment.of(context), files.folders().config_file
    written = store(environment, name, _model(environment, value) if name == "model" and value else value)
    if written is not None:
        said = _("Set in {path}: {name} = {value}")
    elif name in config.FIELDS:
        said, written = _("Removed from {path}: {name} is {value} again, its default."), config.FIELDS[name].default
    else:
        said = _("Removed from {path}: {name}")
    shown = shown_value(name, written) if name in config.FIELDS else ""
    environment.print(said.format(name=name, value=shown, path=file))


def use_model(environment: Environment, name: str) -> str:
    """Let the model `name` answer from now on where the person names none; return the sentence that says so.

    Raises `ModelNotFoundError`, `InvalidModelError`, `WriteError`.
    """
    chosen = default_model.usable(name, _servers(environment))
    store(environment, "model", chosen)
    return _("{name} answers from now on where no other model is named.").format(name=chosen)


def store(environment: Environment, name: str, value: str | None) -> object:
    """Write one setting into the file, None for the default, and return what is written; None if nothing is.

    Raises `ConfigError`, `WriteError`.
    """
    with writing():
        written = config.set_value(files.folders().config_file, name, value)
    variable = config.environment_name(name)
    if environment.variables.get(variable):
        environment.note(_("Note: {variable} is set and wins over the file.").format(variable=variable))
    return written


def _model(environment: Environment, name: str) -> str:
    """Return a name that finds the model in every folder; one that finds none stays, and the person is told so."""
    try:
        return lasting(name, meant(name, files.folders().models, _servers(environment)))
    except QwenError as error:
        environment.note(f"{error.message}\n{error.remedy}")
        return name


def _servers(environment: Environment) -> Mapping[str, Server]:
    return config.read(files.folders().config_file, environment.variables).config.servers


def edit(context: typer.Context) -> None:
    """Open the file in the editor and check it afterwards."""
    file = files.folders().config_file
    with writing():
        if not files.is_there(file):
            files.write_private(file, _first_text().encode())
    environment = Environment.of(context)
    open_editor(environment, file)
    config.load(file, environment.variables)


def _first_text() -> str:
    """Return what a new file begins with: every setting, none of them in force."""
    head = _("The settings of qwen-tui. To change one, remove the # before its line, and give it another value.")
    settings = [
        f"# {explanation(name)}\n# {name} = {shown_value(name, EXAMPLES.get(name, field.default))}"
        for name, field in config.FIELDS.items()
    ]
    return "\n\n".join([f"# {head}", *settings]) + "\n"


def path(context: typer.Context) -> None:
    """Print the path of the file."""
    Environment.of(context).print(str(files.folders().config_file))


@contextmanager
def writing() -> Iterator[None]:
    """Turn what the system refuses while the settings are written into a `WriteError`."""
    try:
        yield
    except OSError as error:
        raise WriteError(
            _("{path} could not be written: {reason}").format(path=files.folders().config_file, reason=why(error)),
            how_to_write(error),
        ) from error
