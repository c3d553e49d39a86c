"""`qwen cache`: the computed prompt states kept on disk, and the finished parts of long work, shown and cleared."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import typer

from qwen_tui import cancellation, files
from qwen_tui.chat.document_state import is_owner
from qwen_tui.chat.fitting import kept_parts
from qwen_tui.chat.fitting.kept_parts import PartsFolder
from qwen_tui.cli.environment import Environment
from qwen_tui.cli.options import usable_settings
from qwen_tui.columns import cut
from qwen_tui.errors import HistoryError, WriteError, why
from qwen_tui.history.store import History
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import ngettext
from qwen_tui.planning import kept_states


def build() -> typer.Typer:
    """Return the command group."""
    app = typer.Typer()
    app.command("show", help=_("Show what is kept, and how much of the limit it takes."))(show)
    app.command("clear", help=_("Remove all of it; it is computed again when it is needed."))(clear)
    return app


def show(context: typer.Context) -> None:
    """Print the states, then the parts, one line for each conversation, the one last used first."""
    environment = Environment.of(context)
    settings = usable_settings(environment)
    # The engine does without a folder that the system refuses; who wants to see it has to hear of that.
    files.listing(files.folders().states)
    entries = kept_states.store(settings).entries()
    for entry in entries:
        cancellation.check()
        size = _("{size} MB").format(size=f"{entry.size / 1e6:,.1f}")
        tokens = ngettext("{n} token", "{n} tokens", entry.tokens).format(n=entry.tokens)
        _print_entry(environment, entry.conversation, entry.used, size, tokens)
    total = _("{n} kept, {size} MB of {limit} MB").format(
        n=len(entries),
        size=f"{sum(entry.size for entry in entries) / 1e6:,.1f}",
        limit=f"{kept_states.limit(settings) / 1e6:,.0f}",
    )
    environment.print(total + ("" if settings.cache else _(" (switched off: cache = false)")))
    _show_parts(environment)


def _show_parts(environment: Environment) -> None:
    """Print the finished parts of long work, if there are any."""
    files.listing(files.folders().parts)
    entries = PartsFolder(files.folders().parts).entries()
    for entry in entries:
        n = ngettext("{n} part", "{n} parts", entry.parts).format(n=entry.parts)
        _print_entry(environment, entry.conversation, entry.used, files.size_text(entry.size), n)
    count = sum(entry.parts for entry in entries)
    if count:
        total = ngettext("{n} part kept, {size} of {limit}", "{n} parts kept, {size} of {limit}", count).format(
            n=count,
            size=files.size_text(sum(entry.size for entry in entries)),
            limit=files.size_text(kept_parts.MOST_BYTES),
        )
        environment.print(total)


def _print_entry(environment: Environment, conversation: str, used: float, *about: str) -> None:
    line = "  ".join((conversation, files.time_text(used), *about, _title(conversation)))
    environment.print(cut(line, environment.columns) if environment.columns else line)


def clear(context: typer.Context) -> None:
    """Remove every state and every part."""
    environment = Environment.of(context)
    settings = usable_settings(environment)
    with removing(files.folders().states):
        count = kept_states.store(settings).clear()
    environment.print(ngettext("{n} state removed", "{n} states removed", count).format(n=count))
    with removing(files.folders().parts):
        count = PartsFolder(files.folders().parts).clear()
    if count:
        environment.print(ngettext("{n} part removed", "{n} parts removed", count).format(n=count))


@contextlib.contextmanager
def removing(folder: Path) -> Iterator[None]:
    """Turn an `OSError` from removing what is in `folder` in the block into `WriteError`."""
    try:
        yield
    except OSError as error:
        raise WriteError(
            _("The computed prompts could not be removed from {path}: {reason}").format(path=folder, reason=why(error)),
            _("Delete the folder by hand."),
        ) from error


def _title(conversation: str) -> str:
    if is_owner(conversation):
        return _("a document that was read ahead of time")
    if not files.is_there(files.folders().history):
        return ""
    try:
        with contextlib.closing(History(files.folders().history)) as history:
            title = history.read(conversation).summary.title
    except HistoryError:
        return ""
    return " ".join(title.split())
