"""The header of the real model, Qwen3-4B in Q4_K_M, made from the shapes of its tensors."""

import math

from qwen_tui.models.gguf import Header, Tensor
from qwen_tui.models.tensor_types import TENSOR_TYPES

_TYPES = {kind.name: kind for kind in TENSOR_TYPES.values()}
_EMBEDDING, _FEED_FORWARD, _HEADS, _KV_HEADS, _HEAD, _LAYERS, _WORDS = 2560, 9728, 32, 8, 128, 36, 151_936
# The layers in which Q4_K_M has attn_v and ffn_down in Q6_K.
_FINER = {*range(4), 6, 9, 12, 15, 18, 21, 24, 27, *range(30, 36)}


def real_header() -> Header:
    """Return the header, its tensors in the order of the published files."""
    described = [("token_embd.weight", "Q6_K", (_EMBEDDING, _WORDS)), ("output_norm.weight", "F32", (_EMBEDDING,))]
    for layer in range(_LAYERS):
        finer = "Q6_K" if layer in _FINER else "Q4_K"
        query, key = _HEADS * _HEAD, _KV_HEADS * _HEAD
        described += [
            (f"blk.{layer}.{name}.weight", kind, shape)
            for name, kind, shape in (
                ("attn_norm", "F32", (_EMBEDDING,)),
                ("attn_q", "Q4_K", (_EMBEDDING, query)),
                ("attn_k", "Q4_K", (_EMBEDDING, key)),
                ("attn_v", finer, (_EMBEDDING, key)),
                ("attn_q_norm", "F32", (_HEAD,)),
                ("attn_k_norm", "F32", (_HEAD,)),
                ("attn_output", "Q4_K", (query, _EMBEDDING)),
                ("ffn_norm", "F32", (_EMBEDDING,)),
                ("ffn_gate", "Q4_K", (_EMBEDDING, _FEED_FORWARD)),
                ("ffn_up", "Q4_K", (_EMBEDDING, _FEED_FORWARD)),
                ("ffn_down", finer, (_FEED_FORWARD, _EMBEDDING)),
            )
        ]
    tensors, offset = [], 0
    for name, kind, shape in described:
        size = math.prod(shape) // _TYPES[kind].block_length * _TYPES[kind].block_bytes
        tensors.append(Tensor(name, kind, shape, offset, size))
        offset += size
    metadata: dict[str, int | float | str] = {
        "general.architecture": "qwen3",
        "qwen3.block_count": _LAYERS,
        "qwen3.embedding_length": _EMBEDDING,
        "qwen3.feed_forward_length": _FEED_FORWARD,
        "qwen3.attention.head_count": _HEADS,
        "qwen3.attention.head_count_kv": _KV_HEADS,
        "qwen3.attention.key_length": _HEAD,
        "qwen3.attention.value_length": _HEAD,
        "qwen3.context_length": 262_144,
    }
    return Header(3, metadata, {}, tuple(tensors), 0)
