"""Models that are imported, verified and found again: which files get which names."""

import hashlib
import os
import random
import shutil
from pathlib import Path

import msgspec
import pytest

from qwen_tui.errors import InvalidModelError, ModelNotFoundError, NotFetchedError, QwenError, WriteError
from qwen_tui.models import inventory
from qwen_tui.models.catalogue import CatalogueEntry
from qwen_tui.models.importing.importing import Importer, safe_name
from qwen_tui.models.inventory import Held
from qwen_tui.models.locate import locate
from qwen_tui.models.shelf import Shelf
from qwen_tui.models.verifying import check_unchanged, verify
from tests.tiny_model import make_tiny_model


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "home/models")


@pytest.fixture
def source(tiny: Path, tmp_path: Path) -> Path:
    stick = tmp_path / "stick"
    stick.mkdir()
    file = stick / "Tiny-Q4_K_M.gguf"
    file.write_bytes(tiny.read_bytes())
    return file


@pytest.fixture
def published(source: Path) -> tuple[CatalogueEntry, ...]:
    """A catalogue with the tiny model, and a second model whose hash is unknown."""
    return (
        CatalogueEntry(
            name="tiny",
            quant="Q4_K_M",
            repository="somebody/Tiny-GGUF",
            file=source.name,
            size=source.stat().st_size,
            sha256=sha256(source),
        ),
        CatalogueEntry(name="tiny", quant="Q8_0", repository="somebody/Tiny-GGUF", file="Tiny-Q8_0.gguf", size=5),
    )


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def quiet(_done: int, _total: int) -> None:
    pass


def importer(shelf: Shelf, entries: tuple[CatalogueEntry, ...] = ()) -> Importer:
    return Importer(shelf, quiet, lambda: None, entries)


def only(shelf: Shelf, entries: tuple[CatalogueEntry, ...] = ()) -> Held:
    (one,) = inventory.held(shelf, entries)
    return one


def flip(file: Path, rng: random.Random) -> None:
    data = bytearray(file.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    file.write_bytes(data)


def test_a_published_file_is_recognised_by_its_hash_whatever_it_is_called(
    shelf: Shelf, source: Path, published: tuple[CatalogueEntry, ...]
) -> None:
    renamed = source.rename(source.with_name("download (1).gguf"))
    record, already = importer(shelf, published).take(renamed)
    assert not already
    assert (record.name, record.path, record.pinned) == ("tiny:Q4_K_M", "Tiny-Q4_K_M.gguf", True)
    assert only(shelf, published).state == "verified"
    for name in ("tiny", "tiny:q4_k_m", "Tiny-Q4_K_M.gguf", "tiny-q4_k_m", record.sha256[:8]):
        found = inventory.find(name, shelf, published)
        assert found, name
        assert found.file.read_bytes() == renamed.read_bytes()
    assert (shelf.folder / record.path).stat().st_mode & 0o777 == 0o600


def test_an_unknown_file_goes_by_its_own_name_and_is_found_by_it(shelf: Shelf, source: Path) -> None:
    record, _already = importer(shelf).take(source)
    assert (record.name, record.pinned) == ("Tiny-Q4_K_M.gguf", False)
    for name in ("Tiny-Q4_K_M.gguf", "tiny-q4_k_m", record.sha256[:10]):
        assert locate(name, shelf.folder) == shelf.folder / "Tiny-Q4_K_M.gguf"


def test_the_same_file_twice_is_one_file(shelf: Shelf, source: Path) -> None:
    first = importer(shelf).take(source)
    again = importer(shelf).take(source.rename(source.with_name("other.gguf")))
    assert again.already
    assert again.record == first.record
    assert len(list(shelf.folder.glob("*.gguf"))) == 1


def test_other_content_under_a_known_name_gets_another(
    shelf: Shelf, source: Path, published: tuple[CatalogueEntry, ...], tmp_path: Path
) -> None:
    importer(shelf, published).take(source)
    other = make_tiny_model(tmp_path / source.name, seed=1, layers=1)
    record, already = importer(shelf, published).take(other)
    assert not already
    assert record.name == record.path == f"Tiny-Q4_K_M-{record.sha256[:8]}.gguf"
    found = inventory.find("tiny", shelf, published)
    assert found
    assert found.file.name == "Tiny-Q4_K_M.gguf"


def test_a_published_file_that_was_damaged_on_the_way_is_refused(
    shelf: Shelf, source: Path, published: tuple[CatalogueEntry, ...]
) -> None:
    data = source.read_bytes()
    source.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    for link in (False, True):
        with pytest.raises(InvalidModelError, match="not its content: it is damaged"):
            importer(shelf, published).take(source, link=link)
    assert inventory.held(shelf, published) == []
    assert list(shelf.folder.glob("*.importing")) == []


def test_a_link_stays_where_it_is_and_is_taken_away_without_its_file(shelf: Shelf, source: Path) -> None:
    record, _already = importer(shelf).take(source, link=True)
    assert record.path == str(source)
    assert list(shelf.folder.glob("*.gguf")) == []
    one = only(shelf)
    assert one.linked
    assert locate(one.name, shelf.folder) == source
    source.unlink()
    assert only(shelf).state == "missing"
    with pytest.raises(ModelNotFoundError, match="is no longer there"):
        verify(only(shelf), shelf, quiet)


def test_a_file_in_the_models_folder_is_imported_in_place(shelf: Shelf, source: Path) -> None:
    shelf.folder.mkdir(parents=True)
    there = source.rename(shelf.folder / source.name)
    assert only(shelf).state == "unverified"
    record, already = importer(shelf).take(there)
    assert not already
    assert record.path == there.name
    assert only(shelf).state == "verified"


@pytest.mark.parametrize("content", [b"", b"GGUF", b"<!DOCTYPE html><html></html>", b"PK\x03\x04" + bytes(100)])
def test_a_file_that_is_not_a_model_is_not_imported(shelf: Shelf, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "some.gguf"
    file.write_bytes(content)
    with pytest.raises(InvalidModelError):
        importer(shelf).take(file)
    assert not shelf.folder.exists()


def test_a_copy_that_is_interrupted_leaves_nothing(shelf: Shelf, source: Path) -> None:
    def interrupt(done: int, _total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Importer(shelf, interrupt, lambda: None).take(source)
    assert [path.name for path in shelf.folder.iterdir() if not path.name.endswith(".lock")] == []
    # The next process removes what a killed one has left.
    (shelf.folder / "tmp123.importing").write_bytes(b"half")
    assert [one.name for one in inventory.leftovers(shelf)] == ["tmp123.importing"]
    importer(shelf).take(source)
    assert inventory.leftovers(shelf) == []


def test_without_enough_space_nothing_begins(shelf: Shelf, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: _Usage(10_000))
    with pytest.raises(WriteError, match=r"67.4 MB are needed, and 10 kB are free"):
        importer(shelf).take(source)


class _Usage:
    def __init__(self, free: int) -> None:
        self.free = free


def test_a_file_that_changed_is_hashed_before_it_is_loaded(shelf: Shelf, source: Path) -> None:
    record, _already = importer(shelf).take(source)
    file = shelf.file(record)
    hashed: list[int] = []

    def look() -> None:
        hashed.clear()
        check_unchanged(file, shelf, lambda done, _total: hashed.append(done))

    look()
    assert not hashed, "nothing is read while nothing has changed"
    os.utime(file, ns=(1, 1))
    look()
    assert hashed
    look()
    assert not hashed, "the new time is noted"
    flip(file, random.Random(1))
    with pytest.raises(InvalidModelError, match="damaged or was replaced") as raised:
        look()
    assert "qwen models import" in raised.value.remedy


def test_a_damaged_published_file_is_mended_by_a_pull_or_by_another_import(
    shelf: Shelf, source: Path, published: tuple[CatalogueEntry, ...]
) -> None:
    record, _already = importer(shelf, published).take(source)
    flip(shelf.file(record), random.Random(2))
    with pytest.raises(InvalidModelError) as raised:
        check_unchanged(shelf.file(record), shelf, quiet)
    assert raised.value.remedy.endswith("qwen pull --repair tiny:Q4_K_M")
    again = importer(shelf, published).take(source)
    assert not again.already
    check_unchanged(shelf.file(record), shelf, quiet)
    assert sha256(shelf.file(record)) == sha256(source)
    assert len(list(shelf.folder.glob("*.gguf"))) == 1


def test_every_flipped_bit_is_found(shelf: Shelf, source: Path) -> None:
    record, _already = importer(shelf).take(source)
    file = shelf.file(record)
    whole = file.read_bytes()
    found = 0
    for case in range(200):
        flip(file, random.Random(case))
        os.utime(file, ns=(record.facts.mtime_ns, record.facts.mtime_ns))
        found += not verify(only(shelf), shelf, quiet).whole
        file.write_bytes(whole)
    assert found == 200
    assert verify(only(shelf), shelf, quiet).whole


def test_a_file_put_there_by_hand_is_compared_with_the_published_hash(
    shelf: Shelf, source: Path, published: tuple[CatalogueEntry, ...]
) -> None:
    shelf.folder.mkdir(parents=True)
    file = source.rename(shelf.folder / source.name)
    whole = file.read_bytes()
    flip(file, random.Random(3))
    assert not verify(only(shelf, published), shelf, quiet, published).whole
    assert only(shelf, published).record is None
    file.write_bytes(whole)
    assert verify(only(shelf, published), shelf, quiet, published).whole
    record = only(shelf, published).record
    assert record
    assert record.pinned


def test_a_file_with_a_published_name_alone_is_not_taken_for_that_model(
    shelf: Shelf, published: tuple[CatalogueEntry, ...]
) -> None:
    shelf.folder.mkdir(parents=True)
    other = make_tiny_model(shelf.folder / published[0].file)
    other.write_bytes(other.read_bytes() + bytes(32))
    assert only(shelf, published).name == published[0].file
    assert inventory.find("tiny", shelf, published) is None


def test_a_published_file_put_there_by_hand_is_hashed_once_before_it_is_loaded(
    shelf: Shelf, source: Path, published: tuple[CatalogueEntry, ...]
) -> None:
    shelf.folder.mkdir(parents=True)
    file = source.rename(shelf.folder / source.name)
    whole = file.read_bytes()
    flip(file, random.Random(5))
    with pytest.raises(InvalidModelError, match="but not its content") as raised:
        check_unchanged(file, shelf, quiet, published)
    assert "qwen pull --repair tiny:Q4_K_M" in raised.value.remedy
    assert shelf.records() == ()
    file.write_bytes(whole)
    hashed: list[int] = []
    check_unchanged(file, shelf, lambda done, _total: hashed.append(done), published)
    assert hashed
    hashed.clear()
    check_unchanged(file, shelf, lambda done, _total: hashed.append(done), published)
    assert not hashed
    assert only(shelf, published).state == "verified"


def test_of_two_files_of_one_name_the_undamaged_one_is_used(shelf: Shelf, tmp_path: Path, source: Path) -> None:
    sound = importer(shelf).take(source).record
    (tmp_path / "b").mkdir()
    other = make_tiny_model(tmp_path / "b" / "other.gguf")
    other.write_bytes(other.read_bytes() + bytes(32))
    later = importer(shelf).take(other).record
    shelf.put(msgspec.structs.replace(later, name=sound.name))
    flip(shelf.file(later), random.Random(6))
    os.utime(shelf.file(later), ns=(1, 1))
    found = inventory.find(sound.name, shelf)
    assert found
    assert found.file == shelf.file(sound)


def test_a_published_model_that_is_gone_is_asked_for_by_its_name(shelf: Shelf, source: Path) -> None:
    record = importer(shelf).take(source).record
    shelf.put(msgspec.structs.replace(record, name="qwen3-4b-instruct:Q4_K_M", pinned=True))
    shelf.file(record).unlink()
    for name in (record.sha256[:10], source.name):
        with pytest.raises(NotFetchedError) as raised:
            locate(name, shelf.folder)
        assert "qwen pull qwen3-4b-instruct:Q4_K_M" in raised.value.remedy


def test_an_unreadable_shelf_file_is_moved_aside(shelf: Shelf, source: Path) -> None:
    shelf.folder.mkdir(parents=True)
    (shelf.folder / "models.json").write_bytes(b"[{")
    importer(shelf).take(source)
    assert (shelf.folder / "models.json.damaged").read_bytes() == b"[{"
    assert len(shelf.records()) == 1


def test_the_hash_of_an_unknown_model_is_recorded(shelf: Shelf, source: Path) -> None:
    shelf.folder.mkdir(parents=True)
    file = source.rename(shelf.folder / source.name)
    first = verify(only(shelf), shelf, quiet)
    assert first.whole
    assert first.expected is None
    flip(file, random.Random(4))
    assert not verify(only(shelf), shelf, quiet).whole


def test_an_unknown_name_is_answered_with_the_nearest(shelf: Shelf, source: Path) -> None:
    with pytest.raises(QwenError) as raised:
        inventory.get("anything", shelf)
    assert "qwen models import PATH" in raised.value.remedy
    importer(shelf).take(source)
    with pytest.raises(QwenError) as raised:
        inventory.get("tny-q4", shelf)
    assert "Tiny-Q4_K_M.gguf" in raised.value.remedy
    with pytest.raises(QwenError) as raised:
        inventory.get("qwen3-4b-instruct:Q8_0", shelf)
    assert "qwen pull qwen3-4b-instruct:Q8_0" in raised.value.remedy


@pytest.mark.parametrize(
    ("called", "name"),
    [
        ("../../etc/passwd", "etc-passwd.gguf"),
        ("a:b?.GGUF", "a-b-.gguf"),
        ("con.gguf", "con-model.gguf"),
        ("…", "….gguf"),
        (" .", "model.gguf"),
        ("模型.gguf", "模型.gguf"),
    ],
)
def test_names_are_made_safe(called: str, name: str) -> None:
    assert safe_name(called) == name
