"""`qwen logs`: the conversations kept, listed, shown, searched, exported and removed."""

from pathlib import Path
from typing import Annotated

import typer

from qwen_tui import files
from qwen_tui.chat import overviews
from qwen_tui.chat.export import export
from qwen_tui.cli import screen
from qwen_tui.cli.cache import removing
from qwen_tui.cli.environment import Environment
from qwen_tui.cli.options import usable_settings
from qwen_tui.history.records import Summary
from qwen_tui.history.store import History
from qwen_tui.i18n import gettext as _
from qwen_tui.planning import states

Id = Annotated[str, typer.Argument(metavar="ID", help=_("A conversation's id, or its beginning."))]
Count = Annotated[int, typer.Option("-n", "--count", metavar="N", help=_("At most so many."), min=1)]


def build() -> typer.Typer:
    """Return the command group."""
    app = typer.Typer()
    app.command("list", help=_("List the conversations last written."))(list_)
    app.command("show", help=_("Print a conversation as Markdown."))(show)
    app.command("search", help=_("Find conversations by words."))(search)
    app.command("export", help=_("Write a conversation to FILE: .md, .html or .json."))(export_)
    app.command("rm", help=_("Remove conversations for good."))(rm)
    app.command("path", help=_("Print where the conversations are."))(path)
    return app


def list_(context: typer.Context, count: Count = 20) -> None:
    """Print one line a conversation, newest first."""
    _print_summaries(Environment.of(context), _history().recent(count))


def show(context: typer.Context, conversation: Id) -> None:
    """Print a conversation."""
    environment = Environment.of(context)
    settings = usable_settings(environment)
    screen.print_markdown(environment, settings, export(_history().read(conversation), "md"))


def search(
    context: typer.Context, words: Annotated[list[str], typer.Argument(metavar="WORDS")], count: Count = 20
) -> int:
    """Print the conversations found, each with the line that matched; the exit code is 1 if there are none."""
    found = _history().search(" ".join(words), count)
    _print_summaries(Environment.of(context), found, " ".join(words))
    return 0 if found else 1


def export_(
    context: typer.Context,
    conversation: Id,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", show_default=False)] = None,
    form: Annotated[
        str | None, typer.Option("--format", metavar="md|html|json", help=_("The format, where FILE does not say it."))
    ] = None,
) -> None:
    """Write a conversation to a file in the format its name ends in, or to stdout."""
    chosen = form or (file.suffix.removeprefix(".").lower() if file else "md")
    content = export(_history().read(conversation), chosen)
    if file is None:
        Environment.of(context).print(content)
        return
    files.save_new(file, content)


def rm(context: typer.Context, conversations: Annotated[list[str], typer.Argument(metavar="ID")]) -> None:
    """Remove conversations, and what was computed for them."""
    history = _history()
    kept = states.store(usable_settings(Environment.of(context)))
    for conversation in conversations:
        with removing(files.folders().states):
            kept.forget(history.remove(conversation))


def path(context: typer.Context) -> None:
    """Print the path of the database."""
    Environment.of(context).print(str(files.folders().history))


def _history() -> History:
    return History(files.folders().history)


def _print_summaries(environment: Environment, summaries: list[Summary], words: str = "") -> None:
    if summaries:
        environment.print(overviews.conversations(summaries, words, environment.columns))
