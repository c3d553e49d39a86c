"""`qwen logs`: the conversations kept, listed, shown, searched, exported and removed."""

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from qwen_tui import files
from qwen_tui.chat import export, overviews
from qwen_tui.chat.fitting.kept_parts import PartsFolder
from qwen_tui.cli import screen
from qwen_tui.cli.asking import Asker
from qwen_tui.cli.cache import removing
from qwen_tui.cli.environment import Environment
from qwen_tui.cli.options import usable_settings
from qwen_tui.errors import HistoryError, UsageError
from qwen_tui.history.records import StoredConversation, Summary
from qwen_tui.history.store import History
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import ngettext
from qwen_tui.planning import kept_states
from qwen_tui.terminal.sanitise import clean
from qwen_tui.terminal.streams import write

Id = Annotated[
    str | None,
    typer.Argument(
        metavar="ID", show_default=False, help=_("A conversation's ID, or its beginning; without it, the latest.")
    ),
]
Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID", show_default=False, help=_("The IDs of conversations, or their beginnings.")),
]
Count = Annotated[int, typer.Option("-n", "--count", metavar="N", help=_("How many, at most."), min=1)]
AsJson = Annotated[bool, typer.Option("--json", help=_("Print one JSON object."))]
OlderThan = Annotated[
    str | None,
    typer.Option("--older-than", metavar="AGE", help=_("Those last written longer ago than AGE: 12h, 30d, 8w or 1y.")),
]
All = Annotated[bool, typer.Option("--all", help=_("All of them."))]
Yes = Annotated[bool, typer.Option("-y", "--yes", help=_("Do not ask."))]
# In hours.
_UNITS = {"h": 1, "d": 24, "w": 7 * 24, "y": 365 * 24}
# So many removed conversations are named.
_MOST_NAMED = 20


def build() -> typer.Typer:
    """Return the command group."""
    app = typer.Typer()
    app.command("list", help=_("List the latest conversations."))(list_)
    app.command("show", help=_("Print a conversation as Markdown."))(show)
    app.command("search", help=_("Find conversations by words."))(search)
    app.command("export", help=_("Write a conversation to FILE: .md, .html or .json."))(export_)
    app.command("rm", help=_("Remove conversations for good."))(rm)
    app.command("path", help=_("Print where the conversations are."))(path)
    return app


def list_(context: typer.Context, count: Count = 20, as_json: AsJson = False) -> None:
    """Print one line a conversation, newest first."""
    environment = Environment.of(context)
    found = _recent(count + 1)
    recent = found[:count]
    if as_json:
        environment.print(export.index(recent))
    elif recent:
        environment.print(overviews.conversations(recent, environment.columns))
        if len(found) > count and environment.stdout.isatty():
            environment.note(_("There are older ones, too: qwen logs list -n {n}").format(n=10 * count))
    else:
        environment.note(_none().message)


def show(context: typer.Context, conversation: Id = None) -> None:
    """Print a conversation."""
    environment = Environment.of(context)
    settings = usable_settings(environment)
    screen.print_markdown(environment, settings, export.export(_read(conversation), "md"))


def search(
    context: typer.Context,
    words: Annotated[list[str], typer.Argument(metavar="WORDS", help=_("All of them stand in one message."))],
    count: Count = 20,
    as_json: AsJson = False,
) -> int:
    """Print the conversations found, each with the line that matched; the exit code is 1 if there are none."""
    environment = Environment.of(context)
    wanted = " ".join(words)
    found = _history().search(wanted, count) if _recent(1) else []
    if as_json:
        environment.print(export.index(found))
    elif not found:
        environment.note(overviews.nothing_found(wanted))
    elif environment.stdout.isatty():
        bold = screen.bold(environment)
        shown = overviews.found([_cleaned(one) for one in found], wanted, environment.columns, bold)
        write(environment.stdout, f"{shown}\n")
    else:
        environment.print(overviews.found(found, wanted, None))
    return 0 if found else 1


def export_(
    context: typer.Context,
    conversation: Id = None,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", show_default=False, help=_("Without it, it is printed."))
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", metavar="md|html|json", help=_("The format, where FILE does not say it."))
    ] = None,
) -> None:
    """Write a conversation to a file in the format its name ends in, or to stdout."""
    if conversation is not None and file is None and Path(conversation).suffix.removeprefix(".") in export.FORMATS:
        # No ID has a full stop in it: the latest conversation is meant.
        file, conversation = files.expand(conversation), None
    chosen = form or (file.suffix.removeprefix(".").lower() if file else "md")
    content = export.export(_read(conversation), chosen)
    if file is None:
        Environment.of(context).print(content)
        return
    files.save_new(file, content)


def rm(
    context: typer.Context,
    conversations: Ids = None,
    older_than: OlderThan = None,
    everything: All = False,
    yes: Yes = False,
) -> int:
    """Remove conversations, and what was computed for them; none of them where one of the IDs is wrong."""
    if sum((bool(conversations), older_than is not None, everything)) != 1:
        raise UsageError(_("Which conversations? Name their IDs, or write --older-than AGE, or --all."))
    environment = Environment.of(context)
    if conversations:
        chosen = _named(conversations)
    else:
        before = time.time() - _seconds(older_than) if older_than is not None else float("inf")
        chosen = [one for one in _recent(None) if one.written < before]
    if not chosen:
        environment.note(_("There is no conversation to remove."))
        return 0
    n = len(chosen)
    question = ngettext("Remove this conversation for good?", "Remove these {n} conversations for good?", n).format(n=n)
    listed = overviews.conversations(chosen[:_MOST_NAMED], environment.columns) + ("\n…" if n > _MOST_NAMED else "")
    if not yes:
        environment.note(listed)
    if not Asker(environment).agreed(question, yes=yes):
        return 1
    kept, parts = kept_states.store(usable_settings(environment)), PartsFolder(files.folders().parts)
    for removed in _history().remove(*(one.id for one in chosen)):
        with removing(files.folders().states):
            kept.forget(removed)
        with removing(files.folders().parts):
            parts.forget(removed)
    if yes:
        environment.print(listed)
    environment.print(ngettext("{n} conversation removed.", "{n} conversations removed.", n).format(n=n))
    return 0


def path(context: typer.Context) -> None:
    """Print the path of the database."""
    Environment.of(context).print(str(files.folders().history))


def _named(conversations: list[str]) -> list[Summary]:
    """Return the conversations of these IDs; raises `HistoryError`, and says that none was removed."""
    history, named = _history(), {}
    for conversation in conversations:
        try:
            found = history.read(conversation).summary
        except HistoryError as error:
            if len(conversations) > 1:
                error.message = " ".join((error.message, _("Nothing was removed.")))
            raise
        named[found.id] = found
    return list(named.values())


def _seconds(age: str) -> float:
    """Return how long an age such as 30d is; raises `UsageError`."""
    found = re.fullmatch(r"(\d{1,6})\s*([hdwy])", age.strip().lower())
    if found is None:
        raise UsageError(
            _("--older-than: “{value}” is not a length of time.").format(value=age),
            _("Write a number of hours, days, weeks or years: 12h, 30d, 8w, 1y."),
        )
    return int(found[1]) * _UNITS[found[2]] * 3600.0


def _history() -> History:
    """Return the conversations kept; raises `HistoryError` where none ever was."""
    file = files.folders().history
    if _is_missing(file):
        raise _none()
    return History(file)


def _is_missing(file: Path) -> bool:
    """Whether nothing was kept yet; false if the file cannot be looked at: opening it then says what is wrong."""
    try:
        file.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _recent(count: int | None) -> list[Summary]:
    """Return the conversations last written, None for all."""
    # A command that only looks creates no file.
    return [] if _is_missing(files.folders().history) else _history().recent(count)


def _read(conversation: str | None) -> StoredConversation:
    """Return the conversation of this ID, or the one last written."""
    history = _history()
    wanted = history.last() if conversation is None else conversation
    if wanted is None:
        raise _none()
    return history.read(wanted)


def _none() -> HistoryError:
    return HistoryError(_("There is no conversation yet."), _("Begin one with: qwen chat"))


def _cleaned(summary: Summary) -> Summary:
    hit = summary.hit and replace(summary.hit, name=clean(summary.hit.name), line=clean(summary.hit.line))
    return replace(summary, title=clean(summary.title), hit=hit)
