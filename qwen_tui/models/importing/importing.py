"""Imports model files from elsewhere: copies or links them, recognises them by their hash, and never changes them."""

import errno
import os
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from qwen_tui.errors import InvalidModelError
from qwen_tui.i18n import gettext as _
from qwen_tui.models import catalogue, identity, kinds, parts
from qwen_tui.models.catalogue import CATALOGUE, CatalogueEntry
from qwen_tui.models.disk import check_room, write_error
from qwen_tui.models.gguf import Header, read_header
from qwen_tui.models.hashing import HashingReader, OnProgress, hash_file, reading
from qwen_tui.models.importing.candidates import require_model
from qwen_tui.models.importing.copying import give_name, one_at_a_time, received
from qwen_tui.models.shelf import ModelRecord, Shelf, is_outside
from qwen_tui.quoting import quoted

Opened = Callable[[], AbstractContextManager[HashingReader]]


class Imported(NamedTuple):
    """The result of an import: the record, and whether the same file was there before."""

    record: ModelRecord
    already: bool = False


class Promise(NamedTuple):
    """What a pack says about a file before it is read: its SHA-256, source and name; empty if unknown."""

    sha256: str
    origin: str
    name: str = ""


class _Names(NamedTuple):
    """The model's `name` (empty if unknown), its `file` name, and `pinned`: whether its hash is published."""

    name: str
    file: str
    pinned: bool


@dataclass(frozen=True, slots=True)
class Importer:
    """Brings files onto `shelf`; calls `on_progress` with its progress, `on_wait` if another process imports now."""

    shelf: Shelf
    on_progress: OnProgress
    on_wait: Callable[[], None]
    entries: tuple[CatalogueEntry, ...] = CATALOGUE

    def take(self, source: Path, *, link: bool = False, called: str = "", origin: str = "") -> Imported:
        """Import the GGUF file `source`, under the name `called` instead of its own; `origin` says where it is from.

        Of a split model, all parts come, whichever of them `source` is; the result is that of the first one. With
        `link`, the file stays where it is. Raises `InvalidModelError` if it is no model that answers, incomplete,
        damaged, or changes meanwhile, and `WriteError`.
        """
        source = parts.first(Path(os.path.abspath(source)))  # noqa: PTH100 - links stay as they are
        require_model(source)
        files = parts.files(source)
        sizes = [file.stat().st_size for file in files]
        with one_at_a_time(self.shelf, self.on_wait):
            inside = os.path.realpath(source.parent) == os.path.realpath(self.shelf.folder)
            if len(files) > 1 and not (inside or link):
                known = {record.size for record in self.shelf.records()}
                check_room(self.shelf.folder, sum(size for size in sizes if size not in known))
            taken = []
            for file, before in zip(files, accumulate(sizes, initial=0), strict=False):
                one = (
                    replace(self, on_progress=from_bytes(before, sum(sizes), self.on_progress))
                    if len(files) > 1
                    else self
                )
                from_there = origin or _("imported from {path}").format(path=file)
                name = file.name if len(files) > 1 else called or file.name
                taken.append(one._take(file, name, from_there, link=link, inside=inside))
        return Imported(taken[0].record, already=all(each.already for each in taken))

    def _take(self, source: Path, called: str, origin: str, *, link: bool, inside: bool) -> Imported:
        if inside or link:
            return self._keep_in_place(source, called, origin, inside=inside)
        size = source.stat().st_size
        # The file may be here already. Hashing it is cheaper than a second copy.
        perhaps = any(record.size == size and not is_outside(record) for record in self.shelf.records())
        if perhaps and (found := self._same(hash_file(source, self.on_progress), linked=False)):
            return Imported(found, already=True)
        return self._copy(source, called, origin)

    def receive(self, opened: Opened, called: str, promised: Promise) -> Imported:
        """Import the bytes of a reader from a pack; they must be as `promised`. Raises as `take`."""
        with one_at_a_time(self.shelf, self.on_wait):
            if found := self._same(promised.sha256, linked=False):
                return Imported(found, already=True)
            with opened() as reader:
                return self._arrive(reader, called, promised)

    def _copy(self, source: Path, called: str, origin: str) -> Imported:
        with reading(source, self.on_progress) as reader:
            return self._arrive(reader, called, Promise("", origin))

    def _arrive(self, reader: HashingReader, called: str, promised: Promise) -> Imported:
        check_room(self.shelf.folder, reader.size)
        with received(reader, self.shelf.folder) as arrived:
            sha256 = reader.finish()
            if promised.sha256 not in ("", sha256):
                raise InvalidModelError(
                    _("{path} is damaged: its SHA-256 is not the one in its list.").format(path=called),
                    _("Copy it again from its source."),
                )
            kinds.require_model(_header(arrived, called), arrived, called)
            who = self._identify(sha256, reader.size, called)
            again = next((one for one in self.shelf.records() if one.sha256 == sha256 and not is_outside(one)), None)
            # The sound file replaces a damaged one.
            path = again.path if again else self._free_name(who.file, sha256)
            give_name(arrived, self.shelf.folder / path)
        links = [one for one in self.shelf.records() if one.sha256 == sha256 and is_outside(one)]
        # If the model was linked before, the copy keeps the link's name.
        name = who.name or next((one.name for one in links), "") or promised.name or path
        record = self._record(path, name, sha256, promised.origin, who.pinned)
        for link in links:
            self._forget(link)
        return Imported(record)

    def _keep_in_place(self, source: Path, called: str, origin: str, *, inside: bool) -> Imported:
        before = identity.facts(os.fsencode(source))
        sha256 = hash_file(source, self.on_progress)
        if before is None or identity.facts(os.fsencode(source)) != before:
            raise InvalidModelError(
                _("{path} changed while it was read.").format(path=source), _("Wait until it is whole, and try again.")
            )
        path = source.name if inside else str(source)
        if found := self._same(sha256, but=path):
            return Imported(found, already=True)
        who = self._identify(sha256, before.size, called)
        if inside and not who.name and self._is_published(path):
            raise InvalidModelError(
                _("{path} has the name of a published model, but is another one.").format(path=source),
                _("Give the file another name, and import it again."),
            )
        already = any((one.path, one.sha256, one.facts) == (path, sha256, before) for one in self.shelf.records())
        name = who.name or (path if inside else who.file)
        return Imported(self._record(path, name, sha256, origin, who.pinned), already)

    def _record(self, path: str, name: str, sha256: str, origin: str, pinned: bool) -> ModelRecord:
        file = self.shelf.folder / path
        facts = identity.facts(os.fsencode(file))
        if facts is None:
            raise write_error(file, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
        record = ModelRecord(
            path=path, name=name, size=facts.size, sha256=sha256, facts=facts, source=origin, pinned=pinned
        )
        try:
            self.shelf.put(record)
        except OSError as error:
            raise write_error(self.shelf.folder, error) from error
        return record

    def _forget(self, link: ModelRecord) -> None:
        try:
            self.shelf.forget(link.path)
        except OSError as error:
            raise write_error(self.shelf.folder, error) from error

    def _same(self, sha256: str, but: str = "", *, linked: bool = True) -> ModelRecord | None:
        """Return the record of an unchanged file with this content, whose path is not `but`; None if there is none.

        Without `linked`, only files in the models folder count.
        """
        for record in self.shelf.records():
            is_other = record.sha256 == sha256 and record.path != but and (linked or not is_outside(record))
            if is_other and identity.facts(os.fsencode(self.shelf.file(record))) == record.facts:
                return record
        return None

    def _identify(self, sha256: str, size: int, called: str) -> _Names:
        """Return the names for a file; raises `InvalidModelError` for the name and size of a published file only."""
        if entry := catalogue.of_hash(sha256, self.entries):
            return _Names(entry.full_name, entry.file, pinned=True)
        for entry in self.entries:
            if (entry.file, entry.size) == (called, size):
                if entry.sha256:
                    raise InvalidModelError(
                        _("{path} has the name and the size of {name}, but not its content: it is damaged.").format(
                            path=called, name=entry.full_name
                        ),
                        _("Copy it again from where it came, or fetch it with: qwen pull {name}").format(
                            name=quoted(entry.full_name)
                        ),
                    )
                return _Names(entry.full_name, entry.file, pinned=False)
        file = safe_name(called)
        if self._is_published(file):
            file = _with_hash(file, sha256)
        if file in {record.name for record in self.shelf.records() if record.sha256 != sha256}:
            file = _with_hash(file, sha256)
        return _Names("", file, pinned=False)

    def _is_published(self, file: str) -> bool:
        return any(entry.file.lower() == file.lower() for entry in self.entries)

    def _free_name(self, file: str, sha256: str) -> str:
        return file if not (self.shelf.folder / file).exists() else _with_hash(file, sha256)


def _header(path: Path, called: str) -> Header:
    """Read the header of one file, whose name is yet to be `called`; raises `InvalidModelError`."""
    try:
        return read_header(path)
    except InvalidModelError as error:
        raise InvalidModelError(error.message.replace(str(path), called), error.remedy) from error


def safe_name(called: str) -> str:
    """Return a file name that every system accepts, ending in .gguf."""
    printable = "".join(character if character.isprintable() else "-" for character in called)
    name = re.sub(r'[<>:"/\\|?*]', "-", printable).strip(" .-")[:120] or "model"
    if (own := parts.part(called)) and not name.endswith(tail := called[len(own.stem) :]):
        # Without its number, llama.cpp would not find a part.
        name = name[: 120 - len(tail)] + tail
    stem = name[:-5] if name.lower().endswith(".gguf") else name
    if re.fullmatch(r"(?i)con|prn|aux|nul|com\d|lpt\d", stem):
        stem += "-model"
    return f"{stem}.gguf"


def from_bytes(before: int, total: int, on_progress: OnProgress) -> OnProgress:
    """Return the callback for one of several files: it adds the `before` bytes of the files that are done."""
    return lambda done, _size: on_progress(before + done, total)


def _with_hash(file: str, sha256: str) -> str:
    if parts.part(file):
        # A part keeps its name, or the others would not find it.
        raise InvalidModelError(
            _("There is another model whose part is called {file}.").format(file=file),
            _("Remove that one with: qwen models rm {name}, or give the parts of this one other names.").format(
                name=quoted(file)
            ),
        )
    return f"{file.removesuffix('.gguf')}-{sha256[:8]}.gguf"
