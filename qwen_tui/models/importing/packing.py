"""Writes models, their checksums and the settings into a pack."""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from qwen_tui import __version__
from qwen_tui.config import SERVERS
from qwen_tui.errors import InvalidModelError, ModelNotFoundError, UsageError
from qwen_tui.files import APPLICATION, ASSETS
from qwen_tui.i18n import gettext as _
from qwen_tui.models import catalogue, inventory
from qwen_tui.models.disk import check_room, write_error
from qwen_tui.models.hashing import HashingReader, OnProgress, reading
from qwen_tui.models.importing.candidates import is_model_name, require_model
from qwen_tui.models.importing.importing import from_bytes, safe_name
from qwen_tui.models.importing.pack_format import (
    CONFIG,
    FORMAT,
    MANIFEST,
    README,
    SUMS,
    Manifest,
    PackedFile,
    PackedModel,
)
from qwen_tui.models.importing.pack_sinks import Sink, writing
from qwen_tui.models.inventory import DEMO, Held
from qwen_tui.models.locate import locate
from qwen_tui.models.shelf import Shelf
from qwen_tui.models.verifying import damaged, missing
from qwen_tui.quoting import quoted


class Item(NamedTuple):
    """A model to pack, and its file name in the pack."""

    held: Held
    file: str


def named(name: str, shelf: Shelf) -> Held:
    """Return the model `name` to pack, which may be a file that was never imported; raises `ModelNotFoundError`."""
    file = inventory.get(name, shelf).file if name == DEMO else locate(name, shelf.folder)
    known = next((one for one in inventory.held(shelf) if one.file.resolve() == file.resolve()), None)
    if known and known.state == "missing":
        raise missing(known)
    return known or inventory.unrecorded(file)


def in_use(name: str, packed: Sequence[Item], shelf: Shelf) -> Item:
    """Return the model `name`, which is in use here, if it is among the `packed` ones, else the first of them."""
    try:
        file = os.path.realpath(locate(name, shelf.folder))
    except (ModelNotFoundError, InvalidModelError):
        return packed[0]
    return next((item for item in packed if os.path.realpath(item.held.file) == file), packed[0])


def items(models: Sequence[Held]) -> list[Item]:
    """Return the files of the models, each with its name in the pack.

    Raises `InvalidModelError`, and `UsageError` if two names are equal.
    """
    found: list[Item] = []
    for model in models:
        require_model(model.file)
    for held in (piece for model in models for piece in model.pieces):
        own = held.file.name
        file = held.entry.file if held.entry and held.entry.size == held.size else own if is_model_name(own) else ""
        found.append(Item(held, safe_name(file or held.name)))
    twice = {item.file for item in found if sum(item.file.lower() == other.file.lower() for other in found) > 1}
    if twice:
        raise UsageError(
            _("Two of the models have a file of the same name: {file}").format(file=", ".join(sorted(twice))),
            _("Make a pack of each."),
        )
    return found


def portable_settings(content: bytes | None, item: Item) -> bytes | None:
    """Return the settings in `content`, changed so that the other computer uses the model `item`, and no server.

    None without `content`, if the other computer uses that model by default.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse((content or b"").decode("utf-8-sig"))
    except (UnicodeDecodeError, TOMLKitError):
        return content
    is_default = item.held.entry in catalogue.find(catalogue.DEFAULT_MODEL)
    if is_default and "model" not in document and SERVERS not in document:
        return content
    # Nobody on the other computer has agreed to a server, and it has no network.
    document.pop(SERVERS, None)
    if not is_default or "model" in document:
        document["model"] = item.held.name if item.held.entry else item.file
    return tomlkit.dumps(document).encode()


def pack(
    out: Path,
    packed: Sequence[Item],
    config: bytes | None,
    on_progress: OnProgress,
    *,
    overwrite: bool,
    engine: Path | None = None,
) -> Manifest:
    """Write a pack to `out` and return its manifest; calls `on_progress` with the bytes of all models.

    `engine` is a wheel that goes with them.

    Raises `InvalidModelError` if a model differs from its record, `UsageError` and `WriteError`; then it leaves no part
    of a pack.
    """
    wheel = engine.read_bytes() if engine else b""
    total = sum(item.held.size for item in packed) + len(wheel)
    check_room(out, total, chosen=True)
    own = [CONFIG] if config is not None else []
    own += [engine.name] if engine else []
    names = [*(item.file for item in packed), *own, README, SUMS, MANIFEST]
    before = 0
    listed: list[PackedModel] = []
    try:
        with writing(out, names, overwrite=overwrite) as sink:
            for item in packed:
                listed.append(_add_model(sink, item, from_bytes(before, total, on_progress)))
                before += item.held.size
            settings = _add(sink, CONFIG, config) if config is not None else None
            packed_engine = _add(sink, engine.name, wheel) if engine else None
            readme = _add(sink, README, _readme(engine.name if engine else ""))
            summed = [*listed, *filter(None, (settings, packed_engine)), readme]
            _add(sink, SUMS, "".join(f"{one.sha256}  {one.file}\n" for one in summed).encode())
            manifest = Manifest(
                format=FORMAT,
                program=f"{APPLICATION} {__version__}",
                models=tuple(listed),
                config=settings,
                engine=packed_engine,
            )
            _add(sink, MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
    except OSError as error:
        raise write_error(out, error, chosen=True) from error
    return manifest


def _readme(wheel: str) -> bytes:
    """Return README.txt; without a `wheel`, its paragraphs about that are left out."""
    paragraphs = (ASSETS / "pack_readme.txt").read_bytes().split(b"\r\n\r\n")
    kept = [each for each in paragraphs if wheel or b"{wheel}" not in each]
    return b"\r\n\r\n".join(kept).replace(b"{wheel}", wheel.encode())


def _add_model(sink: Sink, item: Item, on_progress: OnProgress) -> PackedModel:
    held = item.held
    with reading(held.file, on_progress, held.size) as reader:
        sink.add(item.file, reader, held.size)
        sha256 = reader.finish()
    entry = catalogue.of_hash(sha256)
    if held.record and held.record.sha256 != sha256:
        raise damaged(held.record, held.file)
    if not held.record and held.entry and held.entry.sha256 and not entry:
        raise InvalidModelError(
            _("{path} has the name of {name}, but not its content.").format(path=held.file, name=held.name),
            _("Fetch what is wrong again with: qwen pull --repair {name}").format(name=quoted(held.name)),
        )
    return PackedModel(
        file=item.file,
        size=held.size,
        sha256=sha256,
        name=entry.full_name if entry else held.name,
        source=entry.repository if entry else "",
        pinned=entry is not None or bool(held.record and held.record.pinned),
        licence=entry.licence if entry else "",
    )


def _add(sink: Sink, name: str, content: bytes) -> PackedFile:
    reader = HashingReader(io.BytesIO(content), len(content), name)
    sink.add(name, reader, len(content))
    return PackedFile(file=name, size=len(content), sha256=reader.finish())
