"""Damaged or foreign packs: nothing is imported from them, and nothing outside the models folder is touched."""

import hashlib
import io
import json
import random
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qwen_tui.errors import InvalidModelError
from qwen_tui.models.importing import packing, unpacking
from qwen_tui.models.importing.importing import Importer
from qwen_tui.models.inventory import Held
from qwen_tui.models.shelf import Shelf


def quiet(_done: int, _total: int) -> None:
    pass


@pytest.fixture
def members(tiny: Path, tmp_path: Path) -> dict[str, bytes]:
    """The files of an undamaged pack."""
    held = Held("mine.gguf", tiny, tiny.stat().st_size, "unverified")
    packing.pack(tmp_path / "pack", [packing.Item(held, "mine.gguf")], b"", quiet, overwrite=False)
    return {path.name: path.read_bytes() for path in (tmp_path / "pack").iterdir()}


Change = Callable[[dict[str, bytes]], None]
Write = Callable[[Path, dict[str, bytes]], None]


def _manifest(members: dict[str, bytes], change: Callable[[Any], None]) -> None:
    manifest = json.loads(members["qwen-pack.json"])
    change(manifest)
    members["qwen-pack.json"] = json.dumps(manifest).encode()


def _named(name: str) -> Change:
    def change(members: dict[str, bytes]) -> None:
        members[name] = members.pop("mine.gguf")
        _manifest(members, lambda manifest: manifest["models"][0].update(file=name))

    return change


def _flipped(members: dict[str, bytes]) -> None:
    data = bytearray(members["mine.gguf"])
    data[-1] ^= 1
    members["mine.gguf"] = bytes(data)


def _longer(members: dict[str, bytes]) -> None:
    members["mine.gguf"] += b"more"


def _no_model(members: dict[str, bytes]) -> None:
    members["mine.gguf"] = content = b"<html>" * 1000
    sha256 = hashlib.sha256(content).hexdigest()
    _manifest(members, lambda manifest: manifest["models"][0].update(size=len(content), sha256=sha256))


def _no_manifest_text(members: dict[str, bytes]) -> None:
    members["qwen-pack.json"] = b"{" * 100


def _too_new(members: dict[str, bytes]) -> None:
    _manifest(members, lambda manifest: manifest.update(format=2))


def _missing(members: dict[str, bytes]) -> None:
    del members["mine.gguf"]


def _huge_manifest(members: dict[str, bytes]) -> None:
    members["qwen-pack.json"] += b" " * (2 << 20)


BAD = {
    "above": _named("../mine.gguf"),
    "absolute": _named("/tmp/mine.gguf"),
    "below": _named("models/mine.gguf"),
    "backslash": _named("..\\mine.gguf"),
    "hidden": _named(".mine.gguf"),
    "flipped": _flipped,
    "longer": _longer,
    "no model": _no_model,
    "no manifest": _no_manifest_text,
    "too new": _too_new,
    "missing": _missing,
    "huge manifest": _huge_manifest,
}


def _tarred(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def _zipped(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _foldered(path: Path, members: dict[str, bytes]) -> None:
    path.mkdir()
    for name, content in members.items():
        (path / name).write_bytes(content)


SUFFIXES: dict[Write, str] = {_tarred: ".tar", _zipped: ".zip", _foldered: ""}


def _take(path: Path, shelf: Shelf) -> None:
    with unpacking.opened(path) as pack:
        assert pack
        for model in pack.manifest.models:
            pack.take(model, Importer(shelf, quiet, lambda: None))


@pytest.mark.parametrize("write", [_tarred, _zipped, _foldered])
def test_an_undamaged_pack_is_imported(tmp_path: Path, members: dict[str, bytes], write: Write) -> None:
    shelf = Shelf(tmp_path / "home/models")
    write(tmp_path / ("sound" + SUFFIXES[write]), members)
    _take(tmp_path / ("sound" + SUFFIXES[write]), shelf)
    assert [record.name for record in shelf.records()] == ["mine.gguf"]
    assert (shelf.folder / "mine.gguf").read_bytes() == members["mine.gguf"]


@pytest.mark.parametrize("write", [_tarred, _zipped])
@pytest.mark.parametrize("fault", BAD)
def test_a_damaged_pack_imports_nothing_and_touches_no_other_file(
    tmp_path: Path, members: dict[str, bytes], write: Write, fault: str
) -> None:
    BAD[fault](members)
    path = tmp_path / ("bad" + SUFFIXES[write])
    write(path, members)
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(InvalidModelError) as raised:
        _take(path, Shelf(tmp_path / "home/models"))
    assert raised.value.remedy
    after = {path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"}
    assert after - before == set()


@pytest.mark.parametrize("write", [_tarred, _zipped])
def test_an_archive_that_is_cut_or_altered_never_gives_another_model(
    tmp_path: Path, members: dict[str, bytes], write: Write
) -> None:
    path = tmp_path / ("bad" + SUFFIXES[write])
    write(path, members)
    whole = path.read_bytes()
    rng = random.Random(0)
    refused = 0
    for case in range(60):
        data = bytearray(whole)
        if case % 2:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        else:
            del data[rng.randrange(len(data)) :]
        path.write_bytes(data)
        shelf = Shelf(tmp_path / f"home{case}/models")
        try:
            _take(path, shelf)
        except InvalidModelError:
            refused += 1
            assert shelf.records() == ()
        else:
            assert (shelf.folder / "mine.gguf").read_bytes() == members["mine.gguf"]
    assert refused > 30


@pytest.mark.parametrize("name", ["somebody/Repo:red\x1b[31m.gguf", "some body/Repo:one.gguf", "a/b:\x9b.gguf"])
def test_an_invalid_name_is_not_imported(tmp_path: Path, members: dict[str, bytes], name: str) -> None:
    _manifest(members, lambda manifest: manifest["models"][0].update(name=name))
    shelf = Shelf(tmp_path / "home/models")
    _zipped(tmp_path / "odd.zip", members)
    _take(tmp_path / "odd.zip", shelf)
    assert [record.name for record in shelf.records()] == ["mine.gguf"]


def test_a_foreign_manifest_is_not_a_pack(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    with unpacking.opened(tmp_path) as pack:
        assert pack is None
