"""The demonstration model in PyTorch: a Qwen3 decoder, operation for operation what llama.cpp runs for `qwen3`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class ModelConfig:
    """The sizes of the network; every matrix row is a multiple of 32 so that it can be stored as Q8_0."""

    vocabulary: int
    width: int = 256
    layers: int = 5
    heads: int = 4
    kv_heads: int = 2
    head_size: int = 64
    feed_forward: int = 704
    rope_base: float = 100_000.0
    norm_epsilon: float = 1e-6
    context: int = 8192


class RMSNorm(nn.Module):
    """Scales vectors to unit root mean square and multiplies them by a learned gain."""

    def __init__(self, size: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        scale = torch.rsqrt(x.float().square().mean(-1, keepdim=True) + self.epsilon)
        return x * (scale * self.weight).to(x.dtype)


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Applies rotary position embedding to pairs half a head apart (llama.cpp's NEOX order)."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cosine - second * sine, second * cosine + first * sine), dim=-1)


class Attention(nn.Module):
    """Causal grouped-query attention with normalised queries and keys."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        query_size, kv_size = config.heads * config.head_size, config.kv_heads * config.head_size
        self.query = nn.Linear(config.width, query_size, bias=False)
        self.key = nn.Linear(config.width, kv_size, bias=False)
        self.value = nn.Linear(config.width, kv_size, bias=False)
        self.output = nn.Linear(query_size, config.width, bias=False)
        self.query_norm = RMSNorm(config.head_size, config.norm_epsilon)
        self.key_norm = RMSNorm(config.head_size, config.norm_epsilon)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        batch, length, _ = x.shape
        config = self.config
        query = self.query(x).view(batch, length, config.heads, config.head_size).transpose(1, 2)
        key = self.key(x).view(batch, length, config.kv_heads, config.head_size).transpose(1, 2)
        value = self.value(x).view(batch, length, config.kv_heads, config.head_size).transpose(1, 2)
        query = rotate(self.query_norm(query), cosine, sine)
        key = rotate(self.key_norm(key), cosine, sine)
        # Written out rather than enable_gqa, which leaves the fast CPU kernel.
        repeats = config.heads // config.kv_heads
        key, value = key.repeat_interleave(repeats, dim=1), value.repeat_interleave(repeats, dim=1)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        output: Tensor = self.output(mixed.transpose(1, 2).reshape(batch, length, -1))
        return output


class Block(nn.Module):
    """One layer: attention, then the SwiGLU feed-forward network, each on a normalised residual stream."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.width, config.norm_epsilon)
        self.attention = Attention(config)
        self.feed_forward_norm = RMSNorm(config.width, config.norm_epsilon)
        self.gate = nn.Linear(config.width, config.feed_forward, bias=False)
        self.up = nn.Linear(config.width, config.feed_forward, bias=False)
        self.down = nn.Linear(config.feed_forward, config.width, bias=False)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x), cosine, sine)
        hidden = self.feed_forward_norm(x)
        output: Tensor = x + self.down(functional.silu(self.gate(hidden)) * self.up(hidden))
        return output


class Qwen3(nn.Module):
    """The whole network, with the embedding matrix also serving as the output matrix."""

    cosine: Tensor
    sine: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.output_norm = RMSNorm(config.width, config.norm_epsilon)
        half = torch.arange(0, config.head_size, 2, dtype=torch.float32) / config.head_size
        angles = torch.outer(torch.arange(config.context, dtype=torch.float32), config.rope_base**-half)
        self.register_buffer("cosine", angles.cos(), persistent=False)
        self.register_buffer("sine", angles.sin(), persistent=False)
        self._initialise()

    def _initialise(self) -> None:
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02 if "embedding" in name else parameter.shape[1] ** -0.5)
            if name.endswith(("attention.output.weight", "down.weight")):
                nn.init.zeros_(parameter)

    def forward(self, tokens: Tensor) -> Tensor:
        """Returns the normalised hidden state of every position of a batch of token rows."""
        length = tokens.shape[1]
        x = self.embedding(tokens)
        if torch.is_autocast_enabled("cpu"):
            x = x.bfloat16()
        cosine, sine = self.cosine[:length].to(x.dtype), self.sine[:length].to(x.dtype)
        for block in self.blocks:
            x = block(x, cosine, sine)
        hidden: Tensor = self.output_norm(x)
        return hidden
