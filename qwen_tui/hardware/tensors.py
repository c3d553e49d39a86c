"""How many bytes of a model lie where: its weights, its KV cache and its buffers, from the header of its file."""

from typing import NamedTuple

from qwen_tui.hardware.device import Buffers, Setup
from qwen_tui.models.gguf import Header, Tensor

# Bytes that one number takes in the KV cache; q8_0 stores 32 of them in 34 bytes.
_KV_BYTES = {"f16": 2.0, "q8_0": 34 / 32}
# llama.cpp makes contexts in steps of so many tokens.
_CTX_STEP = 256
# What llama.cpp repacks on x86 with AVX2 (ggml-cpu/repack.cpp), in rows by eight.
_REPACKED, _REPACKED_ROWS = ("Q4_0", "Q4_K", "IQ4_NL", "MXFP4"), 8
# Tensors begin at multiples of so many bytes on a GPU.
_ALIGNMENT = 128
# Of so many tokens of a batch the worker wants to know what may follow: a draft, and the one before it.
_OUTPUTS = 32
_EMBEDDING, _OUTPUT, _OUTPUT_NORM = "token_embd.weight", "output.weight", "output_norm"


class Shape(NamedTuple):
    """What the header says of the network; 0 what it does not say."""

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
        """Numbers that a token adds to the KV cache in one layer."""
        return self.kv_heads * (self.key + self.value)


class Weights(NamedTuple):
    """Bytes of the weights: what the GPU gets, what is mapped into RAM, and what repacking would copy of that.

    `head` is what of the first is a copy: the embedding as output head, of which the file has only one.
    """

    gpu: int
    head: int
    mapped: int
    repacked: int


def shape(header: Header) -> Shape:
    """Return the shape of the network."""
    architecture = header.metadata.get("general.architecture")

    def number(key: str) -> int:
        value = header.metadata.get(f"{architecture}.{key}", 0)
        return value if isinstance(value, int) else 0

    embedding, heads = number("embedding_length"), number("attention.head_count")
    each = embedding // heads if heads else 0
    rows = next((tensor.shape[-1] for tensor in header.tensors if tensor.name == _EMBEDDING), 0)
    return Shape(
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
    """Return the number of layers that a GPU can be given: the network's and the output."""
    return shape(header).layers + 1


def first_on_gpu(layers: int, gpu_layers: int) -> int:
    """Return the first of the network's `layers` that is on the GPU; `layers` where none is, but perhaps the output."""
    return max(0, layers + 1 - gpu_layers) if gpu_layers else layers


def weights(header: Header, gpu_layers: int) -> Weights:
    """Return where the weights go if the GPU gets `gpu_layers`, counted from the output backwards.

    The embedding always stays in RAM. Where it is the output head as well (tied), the GPU gets a copy. What is mapped
    is one piece of the file, from the first tensor that stays to the last.
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
    """Return the size of the KV cache: keys and values of `layers` (all) for every token of the context.

    0 for a model whose header does not say.
    """
    found = shape(header)
    cells = -(-ctx_size // _CTX_STEP) * _CTX_STEP
    count = found.layers if layers is None else layers
    return round(count * found.kv_row * _KV_BYTES[kv_type] * cells)


def estimated_buffers(header: Header, setup: Setup) -> Buffers:
    """Return about what llama.cpp needs to compute in, where no dry run has told it.

    For each token of a batch (b = `batch_size`), in numbers of four bytes: through the feed-forward part
    3·n_ff + 3·n_embd + n_head·d, through attention n_embd + 3·n_head·d + 3·n_kv·d. With flash attention the former and
    a mask of b·2 bytes for each token of the context; without it whichever is more, the former with a mask of b·4 bytes
    or the latter with mask and scores, b·4·(n_head + 1). At the least the words to choose from, for up to 32 tokens.
    Fitted to dry runs of llama-cpp-python 0.3.36 over two shapes, 2k to 64k tokens, 64 to 1,024 tokens a batch and both
    types of the cache.

    A GPU that gets the whole network takes a little less (4·b·n_embd) and leaves RAM the batch on its way in and out,
    and a mask; without flash attention also where each value goes, in 8 bytes. For Qwen3-4B that is within 0.1 MiB
    from 256 tokens a batch, and within 7% below.

    With a part of the network both need all of it, and a GPU room for the largest matrix that it is lent for a batch.
    This errs on the high side on purpose: what a card takes that is lent matrices has not been seen. A device that is
    lent none, over RPC, took 33 MiB less for Qwen3-4B in steps of 512 tokens (up to 47%), 74 less for a single layer.
    """
    found, batch = shape(header), setup.batch_size
    cells = -(-setup.ctx_size // _CTX_STEP) * _CTX_STEP
    query = found.heads * found.key
    mask = cells * batch * (2 if setup.flash_attention else 4)
    whole = 4 * batch * (3 * found.feed_forward + 3 * found.embedding + query) + mask
    if not setup.flash_attention:
        through = found.embedding + 3 * query + 3 * found.kv_heads * found.key
        whole = max(whole, 4 * batch * through + mask * (1 + found.heads))
    outputs = min(batch, _OUTPUTS)
    words, once = 4 * outputs * (found.vocabulary + found.embedding), 4 * batch * found.embedding
    if not setup.gpu_layers:
        return Buffers(gpu=0, ram=max(whole, words + once))
    if setup.gpu_layers >= all_layers(header):
        places = 0 if setup.flash_attention else 8 * batch * found.kv_heads * found.value
        return Buffers(gpu=max(whole - once, words + 2 * once), ram=2 * once + places + mask)
    first = first_on_gpu(found.layers, setup.gpu_layers)
    lent = (tensor.nbytes for tensor in header.tensors if (layer := _layer(tensor.name)) is not None and layer < first)
    return Buffers(gpu=whole + max(lent, default=0), ram=whole)


def workspace_bytes(header: Header, kv_type: str, ctx_size: int) -> int:
    """Return what CUDA takes beside all buffers to read a prompt: the q8_0 keys and values of one layer as f16."""
    return 0 if kv_type == "f16" else kv_bytes(header, "f16", ctx_size, 1)


def _layer(name: str) -> int | None:
    """Return the number of the layer that a tensor belongs to, as 7 for `blk.7.attn_q.weight`."""
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
