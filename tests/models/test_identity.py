"""Which model a file is: hashes that the program remembers."""

import hashlib
import os
from pathlib import Path

import pytest

from qwen_tui.models import identity
from qwen_tui.models.identity import Identity


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "some.gguf"
    path.write_bytes(b"weights" * 1000)
    return path


def find_out(file: Path, memory: Path, *, given_up: bool = False) -> str | None:
    seen = identity.facts(os.fsencode(file))
    assert seen is not None
    return identity.find_out(os.fsencode(file), seen, memory, lambda: given_up)


def remembered(file: Path, memory: Path) -> str | None:
    seen = identity.facts(os.fsencode(file))
    assert seen is not None
    return identity.remembered(os.fsencode(file), seen, memory)


def test_a_file_is_hashed_once(file: Path, tmp_path: Path) -> None:
    memory = tmp_path / "deep/models.json"
    assert remembered(file, memory) is None
    assert find_out(file, memory) == hashlib.sha256(b"weights" * 1000).hexdigest() == remembered(file, memory)


def test_a_changed_file_does_not_count_as_the_hashed_one(file: Path, tmp_path: Path) -> None:
    memory = tmp_path / "models.json"
    find_out(file, memory)
    times = file.stat()
    replacement = tmp_path / "new"
    replacement.write_bytes(b"weighty" * 1000)
    os.utime(replacement, ns=(times.st_atime_ns, times.st_mtime_ns))
    replacement.replace(file)
    assert remembered(file, memory) is None, "same size and time, but another inode"


def test_a_model_has_a_name_before_it_is_hashed_and_is_still_known_by_it_afterwards(file: Path, tmp_path: Path) -> None:
    def known(path: Path) -> Identity:
        return Identity(os.fsencode(path), tmp_path / "models.json")

    (name,) = known(file).names()
    assert known(file).names() == (name,), "in the next process, too"
    assert not known(file).is_hashed
    known(file).find_out(lambda: False)
    sha256, *earlier = known(file).names()
    assert sha256 == hashlib.sha256(b"weights" * 1000).hexdigest()
    assert earlier == [name]
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(file.read_bytes())
    assert not {sha256, name} & set(known(copy).names()), "nobody knows that it is the same"
    known(copy).find_out(lambda: False)
    assert {sha256, name} < set(known(copy).names())
    # A touched file is hashed again, and turns out to be the same.
    os.utime(file, (1, 1))
    assert not {sha256, name} & set(known(file).names())
    known(file).find_out(lambda: False)
    assert {sha256, name} < set(known(file).names())


@pytest.mark.parametrize("change", ["written", "replaced", "moved here", "written with its old time"])
def test_a_file_that_changed_has_another_name(file: Path, tmp_path: Path, change: str) -> None:
    before, times = identity.stamp(os.fsencode(file)), file.stat()
    other = tmp_path / "other.gguf"
    other.write_bytes(b"weighty" * 1000)
    if change == "moved here":
        other.replace(file)
    else:
        if change == "replaced":
            file.unlink()
        file.write_bytes(other.read_bytes())
        if change == "written with its old time":
            os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert identity.stamp(os.fsencode(file)) not in (before, None)


def test_a_file_replaced_while_it_was_loaded_has_no_name(file: Path, tmp_path: Path) -> None:
    loading = Identity(os.fsencode(file), tmp_path / "models.json")
    file.write_bytes(b"another")
    assert loading.names() == ()
    assert Identity(b"/no/such\0file", tmp_path / "models.json").names() == ()


def test_hashing_can_be_given_up_and_fails_silently(file: Path, tmp_path: Path) -> None:
    memory = tmp_path / "models.json"
    assert find_out(file, memory, given_up=True) is None
    assert not memory.exists()
    seen = identity.facts(os.fsencode(file))
    assert seen is not None
    file.write_bytes(b"changed meanwhile")
    assert identity.find_out(os.fsencode(file), seen, memory, lambda: False) is None
    assert identity.facts(b"/no/such\0file") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 1}', b"\xff\xfe", b"null"])
def test_a_damaged_memory_is_an_empty_one(file: Path, tmp_path: Path, content: bytes) -> None:
    memory = tmp_path / "models.json"
    memory.write_bytes(content)
    assert remembered(file, memory) is None
    assert find_out(file, memory) == remembered(file, memory)


def test_the_number_of_remembered_hashes_is_limited(file: Path, tmp_path: Path) -> None:
    memory = tmp_path / "models.json"
    first = tmp_path / "first.gguf"
    first.write_bytes(b"x")
    find_out(first, memory)
    for i in range(50):
        other = tmp_path / f"{i}.gguf"
        other.write_bytes(b"x")
        find_out(other, memory)
    assert remembered(first, memory) is None
    assert remembered(tmp_path / "0.gguf", memory) is not None
