"""A Qwen3 model that is small enough for every test: with the real architecture, all kinds of tokens, random weights.

Its answers are nonsense, but the same for the same seed. They use all the code that the real model uses: byte-level BPE
with tokens that are parts of a character, tokens longer than 32 bytes, control tokens, tied embeddings.
"""

from itertools import pairwise
from pathlib import Path

import gguf
import numpy as np

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"

_HEADS = 2
_KV_HEADS = 1
_HEAD_SIZE = 32
_VOCABULARY_MULTIPLE = 32

# Each of these becomes one token. The tokens of the merges that lead to it are in the vocabulary, too.
_LONG_PIECES = (" " * 40, "=" * 64, "-" * 48)
_ENGLISH = """
    the of and to in is that for it as with was on be at by this from or an are not have you which one all we can
    there has more if will would what when who their about up out so into other than some then them time only could
    these two like may first any now such our over even most after also where through before between must file model
    error line write read text code test name value return function print hello world yes no please thank question
    answer example user assistant system because how why token data number string list change review commit explain
"""
_CHINESE = """
    的 一 是 不 了 在 人 有 我 他 这 个 们 中 来 上 大 为 和 国 地 到 以 说 时 要 就 出 会 可 也 你 对 生 能 而 子 那 得
    我们 你们 可以 什么 没有 一个 这个 因为 所以 如果 但是 问题 时间 现在 知道 文件 模型 中文 代码 测试 你好 世界 谢谢
    请 好 吗 呢 吧 ， 。 ？ ！ ： “ ”
"""


def make_tiny_model(
    path: Path,
    *,
    seed: int = 0,
    layers: int = 2,
    embedding: int = 64,
    context: int = 32768,
    architecture: str = "qwen3",
    marks: gguf.TokenType | None = gguf.TokenType.CONTROL,
    add_bos: bool = False,
    tensors_a_part: int = 0,
) -> Path:
    """Write a model of this many `layers`, `embedding` dimensions and trained `context` tokens to `path`; return it.

    The marks of ChatML are tokens of the type `marks`; None writes a model that does not know them. With
    `tensors_a_part` the model is split, `path` names none of the parts, and the first one is returned.
    """
    writer = gguf.GGUFWriter(path, architecture, split_max_tensors=tensors_a_part)
    writer.add_name(f"tiny {seed}")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_block_count(layers)
    writer.add_context_length(context)
    writer.add_embedding_length(embedding)
    writer.add_feed_forward_length(2 * embedding)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_KV_HEADS)
    writer.add_key_length(_HEAD_SIZE)
    writer.add_value_length(_HEAD_SIZE)
    writer.add_rope_freq_base(5e6)
    writer.add_layer_norm_rms_eps(1e-6)
    vocabulary = _add_tokenizer(writer, marks, add_bos=add_bos)
    _add_tensors(writer, seed, vocabulary, layers, embedding)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return min(path.parent.glob(f"{path.stem}-*-of-*.gguf")) if tensors_a_part else path


def _add_tokenizer(writer: gguf.GGUFWriter, marks: gguf.TokenType | None, *, add_bos: bool) -> int:
    """Add the tokenizer, and return how many tokens it has."""
    tokens, types, merges = _vocabulary()
    for mark in (TURN_START, TURN_END):
        at = tokens.index(mark)
        tokens[at] = mark if marks is not None else mark.strip("<|>")
        types[at] = gguf.TokenType.CONTROL if marks is None else marks
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(tokens.index(END_OF_TEXT))
    writer.add_eos_token_id(tokens.index(TURN_END if marks is not None else TURN_END.strip("<|>")))
    writer.add_pad_token_id(tokens.index(END_OF_TEXT))
    writer.add_add_bos_token(add_bos)
    return len(tokens)


def _add_tensors(writer: gguf.GGUFWriter, seed: int, vocabulary: int, layers: int, embedding: int) -> None:
    """Add random weights."""
    query, key_value, feed_forward = _HEADS * _HEAD_SIZE, _KV_HEADS * _HEAD_SIZE, 2 * embedding
    rng = np.random.default_rng(seed)

    def matrix(name: str, rows: int, columns: int, gain: float = 1.0) -> None:
        # The usual standard deviation, 1/sqrt(inputs), keeps activations at about 1.
        weights = rng.standard_normal((rows, columns), dtype=np.float32) * (gain / columns**0.5)
        writer.add_tensor(f"{name}.weight", weights.astype(np.float16))

    def norm(name: str, size: int) -> None:
        writer.add_tensor(f"{name}.weight", np.ones(size, dtype=np.float32))

    matrix("token_embd", vocabulary, embedding)
    for layer in range(layers):
        block = f"blk.{layer}"
        norm(f"{block}.attn_norm", embedding)
        matrix(f"{block}.attn_q", query, embedding)
        matrix(f"{block}.attn_k", key_value, embedding)
        matrix(f"{block}.attn_v", key_value, embedding)
        norm(f"{block}.attn_q_norm", _HEAD_SIZE)
        norm(f"{block}.attn_k_norm", _HEAD_SIZE)
        # With tied embeddings, the most likely next token would always be the last one, so the layers get more weight.
        matrix(f"{block}.attn_output", embedding, query, gain=4)
        norm(f"{block}.ffn_norm", embedding)
        matrix(f"{block}.ffn_gate", feed_forward, embedding)
        matrix(f"{block}.ffn_up", feed_forward, embedding)
        matrix(f"{block}.ffn_down", embedding, feed_forward, gain=4)
    norm("output_norm", embedding)


def make_other_files(folder: Path) -> dict[str, Path]:
    """Write sound GGUF files into `folder` that are no models which answer, and return them by what they are."""
    kinds: dict[str, tuple[str, dict[str, str | int], tuple[str, ...]]] = {
        "adapter": ("qwen3", {"general.type": "adapter", "adapter.type": "lora"}, ("blk.0.attn_q.weight.lora_a",)),
        "control vector": ("controlvector", {"controlvector.model_hint": "qwen3"}, ("direction.1",)),
        "projector": ("clip", {"general.type": "mmproj"}, ("v.patch_embd.weight",)),
        "old projector": ("clip", {"clip.vision.block_count": 1}, ("v.patch_embd.weight",)),
        "importance matrix": ("", {"general.type": "imatrix", "imatrix.chunk_count": 1}, ("blk.0.in_sum2",)),
        "embedding model": ("qwen3", {"qwen3.pooling_type": 3, "general.name": "Tiny"}, ("token_embd.weight",)),
        "encoder": ("nomic-bert", {}, ("token_embd.weight",)),
        "named as an embedding model": ("qwen3", {"general.name": "Qwen3 Embedding 0.6B"}, ("token_embd.weight",)),
        "reranker": ("qwen3", {"qwen3.pooling_type": 4}, ("cls.output.weight",)),
        "named as a reranker": ("qwen3", {"general.name": "Qwen3-Reranker-0.6B"}, ("token_embd.weight",)),
        "vocabulary": ("qwen3", {}, ()),
    }
    paths: dict[str, Path] = {}
    for kind, (architecture, values, tensors) in kinds.items():
        paths[kind] = folder / f"{kind.replace(' ', '-')}.gguf"
        writer = gguf.GGUFWriter(paths[kind], architecture)
        for key, value in values.items():
            if isinstance(value, str):
                writer.add_string(key, value)
            else:
                writer.add_uint32(key, value)
        for name in tensors:
            writer.add_tensor(name, np.ones((2, 32), dtype=np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return paths


def make_broken_models(folder: Path) -> dict[str, Path]:
    """Write broken model files into `folder`, and return them by what is wrong with them.

    `block_count_zero` and `duplicate_token` have a valid header, but make llama.cpp abort the process that loads them.
    """
    whole = make_tiny_model(folder / "whole.gguf").read_bytes()
    contents = {
        "empty": b"",
        "garbage": np.random.default_rng(0).bytes(100_000),
        "html": b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please sign in.</body></html>\n",
        "truncated_header": whole[: whole.index(b"tokenizer.ggml.merges") + 1000],
        "truncated_tensors": whole[:-10_000],
        "block_count_zero": make_tiny_model(folder / "whole.gguf", layers=0).read_bytes(),
        "duplicate_token": whole.replace(_filler(1).encode(), _filler(0).encode(), 1),
    }
    (folder / "whole.gguf").unlink()
    paths = {fault: folder / f"{fault}.gguf" for fault in contents}
    for fault, path in paths.items():
        path.write_bytes(contents[fault])
    return paths


def _vocabulary() -> tuple[list[str], list[gguf.TokenType], list[str]]:
    """Return the tokens, their types, and the merges: bytes, merged tokens, control tokens, unused filler."""
    alphabet = _byte_alphabet()
    merges: dict[tuple[str, str], int] = {}
    for piece in (*_LONG_PIECES, *(f" {word}" for word in _ENGLISH.split()), *_ENGLISH.split(), *_CHINESE.split()):
        _learn([alphabet[byte] for byte in piece.encode()], merges)
    normal = [*alphabet.values(), *(left + right for left, right in merges)]
    control = [END_OF_TEXT, TURN_START, TURN_END]
    filler = [_filler(index) for index in range(2 + -(len(normal) + len(control) + 2) % _VOCABULARY_MULTIPLE)]
    types = (
        [gguf.TokenType.NORMAL] * len(normal)
        + [gguf.TokenType.CONTROL] * len(control)
        + [gguf.TokenType.UNUSED] * len(filler)
    )
    return normal + control + filler, types, [f"{left} {right}" for left, right in merges]


def _byte_alphabet() -> dict[int, str]:
    """Return GPT-2's printable character for every byte: the byte if Latin-1 can print it, else one from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + index) for index, byte in enumerate(others)}


def _learn(symbols: list[str], merges: dict[tuple[str, str], int]) -> None:
    """Add merges (a pair and its rank) until byte-pair encoding makes one token of `symbols`."""
    while len(symbols) > 1:
        pairs = list(pairwise(symbols))
        best = min(pairs, key=lambda pair: merges.get(pair, len(merges)))
        merges.setdefault(best, len(merges))
        at = 0
        while at < len(symbols) - 1:
            if (symbols[at], symbols[at + 1]) == best:
                symbols[at : at + 2] = ["".join(best)]
            at += 1


def _filler(index: int) -> str:
    return f"[PAD{index:03}]"
