"""Which files elsewhere are models that can be imported: by their names, in folders, by their headers and sizes."""

import os
from pathlib import Path

from qwen_tui import cancellation
from qwen_tui.errors import InvalidModelError
from qwen_tui.models import kinds, parts
from qwen_tui.models.catalogue import CATALOGUE, CatalogueEntry
from qwen_tui.models.gguf import read_header

# How many levels of a folder the search descends, and how many files it looks at.
_DEPTH = 4
_FILES = 5000


def is_model_name(name: str) -> bool:
    """Whether a file of this name is likely a model; the "._" files that macOS puts onto sticks only look like one."""
    return name.lower().endswith(".gguf") and not name.startswith(".")


def models_in(folder: Path) -> list[Path]:
    """Return the models in a folder and the folders below it, as on a USB stick, without hidden .gguf files."""
    found: list[Path] = []
    looked = 0
    for above, folders, names in os.walk(folder):
        cancellation.check()
        if len(Path(above).relative_to(folder).parts) >= _DEPTH:
            folders.clear()
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        likely = (Path(above, name) for name in sorted(names) if is_model_name(name))
        # This leaves out links that lead nowhere.
        found += [path for path in likely if os.path.isfile(path)]  # noqa: PTH113 - it never raises
        looked += len(names)
        if looked > _FILES:
            break
    # A split model is named once, by the first of its parts that is there.
    return list({parts.files(path)[0]: path for path in reversed(found)}.values())[::-1]


def require_model(path: Path) -> None:
    """Raise `InvalidModelError` unless `path` is a whole GGUF file of a model that answers, or its first part."""
    header = parts.read_model(path)
    kinds.require_model(header, path)


def no_model(path: Path) -> InvalidModelError | None:
    """Return why the file at `path` is sound, but no model that answers; None for a model, and for a damaged file."""
    try:
        header = read_header(path)
    except InvalidModelError:
        return None
    try:
        kinds.require_model(header, path)
    except InvalidModelError as error:
        return error
    return None


def size_of(path: Path) -> int:
    """Return the bytes of the model in `path`, with all its parts that are there."""
    return sum(part.stat().st_size for part in parts.files(path) if part.exists())


def of_size(size: int, name: str = "", entries: tuple[CatalogueEntry, ...] = CATALOGUE) -> CatalogueEntry | None:
    """Return the published file with this `size`, if there is one; among several, `name` decides."""
    same = [entry for entry in entries if entry.size == size]
    return next((entry for entry in same if entry.file == name), same[0] if same else None)
