"""Takes models over from a file, a folder, a pack or another program: decides which ones, and how."""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from qwen_tui import columns, config, files
from qwen_tui.errors import ConfigError, InvalidModelError, ModelNotFoundError, QwenError, UsageError, how_to_read, why
from qwen_tui.files import size_text
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed, ngettext
from qwen_tui.models import address, inventory, parts
from qwen_tui.models.hashing import OnProgress
from qwen_tui.models.importing import candidates, elsewhere, unpacking
from qwen_tui.models.importing.elsewhere import ForeignModel
from qwen_tui.models.importing.importing import Imported, Importer
from qwen_tui.models.importing.pack_format import PackedModel
from qwen_tui.models.importing.unpacking import Pack
from qwen_tui.models.shelf import Shelf
from qwen_tui.quoting import quoted

T = TypeVar("T")

# An error names at most so many files that could be imported.
_MOST_NAMED = 10


class Person(Protocol):
    """The person who answers questions and reads what happens."""

    @property
    def can_answer(self) -> bool:
        """Whether a person is there to answer."""

    def confirm(self, question: str, *, default: bool = False) -> bool:
        """Ask a question with the answers yes and no."""

    def choose(self, rows: Sequence[str], question: str) -> list[int]:
        """Show the rows, and return the indices of those that the person chooses: one, some, all or none."""

    def note(self, sentence: str) -> None:
        """Show a sentence that is not part of the result."""

    def progress(self, label: str) -> AbstractContextManager[OnProgress]:
        """Show during the block, under this label, how many bytes are done."""


@dataclass(frozen=True, slots=True)
class Takeover:
    """Takes models over onto the shelf, and asks the person if there is a choice.

    It calls `on_taken` for each model. With `link`, files stay where they are; with `yes`, it asks nothing.
    """

    shelf: Shelf
    person: Person
    on_taken: Callable[[Imported], None]
    link: bool = False
    yes: bool = False

    def from_path(self, source: Path) -> bool:
        """Take over a file, the models in a folder, or a pack; return whether the person wanted any.

        Raises `ModelNotFoundError`, `InvalidModelError`, `WriteError`, and `UsageError` where nobody can be asked.
        """
        _require_readable(source)
        with unpacking.opened(source) as pack:
            if pack:
                self._from_pack(pack)
                return True
        if source.is_dir():
            return self._from_folder(source)
        self.take(source)
        return True

    def from_elsewhere(self) -> bool:
        """Take over what other programs have fetched, and return whether the person wanted any; raises as `from_path`.

        With `yes`, it takes the first that it finds, which is the most likely one.
        """
        found = elsewhere.without(elsewhere.find(), inventory.held(self.shelf))
        if not found:
            raise ModelNotFoundError(
                _("No models of other programs were found that are not imported yet."),
                _("Name a file or a folder: qwen models import PATH. Or fetch one: qwen pull"),
            )
        link = self.link
        if self.yes:
            chosen = found[:1]
        elif self.person.can_answer:
            chosen = self._chosen(found, [(one.called, size_text(one.size), one.program) for one in found])
            link = link or (bool(chosen) and self._wants_link(chosen))
        else:
            raise UsageError(elsewhere.summary(found), _one_of([one.path for one in found]))
        _each([(str(one.path), partial(self.take_foreign, one, link=link)) for one in chosen])
        return bool(chosen)

    def take_foreign(self, model: ForeignModel, *, link: bool | None = None) -> Imported:
        """Take over a model of another program; without `link`, ask the person for it. Raises as `Importer.take`."""
        link = self._wants_link([model]) if link is None else link
        return self.take(model.path, link=link, called=model.called, origin=model.program)

    def take(self, source: Path, *, link: bool | None = None, called: str = "", origin: str = "") -> Imported:
        """Take over one file; raises as `Importer.take`. `link` goes before the link of this takeover."""
        link = self.link if link is None else link
        if not called and not candidates.is_model_name(source.name):
            # ollama calls its files by their hashes.
            called = next((one.called for one in elsewhere.find() if one.path == source.absolute()), "")
        label = _("Checking {name}") if link else _("Copying {name}")
        with self.person.progress(label.format(name=called or parts.first(source).name)) as show:
            done = self._importer(show).take(source, link=link, called=called, origin=origin)
        self.on_taken(done)
        return done

    def _wants_link(self, chosen: Sequence[ForeignModel]) -> bool:
        """Tell the person what a copy and what a link of another program's files costs, and ask for one of both."""
        size = size_text(sum(one.size for one in chosen))
        programs = ", ".join(dict.fromkeys(one.program for one in chosen))
        said = _(
            "A copy takes {size} more of the disk. A link takes nothing, but is lost when {program} tidies up."
        ).format(size=size, program=programs)
        self.person.note(said)
        return not self.person.confirm(_("Copy?"), default=True)

    def _importer(self, show: OnProgress) -> Importer:
        note = self.person.note
        return Importer(self.shelf, show, lambda: note(_("Another import is running; waiting for it to end.")))

    def _from_folder(self, folder: Path) -> bool:
        found = self._models_in(folder)
        sizes = {path: candidates.size_of(path) for path in found}
        chosen = [path for path in found if candidates.of_size(sizes[path])] if self.yes else []
        if len(found) == 1:
            chosen = found
        elif not chosen:
            if not self.person.can_answer:
                raise UsageError(_("There are several models in {path}.").format(path=folder), _one_of(found))
            rows = [(str(path.relative_to(folder)), size_text(sizes[path])) for path in found]
            chosen = self._chosen(found, rows)
        _each([(str(path), partial(self.take, path)) for path in chosen])
        return bool(chosen)

    def _models_in(self, folder: Path) -> list[Path]:
        """Return the models in a folder, and tell the person what else is there that only looks like one.

        Raises `ModelNotFoundError` or `InvalidModelError` if there is no model.
        """
        found = candidates.models_in(folder)
        others = {path: reason for path in found if (reason := candidates.no_model(path))}
        if found and len(found) == len(others) == 1:
            raise others[found[0]]
        for reason in others.values():
            self.person.note(_("Left out: {reason}").format(reason=reason.message))
        if len(found) == len(others):
            raise ModelNotFoundError(
                _("There is no model in {path}.").format(path=folder), _("A model is a file that ends in .gguf.")
            )
        return [path for path in found if path not in others]

    def _chosen(self, found: Sequence[T], rows: Sequence[Sequence[str]]) -> list[T]:
        """Return those of the `found` models that the person chooses by their rows."""
        lines = columns.lines(rows)
        return [found[index] for index in self.person.choose(lines, _("Type numbers, all, or Enter for none:"))]

    def _from_pack(self, pack: Pack) -> None:
        if self.link:
            raise UsageError(
                _("What is in a pack is copied, not linked."),
                _("Leave out --link, or name the .gguf file in the pack."),
            )
        try:
            _each([(model.file, partial(self._take_packed, pack, model)) for model in pack.manifest.models])
        except QwenError:
            if pack.config() is not None:
                self.person.note(_("The settings in the pack are left out, since not all of it could be taken over."))
            raise
        try:
            self._take_settings(pack)
        except InvalidModelError as error:
            self.person.note(_("The settings in the pack are left out: {reason}").format(reason=error.message))

    def _take_packed(self, pack: Pack, model: PackedModel) -> None:
        with self.person.progress(_("Copying {name}").format(name=model.file)) as show:
            done = pack.take(model, self._importer(show))
        own = parts.part(model.file)
        if own is None or own.number == 1:
            self.on_taken(done)

    def _take_settings(self, pack: Pack) -> None:
        """Take over the settings of a pack, where the person has none and wants them."""
        content = pack.config()
        if content is None:
            return
        note, own = self.person.note, files.folders().config_file
        if own.exists():
            note(_("The settings in the pack are left out: you have your own in {path}.").format(path=own))
        elif self.yes or (self.person.can_answer and self.person.confirm(_asked_for(content), default=True)):
            try:
                _write_settings(own, content)
            except (OSError, ConfigError) as error:
                reason = error.message if isinstance(error, ConfigError) else why(error)
                note(_("The settings in the pack are left out: {reason}").format(reason=reason))
            else:
                note(_("The settings in the pack are yours now: {path}").format(path=own))
        else:
            note(_("The settings in the pack are left out; --yes takes them over."))


def _require_readable(source: Path) -> None:
    try:
        if source.is_dir():
            # A folder that cannot be read would look like one without a model.
            os.listdir(source)  # noqa: PTH208 - read, not used
            (source / ".").stat()
        elif address.is_address(str(source).replace(":/", "://", 1)):
            raise ModelNotFoundError(
                _("An address is not imported, but fetched."), _("Fetch it with: qwen pull ADDRESS")
            )
        elif not source.exists():
            remedy = _("Check the path; relative ones start in this folder.")
            raise ModelNotFoundError(_("There is no file {path}.").format(path=source), remedy)
    except OSError as error:
        raise ModelNotFoundError(
            _("{path} cannot be read: {reason}").format(path=source, reason=why(error)), how_to_read(error)
        ) from error


def _one_of(paths: Sequence[Path]) -> str:
    """Return the commands that import one of the files."""
    commands = [f"  qwen models import {quoted(path)}" for path in paths[:_MOST_NAMED]]
    return "\n".join([_("Import one of them:"), *commands])


def _each(takes: Sequence[tuple[str, Callable[[], object]]]) -> None:
    """Take over one file after the other; raises `InvalidModelError` at the end, with the names of the refused files.

    A single file raises its own error.
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


def _asked_for(content: bytes) -> str:
    """Return the question whether these settings are to be used; it shows them."""
    lines = (line.strip() for line in content.decode("utf-8-sig", "replace").splitlines())
    return _("Use the settings in the pack ({settings})?").format(
        settings=listed(line for line in lines if line and not line.startswith("#"))
    )


def _write_settings(own: Path, content: bytes) -> None:
    """Write settings that no other command would refuse; raises `ConfigError` for others, and `OSError`."""
    waiting = own.with_name(f"{own.name}.new")
    try:
        files.write_private(waiting, content)
        config.load(waiting, environ={})
        waiting.replace(own)
    finally:
        waiting.unlink(missing_ok=True)
