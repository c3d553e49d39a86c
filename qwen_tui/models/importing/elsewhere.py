"""Finds models that other programs have fetched onto this computer; hashes nothing, reads little, never fails."""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from qwen_tui import cancellation
from qwen_tui.errors import InvalidModelError
from qwen_tui.i18n import listed, ngettext
from qwen_tui.models import catalogue, kinds, parts
from qwen_tui.models.catalogue import CATALOGUE, CatalogueEntry
from qwen_tui.models.gguf import read_header
from qwen_tui.models.importing.candidates import is_model_name, of_size
from qwen_tui.models.importing.importing import safe_name
from qwen_tui.models.inventory import Held

_DEPTH = 6
# The most names to look at in one place, and the most headers to read in all. Reading the header of a real vocabulary
# takes a tenth of a second.
_NAMES = 20_000
_HEADERS = 12
_SMALL_FILE = 1 << 20
_ARCHITECTURE = "qwen3"
_LIKELY = re.compile(r"qwen[-_. ]?3", re.IGNORECASE)
_OLLAMA_MODEL = "application/vnd.ollama.image.model"


class ForeignModel(NamedTuple):
    """A model file of another program: `called` is a name for it, `entry` the published file it seems to be."""

    path: Path
    called: str
    size: int
    program: str
    entry: CatalogueEntry | None = None


class _Layer(msgspec.Struct):
    mediaType: str = ""  # noqa: N815 - the manifest's own name
    digest: str = ""


class _Manifest(msgspec.Struct):
    layers: tuple[_Layer, ...] = ()


def find(
    environ: Mapping[str, str] = os.environ, home: Path | None = None, entries: tuple[CatalogueEntry, ...] = CATALOGUE
) -> list[ForeignModel]:
    """Return the usable models in the folders of the hub's client, llama.cpp, ollama and LM Studio.

    First come those with the size of a published file, in the order of the catalogue, and then other Qwen3 models. Each
    file comes once.
    """
    try:
        there = home or Path.home()
    except RuntimeError:
        return []
    found: dict[str, ForeignModel] = {}
    headers = _HEADERS
    for one in _candidates(environ, there, entries):
        real = os.path.realpath(one.path)
        if real in found:
            continue
        if not one.entry and not _LIKELY.search(f"{one.path.parent.name} {one.called}"):
            continue
        if headers <= 0:
            break
        headers -= 1
        cancellation.check()
        if _is_usable(one.path):
            found[real] = one
    return sorted(found.values(), key=lambda one: (one.entry is None, entries.index(one.entry) if one.entry else 0))


def _candidates(environ: Mapping[str, str], home: Path, entries: tuple[CatalogueEntry, ...]) -> Iterator[ForeignModel]:
    """Yield files that may be models, first those with the size of a published file."""
    everything: list[ForeignModel] = []
    for program, folders, look in _places(environ, home):
        for folder in dict.fromkeys(folders):
            everything += [
                ForeignModel(path, called, size, program, of_size(size, called, entries))
                for path, called, size in _carefully(look, folder)
            ]
    yield from (one for one in everything if one.entry)
    yield from (one for one in everything if not one.entry)


_Look = Callable[[Path], Iterator[tuple[Path, str]]]


def _places(environ: Mapping[str, str], home: Path) -> Iterator[tuple[str, list[Path], _Look]]:
    """Yield each program's name, its model folders (those of its own settings first), and how to search them."""

    def given(*names: str, below: str = "") -> list[Path]:
        return [Path(environ[name], below) for name in names if environ.get(name)]

    cache = Path(environ.get("XDG_CACHE_HOME") or home / ".cache")
    hub = given("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") or given("HF_HOME", below="hub")
    yield "Hugging Face", [*hub, cache / "huggingface/hub"], _in_hub_cache
    local = [*given("LOCALAPPDATA", below="llama.cpp"), home / "Library/Caches/llama.cpp", cache / "llama.cpp"]
    yield "llama.cpp", [*given("LLAMA_CACHE"), *local], _gguf_files
    ollama = [home / ".ollama/models", Path("/usr/share/ollama/.ollama/models"), Path("/var/lib/ollama/.ollama/models")]
    yield "ollama", [*given("OLLAMA_MODELS"), *ollama], _in_ollama
    yield "LM Studio", _lm_studio(home), _gguf_files


def _lm_studio(home: Path) -> list[Path]:
    homes = [home / ".lmstudio", home / ".cache/lm-studio"]
    pointer = _text(home / ".lmstudio-home-pointer").strip()
    if pointer:
        homes.insert(0, Path(pointer))
    folders: list[Path] = []
    for folder in homes:
        moved = _decoded(_text(folder / "settings.json")).get("downloadsFolder")
        folders += [Path(moved)] if isinstance(moved, str) and moved else []
        folders.append(folder / "models")
    return folders


def _in_hub_cache(folder: Path) -> Iterator[tuple[Path, str]]:
    for repository in folder.glob("models--*"):
        for path in _walk(repository / "snapshots"):
            if is_model_name(path.name):
                yield path, path.name
        # The hub's client names every large file by its SHA-256, also a file that no snapshot links to any more.
        for path in _walk(repository / "blobs"):
            if entry := catalogue.of_hash(path.name):
                yield path, entry.file


def _in_ollama(folder: Path) -> Iterator[tuple[Path, str]]:
    manifests = folder / "manifests"
    for path in _walk(manifests):
        try:
            manifest = msgspec.json.decode(_text(path), type=_Manifest)
        except msgspec.MsgspecError:
            continue
        digest = next((layer.digest for layer in manifest.layers if layer.mediaType == _OLLAMA_MODEL), "")
        if re.fullmatch("sha256:[0-9a-f]{64}", digest):
            # The path of a manifest is host/namespace/model/tag.
            namespace, model, tag = ("library", "", *path.relative_to(manifests).parts)[-3:]
            name = f"{model}-{tag}" if namespace == "library" else f"{namespace}-{model}-{tag}"
            yield folder / "blobs" / digest.replace(":", "-"), safe_name(name)


def _gguf_files(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in _walk(folder):
        if is_model_name(path.name):
            yield path, path.name


def _carefully(look: _Look, folder: Path) -> list[tuple[Path, str, int]]:
    """Return the files that `look` finds, with their sizes; after an error, those found so far."""
    found: list[tuple[Path, str, int]] = []
    try:
        for path, called in look(folder):
            if path.is_file() and not parts.part(called):
                found.append((path, called, path.stat().st_size))
    except (OSError, ValueError, RecursionError):
        return found
    return found


def _walk(folder: Path) -> Iterator[Path]:
    """Yield at most `_NAMES` files below a folder; this does not follow links to folders."""
    looked = 0
    for above, folders, names in os.walk(folder):
        cancellation.check()
        if len(Path(above).relative_to(folder).parts) >= _DEPTH:
            folders.clear()
        for name in names:
            looked += 1
            if looked > _NAMES:
                return
            yield Path(above, name)


def without(found: Sequence[ForeignModel], models: Sequence[Held]) -> list[ForeignModel]:
    """Return the models `found` elsewhere that are not among `models`, by path or by catalogue entry and size."""
    paths = {one.file.resolve() for one in models}
    files = {(one.entry, one.size) for one in models if one.entry}
    return [one for one in found if one.path.resolve() not in paths and (one.entry, one.size) not in files]


def summary(found: Sequence[ForeignModel]) -> str:
    """Return the line about models in the folders of other programs, which the person can import."""
    sentence = ngettext(
        "{n} more model is in the folders of {programs}; take it over with: qwen models import",
        "{n} more models are in the folders of {programs}; take them over with: qwen models import",
        len(found),
    )
    return sentence.format(n=len(found), programs=listed(dict.fromkeys(one.program for one in found)))


def _is_usable(path: Path) -> bool:
    try:
        header = read_header(path)
    except (InvalidModelError, ValueError):
        return False
    return kinds.unfit(header) is None and header.metadata.get("general.architecture") == _ARCHITECTURE


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_SMALL_FILE).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""


def _decoded(text: str) -> dict[str, object]:
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except msgspec.MsgspecError:
        return {}
