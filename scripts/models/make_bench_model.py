"""Write a model with the shapes and quantisation of Qwen3-4B-Instruct-2507 but random weights, to measure speed with.

    python scripts/models/make_bench_model.py bench.gguf --vocab qwen-vocab.gguf --quant Q4_K_M

Speed and memory do not depend on the values of the weights, so this file replaces a download of 2.5 GB. Its answers are
nonsense. The script draws the quantised blocks at random, which takes seconds; quantising weights would take an hour.
"""

import shutil
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qwen_tui.errors import InvalidModelError
from qwen_tui.models.gguf import read_header
from qwen_tui.models.tensor_types import TENSOR_TYPES
from scripts.command_line import command_line

LAYERS = 36
EMBEDDING = 2560
FEED_FORWARD = 9728
HEADS = 32
KV_HEADS = 8
HEAD_SIZE = 128
CONTEXT = 262_144
VOCABULARY = 151_936
SPECIAL_TOKENS = {"<|endoftext|>": 151_643, "<|im_start|>": 151_644, "<|im_end|>": 151_645}

# By name, llama.cpp's number for a mixture of types (llama_ftype in llama.h).
FILE_TYPES = {"Q4_0": 2, "Q8_0": 7, "Q4_K_M": 15}
# The layers in which Q4_K_M has attn_v and ffn_down in Q6_K: the first and the last eighth, and every third between.
FINER_LAYERS = {0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 31, 32, 33, 34, 35}

# The usual standard deviation of trained weights: with 2,560 inputs, activations stay near 1.
WEIGHT_STD = 0.02

ALIGNMENT = 32
CHUNK_BYTES = 32 << 20
TYPE_IDS = {kind.name: type_id for type_id, kind in TENSOR_TYPES.items()}

# The bytes of a value of each GGUF type, by its id. Strings and arrays contain their own lengths.
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
VALUE_BYTES = (1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8)
NORMAL, CONTROL = 1, 3

Blocks = NDArray[np.uint8]


class Planned(NamedTuple):
    """A tensor to be written; the first dimension of `shape` is the contiguous one."""

    name: str
    shape: tuple[int, ...]
    type: str

    @property
    def blocks(self) -> int:
        """The number of quantised blocks in the tensor."""
        return int(np.prod(self.shape)) // TENSOR_TYPES[TYPE_IDS[self.type]].block_length

    @property
    def nbytes(self) -> int:
        """The bytes of the tensor in the file, without padding."""
        return self.blocks * TENSOR_TYPES[TYPE_IDS[self.type]].block_bytes


def main() -> None:
    """Parse the command line, write the model, and print what was written."""
    parser = command_line(__doc__)
    parser.add_argument("out", type=Path, help="the GGUF file to write")
    parser.add_argument("--vocab", type=Path, help="take the tokenizer from this GGUF file (default: bytes and filler)")
    parser.add_argument("--quant", choices=FILE_TYPES, default="Q4_K_M", help="default: %(default)s")
    options = parser.parse_args()

    started = time.monotonic()
    tensors = plan(options.quant)
    try:
        tokenizer = copied_tokenizer(options.vocab) if options.vocab else synthetic_tokenizer()
    except InvalidModelError as error:
        sys.exit(error.message)
    head = header(options.quant, tokenizer, tensors)
    total = len(head) + sum(padded(tensor.nbytes) for tensor in tensors)
    print(f"{options.quant}: {len(tensors)} tensors, {len(head):,} bytes of header, {total:,} bytes in all")
    for kind, nbytes in bytes_by_type(tensors).items():
        print(f"  {kind:5} {nbytes:>13,} bytes")

    free = shutil.disk_usage(options.out.absolute().parent).free
    if free < total:
        sys.exit(f"{options.out}: {total:,} bytes are needed, {free:,} are free")
    part = options.out.with_name(options.out.name + ".part")
    try:
        with part.open("wb") as file:
            file.write(head)
            write_tensors(file, tensors)
        read_header(part)
        part.replace(options.out)
    finally:
        part.unlink(missing_ok=True)
    print(f"{options.out}: written in {time.monotonic() - started:.1f} s")


def plan(quant: str) -> list[Planned]:
    """Return the tensors of the model, in file order, with the types that `quant` gives them."""
    base = "Q4_K" if quant == "Q4_K_M" else quant
    query, key_value = HEADS * HEAD_SIZE, KV_HEADS * HEAD_SIZE
    embedding_type = "Q8_0" if quant == "Q8_0" else "Q6_K"
    tensors = [Planned("token_embd.weight", (EMBEDDING, VOCABULARY), embedding_type)]
    for layer in range(LAYERS):
        finer = "Q6_K" if quant == "Q4_K_M" and layer in FINER_LAYERS else base
        tensors += [
            Planned(f"blk.{layer}.{name}.weight", shape, kind)
            for name, shape, kind in (
                ("attn_norm", (EMBEDDING,), "F32"),
                ("attn_q", (EMBEDDING, query), base),
                ("attn_q_norm", (HEAD_SIZE,), "F32"),
                ("attn_k", (EMBEDDING, key_value), base),
                ("attn_k_norm", (HEAD_SIZE,), "F32"),
                ("attn_v", (EMBEDDING, key_value), finer),
                ("attn_output", (query, EMBEDDING), base),
                ("ffn_norm", (EMBEDDING,), "F32"),
                ("ffn_gate", (EMBEDDING, FEED_FORWARD), base),
                ("ffn_up", (EMBEDDING, FEED_FORWARD), base),
                ("ffn_down", (FEED_FORWARD, EMBEDDING), finer),
            )
        ]
    return [*tensors, Planned("output_norm.weight", (EMBEDDING,), "F32")]


def bytes_by_type(tensors: Iterable[Planned]) -> dict[str, int]:
    """Return how many bytes the tensors of each type take, the largest first."""
    totals: Counter[str] = Counter()
    for tensor in tensors:
        totals[tensor.type] += tensor.nbytes
    return dict(totals.most_common())


def header(quant: str, tokenizer: list[bytes], tensors: list[Planned]) -> bytes:
    """Return everything before the tensor data, padded to the alignment."""
    pairs = [
        pair("general.architecture", "qwen3"),
        pair("general.name", f"Random weights in the shape of Qwen3-4B-Instruct-2507, {quant}"),
        pair("general.file_type", FILE_TYPES[quant]),
        pair("qwen3.block_count", LAYERS),
        pair("qwen3.context_length", CONTEXT),
        pair("qwen3.embedding_length", EMBEDDING),
        pair("qwen3.feed_forward_length", FEED_FORWARD),
        pair("qwen3.attention.head_count", HEADS),
        pair("qwen3.attention.head_count_kv", KV_HEADS),
        pair("qwen3.attention.key_length", HEAD_SIZE),
        pair("qwen3.attention.value_length", HEAD_SIZE),
        pair("qwen3.rope.freq_base", 5e6),
        pair("qwen3.attention.layer_norm_rms_epsilon", 1e-6),
        *tokenizer,
        # The instruct model ends a turn with <|im_end|>, but the base vocabulary names <|endoftext|>.
        pair("tokenizer.ggml.eos_token_id", SPECIAL_TOKENS["<|im_end|>"]),
        pair("tokenizer.ggml.add_bos_token", False),
    ]
    descriptions = []
    offset = 0
    for tensor in tensors:
        rank = len(tensor.shape)
        layout = f"<I{rank}QIQ"
        descriptions.append(text(tensor.name) + struct.pack(layout, rank, *tensor.shape, TYPE_IDS[tensor.type], offset))
        offset += padded(tensor.nbytes)
    counts = struct.pack("<IQQ", 3, len(tensors), len(pairs))
    head = b"GGUF" + counts + b"".join(pairs) + b"".join(descriptions)
    return head.ljust(padded(len(head)), b"\0")


def copied_tokenizer(vocab: Path) -> list[bytes]:
    """Return the `tokenizer.*` key-value pairs of the GGUF file `vocab` byte for byte, except those in `header`.

    Raises InvalidModelError if the file is damaged, and exits if its vocabulary has another size.
    """
    checked = read_header(vocab)
    size = checked.array_lengths.get("tokenizer.ggml.tokens", 0)
    if size != VOCABULARY:
        sys.exit(f"{vocab}: has {size:,} tokens instead of {VOCABULARY:,}")
    with vocab.open("rb") as file:
        data = file.read(checked.data_offset)
    pairs = []
    for key, value in raw_pairs(data):
        if key.startswith("tokenizer.") and key not in ("tokenizer.ggml.eos_token_id", "tokenizer.ggml.add_bos_token"):
            pairs.append(text(key) + value)
    return pairs


def raw_pairs(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield every key of the GGUF header `data` with its type and value as bytes; `read_header` has accepted it."""

    def end_of_strings(count: int, at: int) -> int:
        for _ in range(count):
            at += 8 + struct.unpack_from("<Q", data, at)[0]
        return at

    (count,) = struct.unpack_from("<Q", data, 16)
    at = 24
    for _ in range(count):
        start, at = at, end_of_strings(1, at)
        key = data[start + 8 : at].decode()
        start = at
        (kind,) = struct.unpack_from("<I", data, at)
        length, at = 1, at + 4
        if kind == ARRAY:
            kind, length = struct.unpack_from("<IQ", data, at)
            at += 12
        at = end_of_strings(length, at) if kind == STRING else at + length * VALUE_BYTES[kind]
        yield key, data[start:at]


def synthetic_tokenizer() -> list[bytes]:
    """Return a tokenizer with a token for every byte, the special tokens at their places, and filler for the rest.

    Bytes have their GPT-2 names: a byte that is printable in Latin-1 is itself, any other a character from U+0100 on.
    No merge leads to a filler token, but it has a text, which appears when the model answers with it.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    tokens = [*map(chr, sorted(printable)), *(chr(0x100 + index) for index in range(len(others)))]
    tokens += [f"[PAD{index}]" for index in range(len(tokens), VOCABULARY)]
    types = [NORMAL] * VOCABULARY
    for token, index in SPECIAL_TOKENS.items():
        tokens[index], types[index] = token, CONTROL
    return [
        pair("tokenizer.ggml.model", "gpt2"),
        pair("tokenizer.ggml.pre", "qwen2"),
        array("tokenizer.ggml.tokens", STRING, len(tokens), b"".join(map(text, tokens))),
        array("tokenizer.ggml.token_type", INT32, len(types), struct.pack(f"<{len(types)}i", *types)),
        array("tokenizer.ggml.merges", STRING, 0, b""),
        pair("tokenizer.ggml.bos_token_id", SPECIAL_TOKENS["<|endoftext|>"]),
    ]


def pair(key: str, value: bool | int | float | str) -> bytes:
    """Return a key with a scalar value."""
    if isinstance(value, str):
        return text(key) + struct.pack("<I", STRING) + text(value)
    if isinstance(value, bool):
        return text(key) + struct.pack("<I?", BOOL, value)
    if isinstance(value, int):
        return text(key) + struct.pack("<II", UINT32, value)
    return text(key) + struct.pack("<If", FLOAT32, value)


def array(key: str, kind: int, length: int, elements: bytes) -> bytes:
    """Return a key with an array of `length` elements of one type."""
    return text(key) + struct.pack("<IIQ", ARRAY, kind, length) + elements


def text(value: str) -> bytes:
    """Return a string with its length."""
    encoded = value.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def padded(size: int) -> int:
    """Return `size` rounded up to the alignment."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def write_tensors(file: BinaryIO, tensors: Iterable[Planned]) -> None:
    """Write the data of `tensors` to `file` in chunks; every run writes the same weights."""
    rng = np.random.SFC64(0)
    for tensor in tensors:
        fill = FILLS[tensor.type]
        block_bytes = TENSOR_TYPES[TYPE_IDS[tensor.type]].block_bytes
        remaining = tensor.blocks
        while remaining:
            count = min(remaining, CHUNK_BYTES // block_bytes)
            words = rng.random_raw(-(-count * block_bytes // 8))
            blocks = words.view(np.uint8)[: count * block_bytes].reshape(count, block_bytes)
            fill(blocks)
            file.write(blocks.data)
            remaining -= count
        file.write(bytes(padded(tensor.nbytes) - tensor.nbytes))


# Each of these turns random bytes, of shape (blocks, bytes of a block), into weights of mean 0 (nearly) and standard
# deviation WEIGHT_STD by setting the scales. Layouts: ggml-common.h. A uniform number of 0 to n - 1 has the variance
# (n² - 1) / 12.


def fill_f32(blocks: Blocks) -> None:
    """Norm weights: all 1."""
    blocks[:] = np.frombuffer(struct.pack("<f", 1), np.uint8)


def fill_q4_0(blocks: Blocks) -> None:
    """Scale, 32 quants q of 4 bits: d (q - 8), where a random sign of d takes away the mean of -d / 2."""
    scale = WEIGHT_STD / uniform_std(16)
    set_half(blocks, 0, scale)
    blocks[:, 1] |= (blocks[:, 2] & 1) << 7


def fill_q8_0(blocks: Blocks) -> None:
    """Scale, 32 quants q of 8 bits: d q."""
    set_half(blocks, 0, WEIGHT_STD / uniform_std(256))


def fill_q4_k(blocks: Blocks) -> None:
    """Scale, scale of minima, 8 scales s and minima m of 6 bits, 256 quants q of 4 bits: d s q - dmin m.

    With m = s and dmin = 7.5 d the mean of q, 7.5, falls away. The bits of m lie in bytes 8 to 11 (m of the first four)
    and in the upper halves of 12 to 15 (the low bits of the other m, whose high bits are in 8 to 11 too).
    """
    root_mean_square = np.sqrt(np.mean(np.arange(64.0) ** 2))
    scale = WEIGHT_STD / (root_mean_square * uniform_std(16))
    set_half(blocks, 0, scale)
    set_half(blocks, 2, 7.5 * scale)
    blocks[:, 8:12] = blocks[:, 4:8]
    blocks[:, 12:16] = (blocks[:, 12:16] & 15) * 17


def fill_q6_k(blocks: Blocks) -> None:
    """256 quants q of 6 bits, 16 signed scales s of 8 bits, scale: d s (q - 32)."""
    set_half(blocks, 208, WEIGHT_STD / (uniform_std(256) * uniform_std(64)))


def set_half(blocks: Blocks, at: int, value: float) -> None:
    """Set the 16-bit float at byte `at` of every block."""
    blocks[:, at : at + 2] = np.frombuffer(struct.pack("<e", value), np.uint8)


def uniform_std(count: int) -> float:
    """Return the standard deviation of an integer drawn evenly from `count` neighbours."""
    return float(np.sqrt((count**2 - 1) / 12))


FILLS: dict[str, Callable[[Blocks], None]] = {
    "F32": fill_f32,
    "Q4_0": fill_q4_0,
    "Q8_0": fill_q8_0,
    "Q4_K": fill_q4_k,
    "Q6_K": fill_q6_k,
}


if __name__ == "__main__":
    main()
