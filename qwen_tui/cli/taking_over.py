"""`qwen models import`: models taken over from a file, a folder, a pack, or another program."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from qwen_tui import columns, config, files
from qwen_tui.cli import asking, screen
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
from qwen_tui.terminal.sanitise import clean

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


def import_(path: Source = None, link: Link = False, yes: Yes = False) -> int:
    """Take models over and print the names by which they are used."""
    shelf = Shelf(files.folders().models)
    if path is None:
        return _from_elsewhere(shelf, link=link, yes=yes)
    source = expand(path)
    _require_readable(source)
    with unpacking.opened(source) as pack:
        if pack:
            _from_pack(pack, shelf, link=link, yes=yes)
            return 0
    if source.is_dir():
        return _from_folder(source, shelf, link=link, yes=yes)
    take(source, shelf, link=link)
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


def take(source: Path, shelf: Shelf, *, link: bool = False, called: str = "", origin: str = "") -> Imported:
    """Take over one file, show how far that is, and say under which name it is used; raises as `Importer.take`."""
    if not called and not importing.is_model_name(source.name):
        # ollama calls its files by their hashes.
        called = next((one.called for one in elsewhere.find() if one.path == source.absolute()), "")
    name = called or source.name
    what = _("Checking {name}") if link else _("Copying {name}")
    with screen.transfer(what.format(name=name)) as show:
        done = Importer(shelf, show, _say_waiting).take(source, link=link, called=called, origin=origin)
    _tell(done)
    return done


def _from_folder(folder: Path, shelf: Shelf, *, link: bool, yes: bool) -> int:
    found = importing.models_in(folder)
    if not found:
        raise ModelNotFoundError(
            _("There is no model in {path}.").format(path=folder), _("A model is a file that ends in .gguf.")
        )
    chosen = [path for path in found if importing.of_size(path.stat().st_size)] if yes else []
    if len(found) == 1:
        chosen = found
    elif not chosen:
        if not asking.can_ask():
            raise UsageError(
                _("There are several models in {path}.").format(path=folder),
                "\n".join([_("Import one of them:"), *(f"  qwen models import {quoted(path)}" for path in found[:10])]),
            )
        rows = columns.lines([(str(path.relative_to(folder)), size_text(path.stat().st_size)) for path in found])
        chosen = [found[index] for index in asking.choose(rows, _("Which? (numbers, all, or Enter for none)"))]
    _each([(str(path), partial(take, path, shelf, link=link)) for path in chosen])
    return 0 if chosen else 1


def _from_elsewhere(shelf: Shelf, *, link: bool, yes: bool) -> int:
    found = listing.without(elsewhere.find(), inventory.held(shelf))
    if not found:
        raise ModelNotFoundError(
            _("No other program has a model here that is not taken over yet."),
            _("Name a file or a folder: qwen models import PATH. Or fetch one: qwen pull"),
        )
    if yes:
        chosen = found[:1]
    elif asking.can_ask():
        rows = columns.lines([(one.called, size_text(one.size), one.program) for one in found])
        chosen = [found[index] for index in asking.choose(rows, _("Which? (numbers, all, or Enter for none)"))]
        link = link or (bool(chosen) and wants_link(chosen))
    else:
        raise UsageError(
            listing.elsewhere(found),
            "\n".join([_("Import one of them:"), *(f"  qwen models import {quoted(one.path)}" for one in found[:10])]),
        )
    _each(
        [
            (str(one.path), partial(take, one.path, shelf, link=link, called=one.called, origin=one.program))
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


def wants_link(chosen: Sequence[ForeignModel]) -> bool:
    """Say what a copy and what a link of another program's files costs, and ask which it is to be."""
    size = size_text(sum(one.size for one in chosen))
    programs = ", ".join(dict.fromkeys(one.program for one in chosen))
    _say(
        _("A copy takes {size} more of the disk. A link takes nothing, but is lost when {program} tidies up.").format(
            size=size, program=programs
        ),
        err=True,
    )
    return not asking.confirm(_("Copy?"), default=True)


def _from_pack(pack: Pack, shelf: Shelf, *, link: bool, yes: bool) -> None:
    if link:
        raise UsageError(
            _("What is in a pack is copied, not linked."), _("Leave out --link, or name the .gguf file in the pack.")
        )
    try:
        _each([(model.file, partial(_take_packed, pack, model, shelf)) for model in pack.manifest.models])
    except QwenError:
        if pack.config() is not None:
            _say(_("The settings in the pack are left out, since not all of it could be taken over."), err=True)
        raise
    try:
        _offer_config(pack, yes=yes)
    except InvalidModelError as error:
        _say(_("The settings in the pack are left out: {reason}").format(reason=error.message), err=True)


def _take_packed(pack: Pack, model: PackedModel, shelf: Shelf) -> None:
    with screen.transfer(_("Copying {name}").format(name=model.file)) as show:
        done = pack.take(model, Importer(shelf, show, _say_waiting))
    _tell(done)


def _offer_config(pack: Pack, *, yes: bool) -> None:
    content = pack.config()
    if content is None:
        return
    own = files.folders().config_file
    if own.exists():
        _say(_("The settings in the pack are left out: you have your own in {path}.").format(path=own), err=True)
    elif yes or (asking.can_ask() and asking.confirm(_("Use the settings in the pack?"), default=True)):
        waiting = own.with_name(f"{own.name}.new")
        try:
            files.write_private(waiting, content)
            # Settings that cannot be used would stop every command.
            config.load(waiting, environ={})
            waiting.replace(own)
            _say(_("The settings in the pack are yours now: {path}").format(path=own), err=True)
        except (OSError, ConfigError) as error:
            reason = error.message if isinstance(error, ConfigError) else error
            _say(_("The settings in the pack are left out: {reason}").format(reason=reason), err=True)
        finally:
            waiting.unlink(missing_ok=True)
    else:
        _say(_("The settings in the pack are left out; --yes takes them over."), err=True)


def _tell(done: Imported) -> None:
    record = done.record
    if done.already:
        _say(_("It is here already; use it with: -m {name}").format(name=quoted(record.name)))
        return
    _say(_("Imported; use it with: -m {name}").format(name=quoted(record.name)))
    if is_outside(record):
        _say(_("It is used where it is: {path} must stay there.").format(path=record.path), err=True)
    if not record.pinned:
        _say(
            _("No published hash vouches for {file}: trust it only as far as where it came from.").format(
                file=os.path.basename(record.path)  # noqa: PTH119 - a name, not a file
            ),
            err=True,
        )


def _say(sentence: str, *, err: bool = False) -> None:
    """Write a sentence; what files and packs are called is cleaned in it."""
    typer.echo(clean(sentence), err=err)


def _say_waiting() -> None:
    _say(_("Another import is running; waiting for it to end."), err=True)
