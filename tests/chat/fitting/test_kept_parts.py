"""Finished parts on disk: found by all that led to them, private, bounded, and gone with their conversations."""

import os
import stat
from pathlib import Path

import msgspec
import pytest

from qwen_tui.chat.fitting import kept_parts
from qwen_tui.chat.fitting.kept_parts import KeptParts, PartAnswer, PartsFolder, key_of
from qwen_tui.engine.protocol import EngineInfo, Request, SamplingOptions
from qwen_tui.messages import Message

ANSWER = PartAnswer("a note", "stop")
INFO = EngineInfo(model="Qwen", device="CPU", ctx_size=8192, threads=4, gpu_layers=0, identity="file:1")
REQUEST = Request(messages=(Message("user", "a part"),), max_tokens=5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "parts"


def test_what_is_kept_is_found_again_and_readable_for_its_owner_alone(folder: Path) -> None:
    KeptParts(folder, "one").keep("key", ANSWER)
    assert KeptParts(folder, "one").find("key") == ANSWER
    assert KeptParts(folder, "one").find("other") is None
    if os.name != "nt":
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


@pytest.mark.parametrize("damage", [b"", b"{", b'{"version": 2}', b"\xff"])
def test_a_damaged_file_is_not_found(folder: Path, damage: bytes) -> None:
    KeptParts(folder, "one").keep("key", ANSWER)
    PartsFolder(folder).file("key").write_bytes(damage)
    assert KeptParts(folder, "one").find("key") is None


def test_the_key_changes_with_whatever_changes_the_answer() -> None:
    info, request = msgspec.structs.replace, msgspec.structs.replace
    keys = [
        key_of(REQUEST, INFO, ""),
        key_of(REQUEST, INFO, "server"),
        key_of(REQUEST, info(INFO, identity="file:2"), ""),
        key_of(request(REQUEST, messages=(Message("user", "another part"),)), INFO, ""),
        key_of(request(REQUEST, messages=(Message("system", "a part"),)), INFO, ""),
        key_of(request(REQUEST, sampler=SamplingOptions(seed=1)), INFO, ""),
        key_of(request(REQUEST, max_tokens=6), INFO, ""),
    ]
    assert len(set(keys)) == len(keys)
    same = request(REQUEST, lookup=False, conversation="x"), info(INFO, device="GPU", ctx_size=1, threads=9)
    assert key_of(*same, "") == keys[0], "how it is computed changes nothing"


def test_a_part_goes_with_any_of_its_conversations_and_is_not_kept_for_one_that_is_gone(folder: Path) -> None:
    one, other = KeptParts(folder, "one"), KeptParts(folder, "other")
    one.keep("shared", ANSWER)
    one.keep("own", ANSWER)
    assert other.find("shared") == ANSWER
    other.keep("another", ANSWER)
    PartsFolder(folder).forget("other")
    assert one.find("shared") is None
    assert one.find("own") == ANSWER
    other.keep("late", ANSWER)
    assert other.find("late") is None, "the program that still works on it writes nothing more"


def test_the_parts_used_longest_ago_make_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_parts, "MOST_FILES", 3)
    kept = KeptParts(folder, "one")
    for number, key in enumerate("abc"):
        kept.keep(key, ANSWER)
        os.utime(PartsFolder(folder).file(key), (number, number))
    kept.find("a")
    kept.keep("d", ANSWER)
    assert [key for key in "abcd" if kept.find(key)] == ["a", "c", "d"]
    monkeypatch.setattr(kept_parts, "MOST_BYTES", 1)
    kept.keep("e", ANSWER)
    assert not list(folder.glob("*.json"))


def test_what_is_kept_is_listed_by_conversation_and_cleared(folder: Path) -> None:
    assert PartsFolder(folder).entries() == []
    for conversation, keys in (("one", "ab"), ("other", "c")):
        for key in keys:
            KeptParts(folder, conversation).keep(key, ANSWER)
    assert {(entry.conversation, entry.parts) for entry in PartsFolder(folder).entries()} == {("one", 2), ("other", 1)}
    assert PartsFolder(folder).clear() == 3
    assert PartsFolder(folder).entries() == []
