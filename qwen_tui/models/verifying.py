"""Checks that a model file is unchanged: by its facts before loading, by its hash when the person asks."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from qwen_tui.errors import InvalidModelError, ModelNotFoundError
from qwen_tui.i18n import gettext as _
from qwen_tui.models import catalogue, identity
from qwen_tui.models.catalogue import CATALOGUE, CatalogueEntry
from qwen_tui.models.hashing import OnProgress, hash_file
from qwen_tui.models.inventory import Held, catalogue_entry
from qwen_tui.models.shelf import ModelRecord, Shelf
from qwen_tui.quoting import quoted


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of hashing a file: `whole` if it is as expected; `expected` is the hash for that, None if unknown."""

    whole: bool
    sha256: str
    expected: str | None


def check_unchanged(
    path: Path,
    shelf: Shelf,
    on_progress: OnProgress,
    entries: tuple[CatalogueEntry, ...] = CATALOGUE,
    *,
    noting: bool = True,
) -> None:
    """Raise `InvalidModelError` if the file at `path` has a record, and its content is another than then.

    If size, time and inode are as in the record, this reads nothing. Otherwise it hashes the file, and either renews
    the record or refuses the file. It also hashes a file in the models folder that has no record yet, but the name and
    size of a published model. Without `noting`, this writes no record.
    """
    real = os.path.realpath(path)
    record = next((one for one in shelf.records() if os.path.realpath(shelf.file(one)) == real), None)
    if record is None:
        _check_unrecorded(path, shelf, on_progress, entries, noting=noting)
        return
    seen = identity.facts(os.fsencode(path))
    if seen is None or seen == record.facts:
        return
    if seen.size != record.size or hash_file(path, on_progress) != record.sha256:
        raise damaged(record, path)
    if noting:
        _note(shelf, msgspec.structs.replace(record, facts=seen, verified=time.time()), path)


def verify(
    held: Held,
    shelf: Shelf,
    on_progress: OnProgress,
    entries: tuple[CatalogueEntry, ...] = CATALOGUE,
    *,
    noting: bool = True,
) -> Verdict:
    """Hash a file, compare it with its record or the catalogue, and with `noting` record the time.

    A file without a record gets one, with the hash that it has now. Raises `ModelNotFoundError` if the file is gone,
    `InvalidModelError` if it cannot be read.
    """
    seen = identity.facts(os.fsencode(held.file))
    if seen is None:
        raise missing(held)
    sha256 = hash_file(held.file, on_progress)
    if held.record:
        expected: str | None = held.record.sha256
    else:
        expected = held.entry.sha256 if held.entry else None
        if catalogue.of_hash(sha256, entries):
            # A file of another publisher in the catalogue is as good.
            expected = sha256
    if expected not in (None, sha256):
        return Verdict(False, sha256, expected)
    if not noting:
        return Verdict(True, sha256, expected)
    record = held.record or _first_record(held, sha256, seen, entries)
    _note(shelf, msgspec.structs.replace(record, facts=seen, verified=time.time()), held.file)
    return Verdict(True, sha256, expected)


def damaged(record: ModelRecord, path: Path) -> InvalidModelError:
    """Return the error for a file whose content is not the recorded one, with the command that fetches that again."""
    return InvalidModelError(
        _("{path} is damaged or was replaced: its content is no longer what was verified.").format(path=path),
        mending(record.name, path, fetchable=is_fetchable(record.name, pinned=record.pinned)),
    )


def missing(held: Held) -> ModelNotFoundError:
    """Return the error for a record whose file is gone."""
    return ModelNotFoundError(
        _("{path} is no longer there.").format(path=held.absent),
        _("Fetch it with qwen pull {name}, or forget it with qwen models rm {name}.").format(name=quoted(held.name))
        if held.record and is_fetchable(held.name, pinned=held.record.pinned)
        else _("Bring it back, or forget it with: qwen models rm {name}").format(name=quoted(held.name)),
    )


def is_fetchable(name: str, *, pinned: bool) -> bool:
    """Whether `qwen pull` knows where to fetch the model `name`."""
    return pinned or bool(catalogue.find(name)) or (":" in name and "/" in name)


def mending(name: str, path: Path, *, fetchable: bool) -> str:
    """Return the command that brings a damaged file back."""
    if fetchable:
        return _("Fetch what is wrong again with: qwen pull --repair {name}").format(name=quoted(name))
    return _("Take a sound copy over with qwen models import PATH; if it was you who replaced it: {command}").format(
        command=f"qwen models import {quoted(path)}"
    )


def mending_of(held: Held) -> str:
    """Return the command that brings the file of a damaged or missing model back."""
    fetchable = is_fetchable(held.name, pinned=bool(held.record and held.record.pinned))
    return mending(held.name, held.file, fetchable=fetchable)


def _check_unrecorded(
    path: Path, shelf: Shelf, on_progress: OnProgress, entries: tuple[CatalogueEntry, ...], *, noting: bool
) -> None:
    seen = identity.facts(os.fsencode(path))
    if seen is None or os.path.realpath(path.parent) != os.path.realpath(shelf.folder):
        return
    entry = catalogue_entry(path.name, seen.size, entries)
    if entry is None or not entry.sha256:
        return
    held = Held(entry.full_name, path, seen.size, "unverified", entry=entry)
    if not verify(held, shelf, on_progress, entries, noting=noting).whole:
        raise InvalidModelError(
            _("{path} has the name and the size of {name}, but not its content: it is damaged.").format(
                path=path, name=entry.full_name
            ),
            mending(entry.full_name, path, fetchable=True),
        )


def _first_record(held: Held, sha256: str, seen: identity.Facts, entries: tuple[CatalogueEntry, ...]) -> ModelRecord:
    entry = catalogue.of_hash(sha256, entries)
    return ModelRecord(
        path=held.file.name,
        name=entry.full_name if entry else held.name,
        size=seen.size,
        sha256=sha256,
        facts=seen,
        source=entry.repository if entry else "",
        pinned=entry is not None,
    )


def _note(shelf: Shelf, record: ModelRecord, path: Path) -> None:
    if identity.facts(os.fsencode(path)) != record.facts:
        # The file changed while the program read it. The next check will hash it again.
        return
    try:
        shelf.put(record)
    except OSError:
        # If the list cannot be written, the next check hashes the file again.
        return
