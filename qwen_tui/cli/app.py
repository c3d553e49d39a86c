"""The tree of commands. It imports only the command that the person wants, because the others take time to import."""

import importlib
from collections.abc import Sequence
from typing import NamedTuple

import typer
from typer.core import TyperGroup

from qwen_tui.cli import help_text, shells
from qwen_tui.cli.arguments import FilesCommand, SidesCommand
from qwen_tui.cli.environment import Environment
from qwen_tui.i18n import gettext as _

# The most columns that a help takes.
_HELP_WIDTH = 110


class _Command(NamedTuple):
    """A command or a group of commands. The module of this name has a function of this name, for a group `build`.

    `has_language` says that the command takes `--lang` itself, because the language decides what it does. `takes_files`
    says that its `-f` takes files, `takes_sides` that options such as `--a` take several settings each.
    """

    name: str
    help: str
    is_group: bool = False
    has_language: bool = True
    takes_files: bool = False
    takes_sides: bool = False


def build(wanted: str = "") -> TyperGroup:
    """Return the command line, its help in the language in use; `wanted` is the command that will be run."""
    app = typer.Typer(
        name="qwen",
        help=_(
            "A terminal assistant for ordinary PCs. Nothing you write leaves this computer, unless you choose a server."
        ),
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": _HELP_WIDTH},
    )
    for command in _commands():
        if command.name != wanted:
            # The help needs only the one line of this command.
            app.command(command.name, help=command.help)(_not_run)
            continue
        module = importlib.import_module(f"qwen_tui.cli.{command.name}")
        if command.is_group:
            app.add_typer(module.build(), name=command.name, help=command.help, no_args_is_help=True)
        else:
            takes = FilesCommand if command.takes_files else SidesCommand if command.takes_sides else None
            app.command(command.name, help=command.help, cls=takes)(getattr(module, command.name))

    @app.callback(invoke_without_command=True)
    def bare(
        context: typer.Context,
        version: bool = typer.Option(False, "-V", "--version", help=_("Show the version.")),
        # `main` carries these out before anything is parsed: a shell's name may stand behind them.
        _install: bool = typer.Option(
            False,
            shells.INSTALL,
            help=_("Let the Tab key complete commands and names in this shell, or in the one named behind it."),
        ),
        _show: bool = typer.Option(False, shells.SHOW, help=_("Print the script that does so.")),
    ) -> None:
        if version or context.invoked_subcommand is None:
            raise typer.Exit(_without_command(context, version=version))

    program = typer.main.get_command(app)
    assert isinstance(program, TyperGroup)
    help_text.translate(program)
    return program


def _without_command(context: typer.Context, *, version: bool) -> int:
    """Show the version, begin a conversation, or show the help where there is no terminal; return the exit code."""
    environment = Environment.of(context)
    if version:
        from qwen_tui import __version__

        environment.print(f"qwen-tui {__version__}")
        return 0
    if not environment.can_converse:
        environment.print(context.get_help())
        return 0
    from qwen_tui.cli.chat import chat

    return chat(context)


def knows_languages(wanted: str) -> bool:
    """Whether the command takes `--lang` itself; for the others, `main` reads it, and it only decides the language."""
    return any(command.has_language and not command.is_group for command in _commands() if command.name == wanted)


def names() -> tuple[str, ...]:
    """Return the names of all commands."""
    return tuple(command.name for command in _commands())


def path_of(arguments: Sequence[str]) -> str:
    """Return the command in `arguments` as the person types it; for a group, with the command of the group."""
    words = [argument for argument in arguments if not argument.startswith("-")]
    found = next((command for command in _commands() if command.name == "".join(words[:1])), None)
    return " ".join(["qwen", *words[: 1 + found.is_group]] if found else ["qwen"])


def see_help(path: str) -> str:
    """Return the sentence that names the help of the command `path`."""
    return _("See: {command}").format(command=f"{path} --help")


def _commands() -> tuple[_Command, ...]:
    return (
        _Command("chat", _("A conversation in the terminal."), takes_files=True),
        _Command(
            "ask",
            _("One answer on stdout; what is piped in is the material, PROMPT the instruction."),
            takes_files=True,
        ),
        _Command("read", _("Read documents ahead of time: the first question about each is then answered at once.")),
        _Command("pull", _("Download a model, resuming where it stopped, and verify it.")),
        _Command("tune", _("Measure what is fastest on this PC, in about a minute, and use it from then on.")),
        _Command("bench", _("Measure the speed on this PC: a table, or --json for scripts.")),
        _Command(
            "compare",
            _("Does the card write better, or only faster? The same tasks on two sides, and an honest report."),
            takes_sides=True,
        ),
        _Command("doctor", _("Check this PC: what it has, what runs where and how fast, and what is wrong.")),
        _Command(
            "pack", _("Put a model into a folder or an archive for a computer without a network."), has_language=False
        ),
        _Command("models", _("The models on this computer."), is_group=True),
        _Command("templates", _("Prompt templates: built in, and your own."), is_group=True),
        _Command("logs", _("The conversations kept on this computer."), is_group=True),
        _Command("servers", _("OpenAI-compatible servers that answer in place of this computer."), is_group=True),
        _Command("cache", _("The cache of computed prompts on disk."), is_group=True),
        _Command("config", _("Show and change the settings."), is_group=True),
    )


def _not_run() -> None:
    raise AssertionError("another command was wanted")
