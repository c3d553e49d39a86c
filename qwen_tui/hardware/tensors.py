"""Computes from a model's header how many bytes its weights, KV cache and buffers take in RAM and on the GPU."""

from typing import NamedTuple

from qwen_tui.hardware.device import Buffers
from qwen_tui.hardware.plan import Plan
from qwen_tui.models.gguf import Header, Tensor

# Bytes for each number in the KV cache; q8_0 stores 32 numbers in 34 bytes.
_KV_BYTES = {"f16": 2.0, "q8_0": 34 / 32}
# llama.cpp rounds the size of a context up to a multiple of this many tokens.
_CTX_STEP = 256
# The tensor types that llama.cpp repacks on x86 with AVX2 (ggml-cpu/repack.cpp), if the rows are a multiple of eight.
_REPACKED, _REPACKED_ROWS = ("Q4_0", "Q4_K", "IQ4_NL", "MXFP4"), 8
# On a GPU, tensors begin at multiples of this many bytes.
_ALIGNMENT = 128
# The worker asks for the logits of at most this many tokens of a batch: those of a draft, and the token before it.
_OUTPUTS = 32
# What repacking leaves to the rest of the PC, in bytes.
_RESERVE = 1 << 30
_EMBEDDING, _OUTPUT, _OUTPUT_NORM = "token_embd.weight", "output.weight", "output_norm"


class Dimensions(NamedTuple):
    """The network's dimensions from the header; 0 for those that the header lacks."""

    layers: int
    embedding: int
    feed_forward: int
    heads: int
    kv_heads: int
    key: int
    value: int
    vocabulary: int
    trained: int

    @property
    def kv_row(self) -> int:
        """How many numbers each token adds to the KV cache in one layer: n_kv × (d_key + d_value)."""
        return self.kv_heads * (self.key + self.value)


class Weights(NamedTuple):
    """Bytes of the weights: on the GPU, mapped into RAM, and how much of the mapped part repacking would copy.

    `head` is the part of `gpu` that is a copy: the output head, if it is the embedding matrix (tied).
    """

    gpu: int
    head: int
    mapped: int
    repacked: int


def shape(header: Header) -> Dimensions:
    """Return the shape of the network."""
    architecture = header.metadata.get("general.architecture")

    def number(key: str) -> int:
        value = header.metadata.get(f"{architecture}.{key}", 0)
        return value if isinstance(value, int) else 0

    embedding, heads = number("embedding_length"), number("attention.head_count")
    each = embedding // heads if heads else 0
    rows = next((tensor.shape[-1] for tensor in header.tensors if tensor.name == _EMBEDDING), 0)
    return Dimensions(
        layers=number("block_count"),
        embedding=embedding,
        feed_forward=number("feed_forward_length"),
        heads=heads,
        kv_heads=number("attention.head_count_kv"),
        key=number("attention.key_length") or each,
        value=number("attention.value_length") or each,
        vocabulary=rows,
        trained=number("context_length"),
    )


def all_layers(header: Header) -> int:
    """Return the largest number of layers for a GPU: the network's layers and the output."""
    return shape(header).layers + 1


def first_on_gpu(layers: int, gpu_layers: int) -> int:
    """Return the index of the first layer on the GPU; `layers` if only the output is there, or nothing."""
    return max(0, layers + 1 - gpu_layers) if gpu_layers else layers


def weights(header: Header, gpu_layers: int) -> Weights:
    """Return where the weights go if the GPU gets `gpu_layers`, counted from the output backwards.

    The embedding matrix always stays in RAM. If it is also the output head (tied), the GPU gets a copy. llama.cpp maps
    one range of the file, from the first tensor that stays in RAM to the last.
    """
    layers = shape(header).layers
    first = first_on_gpu(layers, gpu_layers)
    tied = not any(tensor.name == _OUTPUT for tensor in header.tensors)
    gpu, head, staying = 0, 0, []
    for tensor in header.tensors:
        layer = _layer(tensor.name)
        moved = layer is not None and layer >= first
        output = tensor.name == _OUTPUT or tensor.name.startswith(_OUTPUT_NORM)
        if moved or (output and gpu_layers):
            gpu += _aligned(tensor.nbytes)
        else:
            staying.append(tensor)
        if tied and gpu_layers and tensor.name == _EMBEDDING:
            head = _aligned(tensor.nbytes)
    if not staying:
        return Weights(gpu + head, head, 0, 0)
    start = min(tensor.offset for tensor in staying)
    end = max(tensor.offset + tensor.nbytes for tensor in staying)
    return Weights(gpu + head, head, end - start, sum(tensor.nbytes for tensor in staying if _is_repacked(tensor)))


def kv_bytes(header: Header, kv_type: str, ctx_size: int, layers: int | None = None) -> int:
    """Return the bytes of the KV cache: keys and values of `layers` layers (None: all) for every token of the context.

    0 if the header lacks the dimensions.
    """
    found = shape(header)
    cells = -(-ctx_size // _CTX_STEP) * _CTX_STEP
    count = found.layers if layers is None else layers
    return round(count * found.kv_row * _KV_BYTES[kv_type] * cells)


def estimated_buffers(header: Header, plan: Plan) -> Buffers:
    """Estimate the bytes of llama.cpp's compute buffers, for when no dry run has measured them.

    For each token of a batch (b = `batch_size`), in numbers of four bytes, the feed-forward part takes
    3·n_ff + 3·n_embd + n_head·d, and attention takes n_embd + 3·n_head·d + 3·n_kv·d. With flash attention, the buffer
    holds the feed-forward part, and a mask of b·2 bytes for each token of the context. Without it, the buffer holds the
    larger of two: the feed-forward part with a mask of b·4 bytes for each token of the context, or attention with mask
    and scores, b·4·(n_head + 1). It is never smaller than the logits and embeddings of up to 32 tokens. These formulas
    were fitted to dry runs of llama-cpp-python 0.3.36 over two shapes, 2k to 64k tokens, 64 to 1,024 tokens a batch and
    both types of the cache.

    If the GPU gets the whole network, it takes a little less (4·b·n_embd). RAM then holds the batch on its way in and
    out, and a mask; without flash attention also the place of each value, in 8 bytes. For Qwen3-4B, this is within
    0.1 MiB from 256 tokens a batch, and within 7% below that.

    If the GPU gets a part of the network, GPU and RAM both need the whole buffer. The GPU also needs room for the
    largest matrix that llama.cpp copies to it for a batch. This estimate is too high on purpose, because nobody has
    measured a card to which matrices are copied. A device over RPC, to which none are copied, took 33 MiB less for
    Qwen3-4B with batches of 512 tokens (up to 47%), and 74 MiB less for a single layer.
    """
    found, batch = shape(header), plan.batch_size
    cells = -(-plan.ctx_size // _CTX_STEP) * _CTX_STEP
    query = found.heads * found.key
    mask = cells * batch * (2 if plan.flash_attention else 4)
    whole = 4 * batch * (3 * found.feed_forward + 3 * found.embedding + query) + mask
    if not plan.flash_attention:
        through = found.embedding + 3 * query + 3 * found.kv_heads * found.key
        whole = max(whole, 4 * batch * through + mask * (1 + found.heads))
    outputs = min(batch, _OUTPUTS)
    logits, activations = 4 * outputs * (found.vocabulary + found.embedding), 4 * batch * found.embedding
    if not plan.gpu_layers:
        return Buffers(gpu=0, ram=max(whole, logits + activations))
    if plan.gpu_layers >= all_layers(header):
        places = 0 if plan.flash_attention else 8 * batch * found.kv_heads * found.value
        return Buffers(gpu=max(whole - activations, logits + 2 * activations), ram=2 * activations + places + mask)
    first = first_on_gpu(found.layers, plan.gpu_layers)
    copied = (
        tensor.nbytes for tensor in header.tensors if (layer := _layer(tensor.name)) is not None and layer < first
    )
    return Buffers(gpu=whole + max(copied, default=0), ram=whole)


def repack_bytes(header: Header, plan: Plan) -> int:
    """Return the free memory in bytes that repacked weights call for: both copies, the KV cache, and a reserve."""
    found = weights(header, 0)
    return found.mapped + found.repacked + kv_bytes(header, plan.kv_type, plan.ctx_size) + _RESERVE


def workspace_bytes(header: Header, kv_type: str, ctx_size: int) -> int:
    """Return the bytes that CUDA takes for prefill beside all buffers: one layer's q8_0 keys and values as f16."""
    return 0 if kv_type == "f16" else kv_bytes(header, "f16", ctx_size, 1)


def _layer(name: str) -> int | None:
    """Return the index of a tensor's layer, as 7 for `blk.7.attn_q.weight`; None if it belongs to no layer."""
    head, dot, rest = name.partition(".")
    number = rest.partition(".")[0]
    return int(number) if head == "blk" and dot and number.isdecimal() else None


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _is_repacked(tensor: Tensor) -> bool:
    return (
        tensor.type in _REPACKED
        and tensor.name != _EMBEDDING
        and len(tensor.shape) == 2
        and not tensor.shape[1] % _REPACKED_ROWS
    )
