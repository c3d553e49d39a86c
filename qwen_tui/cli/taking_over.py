"""`qwen models import`: models taken over from a file, a folder, a pack, or another program."""

import os
from typing import Annotated

import typer

from qwen_tui import files, typed_paths
from qwen_tui.cli.asking import Asker
from qwen_tui.cli.environment import Environment
from qwen_tui.errors import QwenError
from qwen_tui.files import expand
from qwen_tui.i18n import gettext as _
from qwen_tui.models.importing.importing import Imported
from qwen_tui.models.importing.takeover import Takeover
from qwen_tui.models.shelf import ModelRecord, Shelf, is_outside
from qwen_tui.planning import default_model
from qwen_tui.quoting import quoted

Source = Annotated[
    str | None,
    typer.Argument(
        metavar="PATH",
        show_default=False,
        help=_("A .gguf file, a folder with some, or a pack; without it, what other programs have fetched is offered."),
    ),
]
Link = Annotated[
    bool, typer.Option("--link", help=_("Do not copy: use the file where it is, which must then stay there."))
]
Yes = Annotated[bool, typer.Option("-y", "--yes", help=_("Do not ask: take what is recognised."))]


def import_(context: typer.Context, path: Source = None, link: Link = False, yes: Yes = False) -> int:
    """Take models over and print the names by which they are used; one of them answers from now on if none does yet."""
    environment = Environment.of(context)
    taken: list[ModelRecord] = []
    taking = takeover(environment, taken, link=link, yes=yes)
    refused: QwenError | None = None
    is_wanted = False
    try:
        is_wanted = taking.from_elsewhere() if path is None else taking.from_path(expand(typed_paths.meant(path)))
    except QwenError as error:
        # Where one of several files was refused, the others have come all the same.
        refused = error
    for sentence in default_model.after_arrival(taken, environment.variables):
        environment.note(sentence)
    if refused:
        raise refused
    return 0 if is_wanted else 1


def takeover(
    environment: Environment, taken: list[ModelRecord] | None = None, *, link: bool = False, yes: bool = False
) -> Takeover:
    """Return what takes models over, asks the person at the terminal, and prints what it has taken.

    It adds each model to `taken`.
    """
    records = [] if taken is None else taken

    def on_taken(done: Imported) -> None:
        records.append(done.record)
        _print_taken(environment, done)

    return Takeover(Shelf(files.folders().models), Asker(environment), on_taken, link=link, yes=yes)


def _print_taken(environment: Environment, done: Imported) -> None:
    record = done.record
    if done.already:
        environment.print(_("It is here already; use it with: -m {name}").format(name=quoted(record.name)))
        return
    environment.print(_("Imported; use it with: -m {name}").format(name=quoted(record.name)))
    if is_outside(record):
        environment.note(_("It is used where it is: {path} must stay there.").format(path=record.path))
    if not record.pinned:
        environment.note(
            _("No published hash is known for {file}: be sure that you trust its source.").format(
                file=os.path.basename(record.path)  # noqa: PTH119 - a name, not a file
            )
        )
