"""Fetches a model by name: chooses the sources and the target file, downloads, and records the file on the shelf."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from qwen_tui import cancellation, files
from qwen_tui.errors import DownloadError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed
from qwen_tui.models import catalogue, identity
from qwen_tui.models.catalogue import CatalogueEntry
from qwen_tui.models.disk import write_error
from qwen_tui.models.fetching import source
from qwen_tui.models.fetching.download import Download
from qwen_tui.models.fetching.events import Arrived, Checking, Fetching, Remark, Steps
from qwen_tui.models.fetching.rotation import PATIENCE
from qwen_tui.models.fetching.source import WantedModel
from qwen_tui.models.shelf import ModelRecord, Shelf, is_outside
from qwen_tui.quoting import unsetting


class Display(Protocol):
    """Shows the person the progress of a download."""

    def show(self, label: str, done: int, total: int | None, /) -> None:
        """Show that `done` bytes of `total` are done; `total` may be unknown."""

    def note(self, text: str, /) -> None:
        """Print a sentence that stays."""

    def clear(self) -> None:
        """Remove the progress."""


class Fetch:
    """The fetching of one model; `display` shows what happens."""

    def __init__(self, name: str, display: Display, given: Sequence[str] = (), *, offline: bool = False) -> None:
        """`name` is the model, `given` are the sources that replace the built-in ones.

        Raises `ModelNotFoundError` and `UsageError`.
        """
        self._shelf = Shelf(files.folders().models)
        asked = source.wanted(name)
        given = given or asked.at
        # A page's address may be long; the name says the same.
        self._asked = (name if asked.url else asked.name, tuple(given))
        self.wanted = _called(asked, self._shelf)
        self._record = self._shelf.named(self.wanted.name)
        if self._record and (entry := _published(self.wanted.name, self._record.sha256)):
            # The present file may be that of another publisher in the catalogue: it is as good.
            self.wanted = source.of_entry(entry)
        if self._record and not self.wanted.sha256:
            # The file of the first download defines the model from then on.
            self.wanted = msgspec.structs.replace(self.wanted, sha256=self._record.sha256, size=self._record.size)
        self._sources = source.sources(self.wanted, given)
        self.offline = offline or source.is_offline()
        self.target = _target(self.wanted, self._shelf)
        self._display = display
        self._download = Download(self.wanted, self._sources, self.target, patience=PATIENCE)

    def ready(self) -> str | None:
        """Return a sentence if the verified model is already on this computer, None if it is not.

        A file that has changed is hashed again; if the hash differs, this raises `DownloadError`. The network is not
        used.
        """
        record = self._record
        path = self._shelf.file(record) if record else self.target
        if record and identity.facts(os.fsencode(path)) == record.facts:
            return _("{name} is here already, verified on {when}: {path}").format(
                name=record.name, when=files.time_text(record.verified), path=path
            )
        if not (path.is_file() and self.wanted.sha256):
            return None
        if self.check():
            return _("{path} is whole.").format(path=path)
        raise DownloadError(
            _("{path} is not, or no longer, the right file: its SHA-256 differs.").format(path=path),
            _("Have it fetched again: {command}").format(command=f"qwen pull --repair {self.wanted.pullable}"),
        )

    def learn(self) -> None:
        """Ask the hubs for what is unknown of the model; raises `DownloadError`, at once where this is offline."""
        if self.offline:
            raise DownloadError(
                _("{name} cannot be fetched: this is offline.").format(name=self.wanted.name),
                _("Allow the network with: {command}, or bring the file with: qwen models import PATH").format(
                    command=unsetting("HF_HUB_OFFLINE")
                )
                if source.is_offline()
                else _("Leave out --offline, or bring the file with: qwen models import PATH"),
            )
        self._follow(self._download.learn())
        self.wanted = self._download.wanted

    def plan(self) -> str:
        """Describe the download: name, size, licence, sources and target."""
        size = files.size_text(self.wanted.size) if self.wanted.size else _("of unknown size")
        licence = self.wanted.licence or _("see where it is published")
        lines = [
            _("{name}: {size}, licence: {licence}").format(name=self.wanted.name, size=size, licence=licence),
            _("from {hosts}").format(hosts=listed(dict.fromkeys(s.host for s in self._sources))),
            _("to {path}").format(path=self.target),
        ]
        entries = (entry for entry in catalogue.find(self.wanted.name) if entry.size == self.wanted.size)
        if entry := next(entries, None):
            memory = _("{memory} of memory with a context of 8,192 tokens")
            lines.insert(1, memory.format(memory=files.size_text(entry.memory)))
        if kept := self._download.kept:
            lines.append(_("{n:,.1f} MB of it are here already.").format(n=kept / 1e6))
        return "\n  ".join(lines)

    def warning(self) -> str | None:
        """Return a warning about a model that is not in the catalogue or has no known hash, else None.

        Call `learn` first: it may find the hash.
        """
        if catalogue.find(self.wanted.name) and self.wanted.sha256:
            return None
        return _("This program does not know this file: be sure that you trust its source.")

    def check(self) -> Arrived | None:
        """Hash the present file and record it if it is right; return None if it is not, or if the hash is unknown."""
        present = self._shelf.file(self._record) if self._record else self.target
        return self._noted(self._follow(self._download.check(present)))

    def run(self, *, replace: bool = False) -> Arrived:
        """Fetch, verify and record the model.

        Raises `DownloadError`, `InvalidModelError`, `WriteError`, and `KeyboardInterrupt` at Ctrl-C.
        """
        try:
            asked = source.again(*self._asked, repair=replace)
            arrived = self._noted(self._follow(self._download.run(replace=replace, asked=asked)))
        except KeyboardInterrupt:
            self._display.note(_("Stopped. What came is kept; the same command goes on from there."))
            raise
        if arrived is None:
            raise DownloadError(
                _("{path} is no longer there.").format(path=self.target),
                _("Something took it away as soon as it was here. Find out what did, then repeat the command."),
            )
        return arrived

    def _noted(self, arrived: Arrived | None) -> Arrived | None:
        seen = identity.facts(os.fsencode(arrived.path)) if arrived else None
        if not (arrived and seen):
            return None
        known = self._record
        path, folder = arrived.path, self._shelf.folder
        record = ModelRecord(
            # A linked model lies outside the folder.
            path=path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path),
            name=self.wanted.name,
            size=arrived.size,
            sha256=arrived.sha256,
            facts=seen,
            source=arrived.source or (known.source if known else ""),
            pinned=known.pinned if known else arrived.expected,
            key=self.wanted.key if self.wanted.url else "",
        )
        try:
            self._shelf.put(record)
        except OSError as error:
            raise write_error(
                folder, error, then=_("The model itself is there: repeat the command to have it noted.")
            ) from error
        return arrived

    def _follow(self, steps: Steps[object]) -> Arrived | None:
        """Show the events, and return the `Arrived` if there is one."""
        arrived = None
        with contextlib.closing(steps), contextlib.ExitStack() as stack:
            stack.callback(self._display.clear)
            for event in steps:
                cancellation.check()
                if isinstance(event, Remark):
                    self._display.note(event.text)
                elif isinstance(event, Checking):
                    self._display.show(_("checking"), event.done, event.total)
                elif isinstance(event, Fetching):
                    self._display.show(_("fetching"), event.done, event.total)
                else:
                    arrived = event
        return arrived


def proof(arrived: Arrived) -> str:
    """Say whether the SHA-256 of the file was compared with a published one."""
    if arrived.expected:
        return _("Verified: SHA-256 {sha256}").format(sha256=arrived.sha256)
    return _("No published SHA-256 is known to compare it with; it is {sha256}").format(sha256=arrived.sha256)


def _published(name: str, sha256: str) -> CatalogueEntry | None:
    """Return the published file of that name that has this hash."""
    return next((entry for entry in catalogue.find(name) if entry.sha256 == sha256), None)


def _called(wanted: WantedModel, shelf: Shelf) -> WantedModel:
    """Give a model from a bare address a name that no other model has; the same address always gets the same name."""
    if not wanted.url:
        return wanted
    records = shelf.records()
    if known := next((record for record in reversed(records) if record.key == wanted.key), None):
        return msgspec.structs.replace(wanted, name=known.name, file=known.path)
    taken = {name.lower() for record in records for name in (record.name, record.path)} | _of_catalogue()
    if wanted.file.lower() in taken or (shelf.folder / wanted.file).exists():
        file = _suffixed(wanted)
        return msgspec.structs.replace(wanted, name=file, file=file)
    return wanted


def _target(wanted: WantedModel, shelf: Shelf) -> Path:
    """Return the target: the publisher's file name, with the publisher before it if another model has that name."""
    records = shelf.records()
    for record in records:
        if record.name == wanted.name and not is_outside(record):
            return shelf.file(record)
    taken = {record.path.lower() for record in records if record.name != wanted.name}
    if not catalogue.find(wanted.name):
        taken |= _of_catalogue()
    owner = wanted.repository.partition("/")[0]
    names = [wanted.file, *([f"{owner}-{wanted.file}"] if owner else [])]
    return shelf.folder / next((name for name in names if name.lower() not in taken), _suffixed(wanted))


def _of_catalogue() -> set[str]:
    return {entry.file.lower() for entry in catalogue.CATALOGUE}


def _suffixed(wanted: WantedModel) -> str:
    return f"{wanted.file.removesuffix('.gguf')}-{wanted.key[:8]}.gguf"
