"""The tree of commands."""

import sys

import typer

from qwen_tui.i18n import gettext as _


def build() -> typer.Typer:
    """Return the command line, its help in the language in use."""
    from qwen_tui.cli import ask, bench, cache, chat, config, doctor, logs, templates, tune

    app = typer.Typer(
        name="qwen",
        help=_("A terminal assistant for ordinary PCs. Nothing you write leaves this computer."),
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.command("chat", help=_("Talk: a conversation in the terminal."))(chat.chat)
    app.command("ask", help=_("One answer on stdout; piped stdin is the material, PROMPT the instruction."))(ask.ask)
    app.command("tune", help=_("Measure what is fastest on this PC, in about a minute, and use it from then on."))(
        tune.tune
    )
    app.command("bench", help=_("Measure the speed on this PC: a table for people, --json for scripts."))(bench.bench)
    app.command("doctor", help=_("Tell what this PC has, what will run where and how fast, and what is wrong."))(
        doctor.doctor
    )
    app.add_typer(templates.build(), name="templates")
    app.add_typer(logs.build(), name="logs")
    app.add_typer(cache.build(), name="cache")
    app.add_typer(config.build(), name="config")

    @app.callback(invoke_without_command=True)
    def bare(
        context: typer.Context,
        version: bool = typer.Option(False, "--version", help=_("Show the version.")),
    ) -> int | None:
        if version:
            from qwen_tui import __version__

            typer.echo(f"qwen-tui {__version__}")
            raise typer.Exit
        if context.invoked_subcommand is None:
            if not (sys.stdin.isatty() and sys.stdout.isatty()):
                typer.echo(context.get_help())
                raise typer.Exit
            raise typer.Exit(chat.chat())
        return None

    return app
