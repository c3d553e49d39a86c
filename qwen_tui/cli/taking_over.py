"""`qwen models import`: models taken over from a file, a folder, a pack, or another program."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from qwen_tui import columns, config, files
from qwen_tui.cli import asking, screen
from qwen_tui.cli.environment import Environment
from qwen_tui.errors import ConfigError, InvalidModelError, ModelNotFoundError, QwenError, UsageError, why
from qwen_tui.files import expand, quoted, size_text
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import ngettext
from qwen_tui.models import inventory, listing
from qwen_tui.models.importing import elsewhere, importing, unpacking
from qwen_tui.models.importing.elsewhere import ForeignModel
from qwen_tui.models.importing.importing import Imported, Importer
from qwen_tui.models.importing.pack_format import PackedModel
from qwen_tui.models.importing.unpacking import Pack
from qwen_tui.models.shelf import Shelf, is_outside

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
    """Take models over and print the names by which they are used."""
    environment = Environment.of(context)
    shelf = Shelf(files.folders().models)
    if path is None:
        return _from_elsewhere(environment, shelf, link=link, yes=yes)
    source = expand(path)
    _require_readable(source)
    with unpacking.opened(source) as pack:
        if pack:
            _from_pack(environment, pack, shelf, link=link, yes=yes)
            return 0
    if source.is_dir():
        return _from_folder(environment, source, shelf, link=link, yes=yes)
    take(environment, source, shelf, link=link)
    return 0


def _require_readable(source: Path) -> None:
    remedy = _("Check the path; relative ones start in this folder.")
    try:
        if source.is_dir():
            # A folder that cannot be read would look like one without a model.
            os.listdir(source)  # noqa: PTH208 - read, not used
            (source / ".").stat()
        elif not source.exists():
            raise ModelNotFoundError(_("There is no file {path}.").format(path=source), remedy)
    except OSError as error:
        raise ModelNotFoundError(
            _("{path} cannot be read: {reason}").format(path=source, reason=why(error)), remedy
        ) from error


def take(
    environment: Environment, source: Path, shelf: Shelf, *, link: bool = False, called: str = "", origin: str = ""
) -> Imported:
    """Take over one file, show how far that is, and say under which name it is used; raises as `Importer.take`."""
    if not called and not importing.is_model_name(source.name):
        # ollama calls its files by their hashes.
        called = next((one.called for one in elsewhere.find() if one.path == source.absolute()), "")
    name = called or source.name
    what = _("Checking {name}") if link else _("Copying {name}")
    with screen.transfer(environment, what.format(name=name)) as show:
        done = Importer(shelf, show, partial(_say_waiting, environment)).take(
            source, link=link, called=called, origin=origin
        )
    _tell(environment, done)
    return done


def _from_folder(environment: Environment, folder: Path, shelf: Shelf, *, link: bool, yes: bool) -> int:
    found = importing.models_in(folder)
    if not found:
        raise ModelNotFoundError(
            _("There is no model in {path}.").format(path=folder), _("A model is a file that ends in .gguf.")
        )
    chosen = [path for path in found if importing.of_size(path.stat().st_size)] if yes else []
    if len(found) == 1:
        chosen = found
    elif not chosen:
        if not environment.can_ask:
            raise UsageError(
                _("There are several models in {path}.").format(path=folder),
                "\n".join([_("Import one of them:"), *(f"  qwen models import {quoted(path)}" for path in found[:10])]),
            )
        rows = columns.lines([(str(path.relative_to(folder)), size_text(path.stat().st_size)) for path in found])
        chosen = [
            found[index] for index in asking.choose(environment, rows, _("Which? (numbers, all, or Enter for none)"))
        ]
    _each([(str(path), partial(take, environment, path, shelf, link=link)) for path in chosen])
    return 0 if chosen else 1


def _from_elsewhere(environment: Environment, shelf: Shelf, *, link: bool, yes: bool) -> int:
    found = listing.without(elsewhere.find(), inventory.held(shelf))
    if not found:
        raise ModelNotFoundError(
            _("No other program has a model here that is not taken over yet."),
            _("Name a file or a folder: qwen models import PATH. Or fetch one: qwen pull"),
        )
    if yes:
        chosen = found[:1]
    elif environment.can_ask:
        rows = columns.lines([(one.called, size_text(one.size), one.program) for one in found])
        chosen = [
            found[index] for index in asking.choose(environment, rows, _("Which? (numbers, all, or Enter for none)"))
        ]
        link = link or (bool(chosen) and wants_link(environment, chosen))
    else:
        raise UsageError(
            listing.elsewhere(found),
            "\n".join([_("Import one of them:"), *(f"  qwen models import {quoted(one.path)}" for one in found[:10])]),
        )
    _each(
        [
            (
                str(one.path),
                partial(take, environment, one.path, shelf, link=link, called=one.called, origin=one.program),
            )
            for one in chosen
        ]
    )
    return 0 if chosen else 1


def _each(takes: Sequence[tuple[str, Callable[[], object]]]) -> None:
    """Take over one file after the other, each by its name; raises `InvalidModelError` at the end if some were refused.

    A single one raises what is wrong with it.
    """
    if len(takes) == 1:
        takes[0][1]()
        return
    refused: list[str] = []
    for name, take_one in takes:
        try:
            take_one()
        except QwenError as error:
            reason = error.message if name in error.message else f"{name}: {error.message}"
            refused.append(f"  {reason} {error.remedy}")
    if refused:
        sentence = ngettext(
            "{n} of {total} files was not taken over:", "{n} of {total} files were not taken over:", len(refused)
        )
        raise InvalidModelError(sentence.format(n=len(refused), total=len(takes)), "\n".join(refused))


def wants_link(environment: Environment, chosen: Sequence[ForeignModel]) -> bool:
    """Say what a copy and what a link of another program's files costs, and ask which it is to be."""
    size = size_text(sum(one.size for one in chosen))
    programs = ", ".join(dict.fromkeys(one.program for one in chosen))
    environment.note(
        _("A copy takes {size} more of the disk. A link takes nothing, but is lost when {program} tidies up.").format(
            size=size, program=programs
        )
    )
    return not asking.confirm(environment, _("Copy?"), default=True)


def _from_pack(environment: Environment, pack: Pack, shelf: Shelf, *, link: bool, yes: bool) -> None:
    if link:
        raise UsageError(
            _("What is in a pack is copied, not linked."), _("Leave out --link, or name the .gguf file in the pack.")
        )
    try:
        _each([(model.file, partial(_take_packed, environment, pack, model, shelf)) for model in pack.manifest.models])
    except QwenError:
        if pack.config() is not None:
            environment.note(_("The settings in the pack are left out, since not all of it could be taken over."))
        raise
    try:
        _offer_config(environment, pack, yes=yes)
    except InvalidModelError as error:
        environment.note(_("The settings in the pack are left out: {reason}").format(reason=error.message))


def _take_packed(environment: Environment, pack: Pack, model: PackedModel, shelf: Shelf) -> None:
    with screen.transfer(environment, _("Copying {name}").format(name=model.file)) as show:
        done = pack.take(model, Importer(shelf, show, partial(_say_waiting, environment)))
    _tell(environment, done)


def _offer_config(environment: Environment, pack: Pack, *, yes: bool) -> None:
    content = pack.config()
    if content is None:
        return
    own = files.folders().config_file
    if own.exists():
        environment.note(_("The settings in the pack are left out: you have your own in {path}.").format(path=own))
    elif yes or (environment.can_ask and asking.confirm(environment, _("Use the settings in the pack?"), default=True)):
        waiting = own.with_name(f"{own.name}.new")
        try:
            files.write_private(waiting, content)
            # Settings that cannot be used would stop every command.
            config.load(waiting, environ={})
            waiting.replace(own)
            environment.note(_("The settings in the pack are yours now: {path}").format(path=own))
        except (OSError, ConfigError) as error:
            reason = error.message if isinstance(error, ConfigError) else error
            environment.note(_("The settings in the pack are left out: {reason}").format(reason=reason))
        finally:
            waiting.unlink(missing_ok=True)
    else:
        environment.note(_("The settings in the pack are left out; --yes takes them over."))


def _tell(environment: Environment, done: Imported) -> None:
    record = done.record
    if done.already:
        environment.print(_("It is here already; use it with: -m {name}").format(name=quoted(record.name)))
        return
    environment.print(_("Imported; use it with: -m {name}").format(name=quoted(record.name)))
    if is_outside(record):
        environment.note(_("It is used where it is: {path} must stay there.").format(path=record.path))
    if not record.pinned:
        environment.note(
            _("No published hash vouches for {file}: trust it only as far as where it came from.").format(
                file=os.path.basename(record.path)  # noqa: PTH119 - a name, not a file
            )
        )


def _say_waiting(environment: Environment) -> None:
    environment.note(_("Another import is running; waiting for it to end."))
