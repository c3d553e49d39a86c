"""Reading GGUF headers: what is read, what is refused with which message, and that damage does nothing worse."""

import contextlib
import struct
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from gguf import GGML_QUANT_SIZES, GGUFReader
from hypothesis import given
from hypothesis import strategies as st

from qwen_tui.errors import InvalidModelError
from qwen_tui.models import gguf
from qwen_tui.models.gguf import Header, Tensor, read_header
from qwen_tui.models.tensor_types import TENSOR_TYPES
from tests.tiny_model import make_broken_models, make_tiny_model

Reader = Callable[[bytes], Header]

U32, I32, F32, BOOL, STRING, ARRAY, U64 = 4, 5, 6, 7, 8, 9, 10
TYPE_F32, TYPE_Q4_K = 0, 12


def string(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def pair(key: str, type_id: int, value: bytes) -> bytes:
    return string(key) + struct.pack("<I", type_id) + value


def number(key: str, value: int) -> bytes:
    return pair(key, U32, struct.pack("<I", value))


def array(key: str, type_id: int, length: int, elements: bytes) -> bytes:
    return pair(key, ARRAY, struct.pack("<IQ", type_id, length) + elements)


def tensor(name: str, shape: Iterable[int], type_id: int, offset: int) -> bytes:
    dimensions = tuple(shape)
    layout = f"<I{len(dimensions)}QIQ"
    return string(name) + struct.pack(layout, len(dimensions), *dimensions, type_id, offset)


def model(pairs: Iterable[bytes] = (), tensors: Iterable[bytes] = (), data: int = 0, version: int = 3) -> bytes:
    """Return a file with these key-value pairs, tensor descriptions and `data` bytes of tensor data."""
    pairs, tensors = list(pairs), list(tensors)
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(pairs)) + b"".join(pairs + tensors)
    return head + bytes(-len(head) % 32) + bytes(data)


SMALL = model(
    [
        pair("general.architecture", STRING, string("qwen3")),
        number("qwen3.block_count", 36),
        pair("qwen3.rope.freq_base", F32, struct.pack("<f", 5e6)),
        pair("tokenizer.ggml.add_bos_token", BOOL, b"\0"),
        pair("general.size", U64, struct.pack("<Q", 1 << 40)),
        array("tokenizer.ggml.tokens", STRING, 3, string("a") + string("你") + string("")),
        array("tokenizer.ggml.token_type", I32, 3, struct.pack("<3i", 1, 1, 3)),
    ],
    [
        tensor("token_embd.weight", (256, 3), TYPE_Q4_K, 0),
        tensor("output_norm.weight", (10,), TYPE_F32, 448),
        tensor("output.weight", (1, 2), TYPE_F32, 512),
    ],
    data=520,
)


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """Read a header from these bytes."""

    def read_bytes(content: bytes) -> Header:
        path = tmp_path / "model.gguf"
        path.write_bytes(content)
        return read_header(path)

    return read_bytes


def test_reads_scalars_array_lengths_and_the_tensor_table(read: Reader) -> None:
    header = read(SMALL)
    assert header.version == 3
    assert header.metadata == {
        "general.architecture": "qwen3",
        "qwen3.block_count": 36,
        "qwen3.rope.freq_base": 5e6,
        "tokenizer.ggml.add_bos_token": False,
        "general.size": 1 << 40,
    }
    assert header.metadata["tokenizer.ggml.add_bos_token"] is False
    assert header.array_lengths == {"tokenizer.ggml.tokens": 3, "tokenizer.ggml.token_type": 3}
    assert header.tensors == (
        Tensor("token_embd.weight", "Q4_K", (256, 3), 0, 432),
        Tensor("output_norm.weight", "F32", (10,), 448, 40),
        Tensor("output.weight", "F32", (1, 2), 512, 8),
    )
    assert header.data_offset == len(SMALL) - 520


def test_agrees_with_the_gguf_package(tmp_path: Path) -> None:
    path = make_tiny_model(tmp_path / "tiny.gguf", layers=3)
    header, reader = read_header(path), GGUFReader(path)
    assert [(t.name, t.type, t.shape, header.data_offset + t.offset, t.nbytes) for t in header.tensors] == [
        (t.name, t.tensor_type.name, tuple(t.shape), t.data_offset, t.n_bytes) for t in reader.tensors
    ]
    assert header.metadata["qwen3.block_count"] == 3
    assert set(reader.fields) > header.metadata.keys() | header.array_lengths.keys()


def test_reads_version_2_and_a_file_without_tensors(read: Reader) -> None:
    assert read(model([number("a", 1)], version=2)).metadata == {"a": 1}


def test_alignment_of_the_file_is_respected(read: Reader) -> None:
    tensors = [tensor("a", (1,), TYPE_F32, 0), tensor("b", (1,), TYPE_F32, 8)]
    assert [t.offset for t in read(model([number("general.alignment", 8)], tensors, data=12)).tensors] == [0, 8]


def test_a_header_longer_than_the_first_read(read: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gguf, "_FIRST_READ", 10)
    assert len(read(SMALL).tensors) == 3


def test_only_the_beginning_of_a_long_text_is_kept(read: Reader) -> None:
    header = read(model([pair("tokenizer.chat_template", STRING, string("x" * 100_000)), number("after", 1)]))
    assert header.metadata == {"tokenizer.chat_template": "x" * 65_536, "after": 1}


def test_block_sizes_are_those_of_the_gguf_package() -> None:
    ours = {type_id: (kind.block_length, kind.block_bytes) for type_id, kind in TENSOR_TYPES.items()}
    theirs = {int(type_id): size for type_id, size in GGML_QUANT_SIZES.items()}
    # The gguf package counts the two half-precision numbers of Q8_1 as floats; ggml-common.h has 36 bytes, and no file
    # uses the type.
    theirs[9] = (32, 36)
    assert {type_id: ours[type_id] for type_id in theirs} == theirs
    assert {type_id: TENSOR_TYPES[type_id].name for type_id in theirs} == {int(t): t.name for t in GGML_QUANT_SIZES}


A_TENSOR = tensor("a", (8,), TYPE_F32, 0)

REFUSED = {
    "empty": (b"", "it is empty"),
    "garbage": (bytes(range(1, 200)), "it is not a GGUF file"),
    "web page": (b"\xef\xbb\xbf\r\n<!DOCTYPE html><title>Sign in</title>", "it is a web page, not a model"),
    "only the magic": (b"GGUF", "it is incomplete: it ends after 4 bytes"),
    "version 1": (model(version=1), "GGUF version 1"),
    "version 4": (model(version=4), "GGUF version 4"),
    "big-endian": (model(version=3 << 24), "big-endian"),
    "header cut": (SMALL[:200], "it is incomplete: it ends after 200 bytes, in its header"),
    "data cut": (SMALL[:-1], f"it is incomplete: {len(SMALL) - 1:,} of {len(SMALL):,} bytes"),
    "too many keys": (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60), "claims"),
    "too many tensors": (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0), "claims"),
    "key twice": (model([number("a", 1), number("a", 2)]), "key 'a' occurs twice"),
    "array key twice": (model([array("a", U32, 0, b""), number("a", 2)]), "key 'a' occurs twice"),
    "empty key": (model([number("", 1)]), "empty name"),
    "long key": (model([number("k" * 70_000, 1)]), "70,000 bytes"),
    "huge text": (model([pair("a", STRING, struct.pack("<Q", 1 << 62))]), "bytes in its header"),
    "unknown value type": (model([pair("a", 13, bytes(8))]), "key 'a' has a wrong type"),
    "array of arrays": (model([array("a", ARRAY, 1, struct.pack("<IQ", U32, 0))]), "key 'a' has a wrong type"),
    "huge array": (model([array("a", U32, 1 << 63, bytes(64))]), "it is incomplete"),
    "huge text array": (model([array("a", STRING, 1 << 63, bytes(64))]), "it is incomplete"),
    "huge text in an array": (model([array("a", STRING, 2, b"\xff" * 16)]), "it is incomplete"),
    "alignment 0": (model([number("general.alignment", 0)]), "alignment is 0"),
    "alignment 24": (model([number("general.alignment", 24)]), "alignment is 24"),
    "alignment a text": (model([pair("general.alignment", STRING, string("32"))]), "'general.alignment'"),
    "tensor twice": (model([], [A_TENSOR, tensor("a", (8,), TYPE_F32, 32)], 64), "tensor 'a' occurs twice"),
    "tensors overlap": (model([], [A_TENSOR, tensor("b", (8,), TYPE_F32, 0)], 64), "'b' lies at 0, not at 32"),
    "tensor misaligned": (model([], [A_TENSOR, tensor("b", (8,), TYPE_F32, 33)], 99), "'b' lies at 33, not at 32"),
    "gap between tensors": (model([], [tensor("a", (8,), TYPE_F32, 32)], 64), "'a' lies at 32, not at 0"),
    "empty tensor name": (model([], [tensor("", (8,), TYPE_F32, 0)], 32), "empty name"),
    "long tensor name": (model([], [tensor("t" * 64, (8,), TYPE_F32, 0)], 32), "64 bytes"),
    "unknown tensor type": (model([], [tensor("a", (8,), 99, 0)], 32), "unknown type 99"),
    "removed tensor type": (model([], [tensor("a", (32,), 4, 0)], 32), "unknown type 4"),
    "no dimensions": (model([], [tensor("a", (), TYPE_F32, 0)], 32), "0 dimensions"),
    "five dimensions": (model([], [tensor("a", (1,) * 5, TYPE_F32, 0)], 32), "5 dimensions"),
    "dimension 0": (model([], [tensor("a", (8, 0), TYPE_F32, 0)], 32), "cannot have the shape (8, 0)"),
    "absurd shape": (model([], [tensor("a", (1 << 40, 1 << 40), TYPE_F32, 0)], 32), "cannot have the shape"),
    "half a block": (model([], [tensor("a", (128, 2), TYPE_Q4_K, 0)], 144), "cannot have the shape"),
}


@pytest.mark.parametrize(("content", "reason"), REFUSED.values(), ids=REFUSED)
def test_refuses(read: Reader, tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(InvalidModelError) as refusal:
        read(content)
    assert refusal.value.message.startswith(f"{tmp_path / 'model.gguf'} is not a valid model: it")
    assert reason in refusal.value.message
    assert "-m" in refusal.value.remedy


def test_faults_that_a_header_cannot_show_are_left_to_llama_cpp(tmp_path: Path) -> None:
    broken = make_broken_models(tmp_path)
    assert read_header(broken.pop("block_count_zero")).metadata["qwen3.block_count"] == 0
    assert read_header(broken.pop("duplicate_token")).array_lengths["tokenizer.ggml.tokens"]
    for path in broken.values():
        with pytest.raises(InvalidModelError):
            read_header(path)


def test_refuses_an_endless_header(read: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gguf, "_MAX_HEADER", 100)
    monkeypatch.setattr(gguf, "_FIRST_READ", 50)
    with pytest.raises(InvalidModelError, match="longer than 100 bytes"):
        read(SMALL)


def test_refuses_a_folder_and_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidModelError, match="directory"):
        read_header(tmp_path)
    with pytest.raises(InvalidModelError, match="No such file"):
        read_header(tmp_path / "missing.gguf")


def test_control_characters_of_a_damaged_file_stay_out_of_the_message(read: Reader) -> None:
    with pytest.raises(InvalidModelError) as refusal:
        read(model([number("\x1b[2J", 1), number("\x1b[2J", 1)]))
    assert "\x1b" not in refusal.value.message


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged") / "model.gguf"


@given(
    changes=st.lists(st.tuples(st.integers(0, len(SMALL) - 521), st.integers(0, 255)), max_size=4),
    length=st.just(len(SMALL)) | st.integers(0, len(SMALL)),
)
def test_a_damaged_header_is_read_or_refused(damaged: Path, changes: list[tuple[int, int]], length: int) -> None:
    content = bytearray(SMALL)
    for position, byte in changes:
        content[position] = byte
    damaged.write_bytes(content[:length])
    try:
        header = read_header(damaged)
    except InvalidModelError:
        return
    assert all(header.data_offset + t.offset + t.nbytes <= length for t in header.tensors)


@given(st.binary(max_size=300))
def test_any_bytes_after_the_magic_are_read_or_refused(damaged: Path, content: bytes) -> None:
    damaged.write_bytes(b"GGUF\3\0\0\0" + content)
    with contextlib.suppress(InvalidModelError):
        read_header(damaged)
