"""The models on this computer as people see them: their names, and whether their files are unchanged."""

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from qwen_tui.errors import ModelNotFoundError
from qwen_tui.files import ASSETS
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed
from qwen_tui.models import catalogue, identity, parts
from qwen_tui.models.catalogue import CATALOGUE, CatalogueEntry
from qwen_tui.models.fetching.partial import SUFFIX, Notes, read_notes
from qwen_tui.models.importing.copying import ARRIVING
from qwen_tui.models.shelf import ModelRecord, Shelf, is_outside
from qwen_tui.quoting import quoted

# `verified`: unchanged since the program last hashed the file; `changed`: changed since then; `unverified`: never
# hashed; `missing`: the file is gone.
FileState = Literal["verified", "changed", "unverified", "missing"]

# The name of the model that comes with the program.
DEMO = "demo"
DEMO_FILE = ASSETS / "demo.gguf"
_QUANT = re.compile(r"(?<![A-Z0-9])(?:I?Q\d_[A-Z0-9]+(?:_[A-Z]+)?|BF16|F16|F32)(?![A-Z0-9])", re.IGNORECASE)
_IN_REPOSITORY = re.compile(r"([\w.-]+/[\w.-]+):([^\\:?#\s/][^\\:?#]*)")
_SHORTEST_HASH = 6
# So many models are named in an error.
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Held:
    """One model on this computer: `name` for `-m`, `file` its path, `size` its present bytes, 0 if it is missing.

    A split model has its `parts`, each as a model of its own, also those that are missing; `file` is the first of them.
    """

    name: str
    file: Path
    size: int
    state: FileState
    record: ModelRecord | None = None
    entry: CatalogueEntry | None = None
    parts: tuple["Held", ...] = ()

    @property
    def pieces(self) -> tuple["Held", ...]:
        """The files of the model: its parts, or the only one."""
        return self.parts or (self,)

    @property
    def absent(self) -> Path:
        """The first of its files that is missing, of a model that is not whole."""
        return next((one.file for one in self.pieces if one.state == "missing"), self.file)

    @property
    def linked(self) -> bool:
        """Whether the file lies outside the models folder."""
        return self.record is not None and is_outside(self.record)

    @property
    def quant(self) -> str:
        """The quantisation, by the catalogue or the name; empty if unknown."""
        if self.entry:
            return self.entry.quant
        found = _QUANT.search(self.name) or _QUANT.search(self.file.name)
        return found[0].upper() if found else ""


@dataclass(frozen=True, slots=True)
class Leftover:
    """An incomplete file: `name` of the model that it will become, `size` bytes of `total` are there.

    `asked` are the arguments of `qwen pull` that continue the download; empty if unknown.
    """

    name: str
    file: Path
    size: int
    total: int | None = None
    asked: tuple[str, ...] = ()


def held(shelf: Shelf, entries: tuple[CatalogueEntry, ...] = CATALOGUE) -> list[Held]:
    """Return the recorded models in the order in which they came, and then the files that people put there by hand."""
    found = [_recorded(shelf, record, entries) for record in shelf.records()]
    known = {one.file for one in found}
    for file in sorted(_files(shelf.folder)):
        seen = identity.facts(os.fsencode(file))
        if file.suffix.lower() == ".gguf" and file not in known and seen is not None:
            found.append(_unrecorded(file, seen.size, entries))
    return _joined(found)


def unrecorded(file: Path) -> Held:
    """Return the model in `file`, which has no record, with all its parts; `file` exists."""
    there = [part for part in parts.files(file) if part.exists()]
    return _joined([_unrecorded(part, part.stat().st_size, CATALOGUE) for part in there])[0]


def _unrecorded(file: Path, size: int, entries: tuple[CatalogueEntry, ...]) -> Held:
    entry = catalogue_entry(file.name, size, entries)
    return Held(entry.full_name if entry else file.name, file, size, "unverified", entry=entry)


def _joined(single: Sequence[Held]) -> list[Held]:
    """Return the models with the parts of each split model as one, at the place of the part that came first."""
    split: dict[Path, dict[Path, Held]] = {}
    for one in single:
        if parts.part(one.file.name):
            split.setdefault(parts.files(one.file)[0], {})[one.file] = one
    joined: list[Held] = []
    for one in single:
        there = split.pop(parts.files(one.file)[0], None) if parts.part(one.file.name) else {one.file: one}
        if there is None:
            continue
        joined.append(_whole(parts.files(one.file), there) if parts.part(one.file.name) else one)
    return joined


def _whole(files: Sequence[Path], there: Mapping[Path, Held]) -> Held:
    """Return a split model of these `files`, of which some are `there`."""
    pieces = tuple(there.get(file) or Held(file.name, file, 0, "missing") for file in files)
    worst = next(state for state in _WORST_FIRST if any(one.state == state for one in pieces))
    size = sum(one.size for one in pieces)
    return Held(pieces[0].name, pieces[0].file, size, worst, pieces[0].record, parts=pieces)


def catalogue_entry(file: str, size: int, entries: tuple[CatalogueEntry, ...] = CATALOGUE) -> CatalogueEntry | None:
    """Return the entry whose file has this name and this size; neither alone is enough to recognise a file."""
    return next((entry for entry in entries if (entry.file, entry.size) == (file, size)), None)


def leftovers(shelf: Shelf, entries: tuple[CatalogueEntry, ...] = CATALOGUE) -> list[Leftover]:
    """Return the files that interrupted downloads and copies have left."""
    found = []
    for file in sorted(_files(shelf.folder)):
        seen = identity.facts(os.fsencode(file))
        if seen is None or file.suffix not in (SUFFIX, ARRIVING):
            continue
        notes = read_notes(file) if file.suffix == SUFFIX else Notes()
        entry = catalogue.of_hash(file.stem, entries) if file.suffix == SUFFIX else None
        asked = notes.asked or ((_pulled(entry, entries),) if entry else ())
        name = notes.name or " ".join(asked) or file.name
        found.append(Leftover(name, file, seen.size, notes.total or (entry.size if entry else None), asked))
    return found


def find(name: str, shelf: Shelf, entries: tuple[CatalogueEntry, ...] = CATALOGUE) -> Held | None:
    """Return the model that `name` stands for, None if there is none.

    `name` is `NAME[:QUANT]`, the name under which the model was imported or fetched, the name of its file with or
    without .gguf, the beginning of one of these, or the beginning of its SHA-256. Among several models of one name the
    last one that came wins. Raises `ModelNotFoundError` for the beginning of several names.
    """
    there = held(shelf, entries)
    published = {entry.full_name for entry in catalogue.find(name, catalogue=entries)}
    lower = name.lower()
    for matches in (
        lambda one: one.name in published,
        lambda one: one.name == name,
        lambda one: any(piece.file.name == name for piece in one.pieces),
        lambda one: lower in (one.name.lower(), one.file.name.lower(), one.file.stem.lower()),
    ):
        found = [one for one in there if matches(one)]
        if found:
            # A missing or unverified file is returned only if there is no better one.
            return max(enumerate(found), key=lambda pair: (_RANK[pair[1].state], pair[0]))[1]
    if len(lower) >= _SHORTEST_HASH and re.fullmatch("[0-9a-f]+", lower):
        found = [one for one in there if one.record and one.record.sha256.startswith(lower)]
        if len({one.record.sha256 for one in found if one.record}) == 1:
            return found[-1]
    return None if published or name == DEMO else _begun(name, there)


def _begun(name: str, there: Sequence[Held]) -> Held | None:
    """Return the only model whose name begins with `name`; raises `ModelNotFoundError` if there are several."""
    lower = name.lower()
    names = ((one, (one.name.lower(), one.file.name.lower())) for one in there if lower)
    found = [one for one, known in names if any(each.startswith(lower) for each in known)]
    present = [one for one in found if one.state != "missing"] or found
    if len(present) > 1:
        raise ModelNotFoundError(
            _("Several models begin with “{name}”.").format(name=name),
            _("Write more of the name: {names}").format(names=listed([one.name for one in present[:_MOST_NAMED]])),
        )
    return present[0] if present else None


def lasting_name(one: Held, shelf: Shelf) -> str:
    """Return a name of the model that means it in every folder, also if a file there is called like it."""
    if not is_path(one.name):
        return one.name
    stem = one.name[: -len(".gguf")]
    taken = is_path(stem) or stem == DEMO or catalogue.find(stem)
    same = None if taken else find(stem, shelf)
    return stem if same and same.file == one.file else str(one.file)


def is_path(name: str) -> bool:
    """Whether `name` is the path of a file by its form, whatever exists.

    It begins with a dot, a slash or a tilde, on Windows also with a drive or a backslash, or it ends in .gguf without
    the name of a repository before it.
    """
    if name.startswith((".", "/", "~", *([os.sep] if os.sep != "/" else []))) or os.path.splitdrive(name)[0]:
        return True
    return name.lower().endswith(".gguf") and not in_repository(name)


def in_repository(name: str) -> tuple[str, str] | None:
    """Return the repository and the file if `name` is `owner/repo:FILE`, else None."""
    match = _IN_REPOSITORY.fullmatch(name)
    return (match[1], match[2]) if match and ".." not in match[2].split("/") else None


def get(name: str, shelf: Shelf, entries: tuple[CatalogueEntry, ...] = CATALOGUE) -> Held:
    """Return the model that `name` stands for; raises `ModelNotFoundError`, which suggests similar names."""
    if found := find(name, shelf, entries):
        return found
    if name == DEMO:
        raise ModelNotFoundError(
            _("The demonstration model is built in: there is nothing to pack, check or remove."),
            _("Name another model; see: qwen models list"),
        )
    names = list(dict.fromkeys(one.name for one in held(shelf, entries)))
    near = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.4) or names[:3]
    if catalogue.find(name, catalogue=entries):
        remedy = _("Fetch it with: qwen pull {name}").format(name=quoted(name))
    elif near:
        remedy = _("Did you mean: {names}? All of them: qwen models list").format(names=listed(near))
    else:
        remedy = _("There is none yet: fetch one with qwen pull, or take a file over with qwen models import PATH.")
    raise ModelNotFoundError(_("There is no model “{name}” on this computer.").format(name=name), remedy)


_RANK: dict[FileState, int] = {"missing": 0, "unverified": 1, "changed": 2, "verified": 3}
# The state of a split model is the worst of its parts.
_WORST_FIRST: tuple[FileState, ...] = ("missing", "changed", "unverified", "verified")


def _recorded(shelf: Shelf, record: ModelRecord, entries: tuple[CatalogueEntry, ...]) -> Held:
    file = shelf.file(record)
    seen = identity.facts(os.fsencode(file))
    state: FileState = "missing" if seen is None else "verified" if seen == record.facts else "changed"
    entry = catalogue.of_hash(record.sha256, entries) or next(
        (entry for entry in entries if (entry.full_name, entry.size) == (record.name, record.size)), None
    )
    return Held(record.name, file, seen.size if seen else 0, state, record, entry)


def _pulled(entry: CatalogueEntry, entries: tuple[CatalogueEntry, ...]) -> str:
    """Return the name by which `qwen pull` fetches exactly this file."""
    first = catalogue.find(entry.full_name, catalogue=entries)[0]
    return entry.full_name if first == entry else f"{entry.repository}:{entry.file}"


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_file()]
    except OSError:
        return []
