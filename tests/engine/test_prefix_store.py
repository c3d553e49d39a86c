"""The prefix store on disk: which states are found again, which are ignored, and which make room for others."""

import ctypes
import os
import random
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qwen_tui.engine.prefix_store import PrefixStore
from qwen_tui.engine.state_file import StateHeader, packed

KEY = "this model"
SIZE = 100_000


def state_of(seed: int, size: int = SIZE) -> ctypes.Array[ctypes.c_uint8]:
    return (ctypes.c_uint8 * size).from_buffer_copy(random.Random(seed).randbytes(size))


def header_of(conversation: str, tokens: range | list[int], *, key: str = KEY, size: int = SIZE) -> StateHeader:
    return StateHeader(
        key=key,
        conversation=conversation,
        tokens=packed(tokens),
        aligned=0,
        arithmetic="",
        token_s=0.05,
        size=size,
        sums=b"",
    )


def keep(store: PrefixStore, conversation: str, tokens: range | list[int], *, key: str = KEY, size: int = SIZE) -> bool:
    return store.save(header_of(conversation, tokens, key=key, size=size), lambda: state_of(1, size), lambda: False)


@pytest.fixture
def store(tmp_path: Path) -> PrefixStore:
    return PrefixStore(tmp_path / "states", 10_000_000)


def conversations(store: PrefixStore) -> set[str]:
    return {entry.conversation for entry in store.entries()}


def test_a_state_is_found_by_its_tokens_in_this_process_and_the_next(store: PrefixStore, tmp_path: Path) -> None:
    assert keep(store, "aaa", range(100))
    for reader in (store, PrefixStore(tmp_path / "states", 10_000_000)):
        (found,) = reader.find({KEY}, [*range(80), 7, 7])
        assert found.common == 80
        assert found.tokens == list(range(100))
        assert bytes(reader.read(found) or b"") == bytes(state_of(1))


def test_the_longest_common_beginning_comes_first(store: PrefixStore) -> None:
    keep(store, "aaa", range(50))
    keep(store, "bbb", [*range(70), 0])
    keep(store, "ccc", [5, 6, 7])
    found = store.find({KEY}, range(100))
    assert [(state.header.conversation, state.common) for state in found] == [("bbb", 70), ("aaa", 50)]


@settings(max_examples=200)
@given(st.lists(st.integers(0, 3), max_size=12), st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_the_length_of_the_common_beginning_is_right(
    tmp_path_factory: pytest.TempPathFactory, ours: list[int], theirs: list[int]
) -> None:
    store = PrefixStore(tmp_path_factory.mktemp("states"), 10_000)
    keep(store, "aaa", theirs, size=10)
    common = next((i for i, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]), None)
    expected = min(len(ours), len(theirs)) if common is None else common
    assert [state.common for state in store.find({KEY}, ours)] == ([expected] if expected else [])


def test_a_state_of_another_model_is_not_found(store: PrefixStore) -> None:
    keep(store, "aaa", range(100), key="another model")
    assert store.find({KEY}, range(100)) == []


def test_a_conversation_has_one_state_and_only_its_owner_can_read_it(store: PrefixStore, tmp_path: Path) -> None:
    keep(store, "aaa", range(100))
    keep(store, "aaa", range(200))
    (file,) = (tmp_path / "states").iterdir()
    assert len(store.of_conversation({KEY}, "aaa")) == 200
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_the_least_recently_used_make_room_and_the_limit_holds(tmp_path: Path) -> None:
    folder = tmp_path / "states"
    store = PrefixStore(folder, 350_000)
    for i, conversation in enumerate(("aaa", "bbb", "ccc")):
        keep(store, conversation, range(i * 1000, i * 1000 + 100))
        os.utime(folder / f"{conversation}.state", (time.time() - 100 + i,) * 2)
    store.touch(store.find({KEY}, range(100))[0])
    assert keep(store, "ddd", range(9000, 9100))
    assert conversations(store) == {"aaa", "ccc", "ddd"}
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 350_000


def test_a_state_larger_than_the_limit_is_not_stored_and_removes_no_other(store: PrefixStore) -> None:
    keep(store, "aaa", range(100))
    assert not keep(store, "bbb", range(100), size=20_000_000)
    assert conversations(store) == {"aaa"}


def test_a_cancelled_write_leaves_the_old_states(store: PrefixStore, tmp_path: Path) -> None:
    keep(store, "aaa", range(100))
    header = header_of("aaa", range(9))
    assert not store.save(header, lambda: state_of(2), lambda: True)
    assert not store.save(header, lambda: None, lambda: False)
    assert len(store.of_conversation({KEY}, "aaa")) == 100
    assert len(list((tmp_path / "states").iterdir())) == 1


def test_a_removed_conversation_stays_removed_even_if_its_state_is_being_written(
    store: PrefixStore, tmp_path: Path
) -> None:
    keep(store, "aaa", range(100))
    other = PrefixStore(tmp_path / "states", 10_000_000)

    def take() -> ctypes.Array[ctypes.c_uint8]:
        other.forget("aaa")
        return state_of(3)

    header = header_of("aaa", range(9))
    assert not store.save(header, take, lambda: False)
    assert not keep(store, "aaa", range(100)), "nor later"
    assert store.entries() == []
    assert [file.suffix for file in (tmp_path / "states").iterdir()] == [".forgotten"]
    assert keep(store, "bbb", range(100))


def test_what_a_killed_writer_left_is_cleaned_up(store: PrefixStore, tmp_path: Path) -> None:
    keep(store, "aaa", range(100))
    left, fresh = tmp_path / "states/bbb.x.draft", tmp_path / "states/ccc.y.draft"
    for draft in (left, fresh):
        draft.write_bytes(b"half")
    os.utime(left, (time.time() - 1000,) * 2)
    keep(store, "aaa", range(100))
    assert not left.exists()
    assert fresh.exists()


def test_a_sign_says_what_is_coming_for_as_long_as_its_writer_lives(store: PrefixStore, tmp_path: Path) -> None:
    reader = PrefixStore(tmp_path / "states", 10_000_000)
    with store.announced(header_of("aaa", range(100))):
        (coming,) = reader.coming({KEY}, [*range(80), 7])
        assert coming.common == 80
        assert reader.is_coming(coming)
        assert reader.coming({"another model"}, range(80)) == []
        assert reader.coming_of("bbb") is None
        assert reader.entries() == []
    assert not reader.is_coming(coming)
    assert reader.coming({KEY}, range(80)) == []
    assert list((tmp_path / "states").iterdir()) == []


def test_a_killed_writer_keeps_nobody_waiting_and_its_sign_is_cleaned_up(store: PrefixStore, tmp_path: Path) -> None:
    writer = f"""
import time
from pathlib import Path
from qwen_tui.engine.prefix_store import PrefixStore
from tests.engine.test_prefix_store import header_of
with PrefixStore(Path({str(tmp_path / "states")!r}), 10_000_000).announced(header_of("aaa", range(100))):
    print("up", flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", writer], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert process.stdout is not None
    process.stdout.readline()
    (coming,) = store.coming({KEY}, range(100))
    process.kill()
    process.wait()
    process.stdout.close()
    assert not store.is_coming(coming)
    assert store.coming_of("aaa") is None
    (sign,) = (tmp_path / "states").iterdir()
    os.utime(sign, (time.time() - 1000,) * 2)
    keep(store, "bbb", range(100))
    assert not sign.exists()


def test_a_removed_conversation_is_not_coming(store: PrefixStore, tmp_path: Path) -> None:
    with store.announced(header_of("aaa", range(100))), store.announced(header_of("bbb", range(100))):
        PrefixStore(tmp_path / "states", 10_000_000).forget("aaa")
        assert [found.header.conversation for found in store.coming({KEY}, range(100))] == ["bbb"]
        store.clear()
        assert store.coming({KEY}, range(100)) == []
    with store.announced(header_of("aaa", range(100))):
        assert store.coming({KEY}, range(100)) == []


@pytest.mark.parametrize("content", [b"", b"half", b"QWENKV\x00\x01" + b"\xff" * 8])
def test_a_damaged_sign_says_nothing(store: PrefixStore, tmp_path: Path, content: bytes) -> None:
    with store.announced(header_of("aaa", range(100))):
        (sign,) = (tmp_path / "states").iterdir()
        sign.write_bytes(content)
        assert store.coming_of("aaa") is None


def test_clearing_removes_every_state(store: PrefixStore) -> None:
    for conversation in ("aaa", "bbb"):
        keep(store, conversation, range(100))
    assert store.clear() == 2
    assert store.entries() == []
    assert store.clear() == 0


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_is_ever_read_as_a_state(tmp_path: Path, data: st.DataObject) -> None:
    store = PrefixStore(tmp_path / "states", 10_000_000)
    assert keep(store, "aaa", range(100), size=5000)
    (file,) = (tmp_path / "states").iterdir()
    whole = file.read_bytes()
    match data.draw(st.sampled_from(["flip", "cut", "grow", "swap", "fill"])):
        case "flip":
            at = data.draw(st.integers(0, len(whole) * 8 - 1))
            damaged = bytearray(whole)
            damaged[at // 8] ^= 1 << at % 8
        case "cut":
            damaged = bytearray(whole[: data.draw(st.integers(0, len(whole) - 1))])
        case "grow":
            damaged = bytearray(whole + data.draw(st.binary(min_size=1, max_size=50)))
        case "swap":
            at = data.draw(st.integers(0, len(whole) - 1))
            damaged = bytearray(whole[at:] + whole[:at])
        case _:
            at = data.draw(st.integers(0, len(whole) - 1))
            damaged = bytearray(whole[:at] + bytes(len(whole) - at))
    file.write_bytes(damaged)
    found = store.find({KEY}, range(100))
    if bytes(damaged) == whole:
        assert found
        return
    assert all(store.read(state) is None for state in found)
    assert not file.exists()
    assert keep(store, "aaa", range(100), size=5000), "and it can be kept again"


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"QWENKV\x00\x01" + b"\xff" * 8, b"GGUF" * 1000])
def test_foreign_files_are_ignored(store: PrefixStore, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "states").mkdir()
    (tmp_path / "states/aaa.state").write_bytes(content)
    assert store.find({KEY}, range(10)) == []
    assert store.entries() == []
    assert keep(store, "aaa", range(10))


def test_files_in_the_way_only_prevent_storing(tmp_path: Path) -> None:
    store = PrefixStore(tmp_path / "states", 1_000_000)
    (tmp_path / "states/aaa.state").mkdir(parents=True)
    assert not keep(store, "aaa", range(100))
    assert store.find({KEY}, range(100)) == []
    (tmp_path / "file").write_text("x")
    blocked = PrefixStore(tmp_path / "file", 1_000_000)
    assert not keep(blocked, "aaa", range(100))
    assert blocked.find({KEY}, range(100)) == []
    assert not keep(store, "../escape", range(100))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "states"]
