"""`qwen models`: the models on this computer, listed, described, checked and removed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from qwen_tui import files
from qwen_tui.cli import screen, taking_over
from qwen_tui.cli.asking import Asker
from qwen_tui.cli.config import use_model
from qwen_tui.cli.environment import Environment
from qwen_tui.cli.options import usable_settings
from qwen_tui.columns import table
from qwen_tui.engine import examining
from qwen_tui.errors import InvalidModelError, ModelNotFoundError, UsageError
from qwen_tui.files import size_text
from qwen_tui.hardware.tensors import kv_bytes
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import ngettext
from qwen_tui.models import inventory, listing, parts
from qwen_tui.models.catalogue import WORKING_BYTES
from qwen_tui.models.describing import describe
from qwen_tui.models.importing import elsewhere
from qwen_tui.models.inventory import Held
from qwen_tui.models.locate import locate
from qwen_tui.models.removing import remove, remove_leftover
from qwen_tui.models.shelf import Shelf
from qwen_tui.models.verifying import mending_of, missing, verify
from qwen_tui.planning import default_model
from qwen_tui.quoting import command_line
from qwen_tui.servers import on_server
from qwen_tui.typed_text import as_text

_CONTEXT = 8192

AsJson = Annotated[bool, typer.Option("--json", help=_("Print one JSON object."))]
Name = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME",
        show_default=False,
        help=_("A model's name, its file's name, or the beginning of its SHA-256."),
    ),
]
Yes = Annotated[bool, typer.Option("-y", "--yes", help=_("Do not ask."))]


def build() -> typer.Typer:
    """Return the command group."""
    app = typer.Typer()
    app.command("list", help=_("List the models, and what is left of broken downloads."))(list_)
    app.command("use", help=_("Have a model answer from now on where none is named."))(use)
    app.command("show", help=_("Show what a model is made of, and what it needs."))(show)
    app.command("import", help=_("Take over a model from a file, a folder, a USB stick or a pack."))(
        taking_over.import_
    )
    app.command("verify", help=_("Check one model, or all, against their SHA-256."))(verify_)
    app.command("rm", help=_("Remove a model; with --partial what is left of broken downloads."))(rm)
    app.command("path", help=_("Print where the models are, or where one is."))(path)
    return app


def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """Print one line a model."""
    environment = Environment.of(context)
    shelf = Shelf(files.folders().models)
    shelf.look()
    models, leftovers = inventory.held(shelf), inventory.leftovers(shelf)
    settings = usable_settings(environment, standing_in=True)
    usual = settings.model
    default = _file_of(usual, shelf)
    problems = _problems(models)
    others = elsewhere.without(elsewhere.find(), models)
    if as_json:
        chosen = next((one for one in models if one.file == default), None)
        printed = listing.listing(shelf.folder, models, leftovers, others, chosen, problems)
        environment.print(msgspec.json.encode(printed).decode())
        return
    for line in listing.lines(models, leftovers, default, problems, environment.columns):
        environment.print(line)
    if on_server(usual, settings.servers):
        environment.note(_("{name} answers where no model is named; it is on a server.").format(name=usual))
    elif not models:
        environment.note(_("There is no model yet: fetch one with qwen pull."))
    elif default is None:
        name = as_text(usual)
        environment.note(_("The default, {name}, is not here. Choose another: qwen models use NAME").format(name=name))
    if others:
        environment.note(elsewhere.summary(others))


def _file_of(name: str, shelf: Shelf) -> Path | None:
    try:
        return locate(name, shelf.folder)
    except (ModelNotFoundError, InvalidModelError):
        return None


def _on_this_computer(environment: Environment, name: str | None) -> str:
    """Return the `name` of a model, by default the one in use; raises `UsageError` for one on a server."""
    settings = usable_settings(environment, standing_in=True)
    wanted = name or settings.model
    if found := on_server(wanted, settings.servers):
        raise UsageError(
            _("{name} is on a server, and no file on this computer.").format(name=wanted),
            _("See what it is and has: {command}").format(
                command=command_line("qwen", "servers", "test", found.server)
            ),
        )
    return wanted


def _problems(models: Sequence[Held]) -> dict[Path, str]:
    """Return why the models that cannot answer cannot, by their files."""
    unknown = (one for one in models if one.state != "missing" and not one.entry)
    found = ((one.file, examining.problem(one.file, noting=False)) for one in unknown)
    return {file: problem.message for file, problem in found if problem}


def use(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help=_("A model's name, a .gguf file, or demo."))],
) -> None:
    """Have a model on this computer answer from now on where none is named."""
    environment = Environment.of(context)
    environment.print(use_model(environment, name))


def show(context: typer.Context, name: Name = None, as_json: AsJson = False) -> None:
    """Print what a model is made of, by its header alone."""
    environment = Environment.of(context)
    wanted = _on_this_computer(environment, name)
    shelf = Shelf(files.folders().models)
    held = inventory.find(wanted, shelf)
    if held and held.state == "missing":
        raise missing(held)
    file = held.file if held else locate(wanted, shelf.folder)
    header = parts.read_model(file)
    described = describe(
        held.name if held else wanted,
        file,
        header,
        kv_bytes=kv_bytes(header, "f16", _CONTEXT),
        working_bytes=WORKING_BYTES,
        held=held,
    )
    if as_json:
        environment.print(msgspec.json.encode(described).decode())
    else:
        environment.print(table(described.rows()))


def verify_(context: typer.Context, name: Name = None) -> None:
    """Hash one model or all of them; raises `InvalidModelError` if something is wrong."""
    shelf = Shelf(files.folders().models)
    environment = Environment.of(context)
    models = [inventory.get(name, shelf)] if name else inventory.held(shelf)
    if not models:
        environment.print(_("There is no model to check."))
    wrong = [held for held in models if not _is_whole(environment, held, shelf)]
    if wrong:
        sentence = ngettext("{n} model is damaged or missing.", "{n} models are damaged or missing.", len(wrong))
        remedies = "\n".join(dict.fromkeys(map(mending_of, wrong)))
        raise InvalidModelError(sentence.format(n=len(wrong)), remedies)


def _is_whole(environment: Environment, held: Held, shelf: Shelf) -> bool:
    """Hash all files of a model and print what that has shown."""
    verdicts = [_is_sound(environment, one, shelf) for one in held.pieces]
    return all(verdicts)


def _is_sound(environment: Environment, held: Held, shelf: Shelf) -> bool:
    """Hash one file and print what that has shown."""
    try:
        with screen.transfer(environment, _("Checking {name}").format(name=held.name)) as show:
            verdict = verify(held, shelf, show)
    except (ModelNotFoundError, InvalidModelError) as error:
        environment.print(f"{held.name}: {error.message}")
        return False
    if not verdict.whole:
        environment.print(
            _("{name}: DAMAGED, its SHA-256 is {found} and not {expected}").format(
                name=held.name, found=verdict.sha256, expected=verdict.expected
            )
        )
    elif verdict.expected:
        environment.print(_("{name}: intact, its SHA-256 is {found}").format(name=held.name, found=verdict.sha256))
    else:
        environment.print(
            _("{name}: its SHA-256 is {found}, now recorded; no published one is known to compare it with").format(
                name=held.name, found=verdict.sha256
            )
        )
    return verdict.whole


def rm(
    context: typer.Context,
    name: Name = None,
    yes: Yes = False,
    partial: Annotated[bool, typer.Option("--partial", help=_("Remove what is left of broken downloads."))] = False,
) -> int:
    """Remove a model's file and record, of a linked one the record alone; the exit code is 1 if it is to stay."""
    shelf = Shelf(files.folders().models)
    environment = Environment.of(context)
    if partial:
        return _remove_partials(environment, shelf, yes=yes)
    if name is None:
        raise UsageError(_("Which model?"), _("Name it; see: qwen models list"))
    held = inventory.get(name, shelf)
    if held.linked:
        question = _("Forget {name}? Its file stays at {path}.").format(name=held.name, path=held.file)
    else:
        question = _("Remove {name} ({size})?").format(name=held.name, size=size_text(held.size))
    if not Asker(environment).agreed(question, yes=yes):
        return 1
    was_chosen = default_model.is_chosen(held, environment.variables)
    remove(held, shelf)
    done = _("{name} is forgotten.") if held.linked else _("{name} is removed.")
    environment.print(done.format(name=held.name))
    if was_chosen:
        environment.print(default_model.unchoose(environment.variables))
    return 0


def path(context: typer.Context, name: Name = None) -> None:
    """Print the models folder, or the file of a model."""
    shelf = Shelf(files.folders().models)
    found: Path = shelf.folder
    if name:
        name = _on_this_computer(Environment.of(context), name)
        held = inventory.find(name, shelf)
        found = held.file if held else locate(name, shelf.folder)
    Environment.of(context).print(str(found))


def _remove_partials(environment: Environment, shelf: Shelf, *, yes: bool) -> int:
    there = inventory.leftovers(shelf)
    size = sum(one.size for one in there)
    if there:
        question = ngettext("Remove {n} incomplete file ({size})?", "Remove {n} incomplete files ({size})?", len(there))
        if not Asker(environment).agreed(question.format(n=len(there), size=size_text(size)), yes=yes):
            return 1
    removed = 0
    for one in there:
        if remove_leftover(one):
            removed += 1
        else:
            environment.note(_("{name} is being fetched just now: it stays.").format(name=one.name))
    environment.print(
        ngettext("{n} incomplete file removed", "{n} incomplete files removed", removed).format(n=removed)
    )
    return 0 if removed == len(there) else 1
