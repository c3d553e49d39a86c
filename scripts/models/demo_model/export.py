"""Writes the trained model and its tokenizer as one GGUF file, and reads such a file back to train on."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import torch

from .model import Qwen3
from .tokenizer import SPECIALS, save_tokenizer

_NAMES = {
    "attention_norm": "attn_norm",
    "attention.query": "attn_q",
    "attention.key": "attn_k",
    "attention.value": "attn_v",
    "attention.output": "attn_output",
    "attention.query_norm": "attn_q_norm",
    "attention.key_norm": "attn_k_norm",
    "feed_forward_norm": "ffn_norm",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
}
CHAT_TEMPLATE = (
    "{%- for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{%- endif %}"
)


def export(model: Qwen3, tokenizer_path: Path, path: Path) -> None:
    """Writes `path` at once: a reader sees the old file or the new one, never a half."""
    temporary = path.with_name(path.name + ".part")
    writer = gguf.GGUFWriter(temporary, "qwen3")
    _add_metadata(writer, model)
    _add_tokenizer(writer, tokenizer_path)
    for name, parameter in model.named_parameters():
        values = parameter.detach().to(torch.float32).numpy()
        if values.ndim == 2:
            packed = gguf.quantize(values, gguf.GGMLQuantizationType.Q8_0)
            writer.add_tensor(_gguf_name(name), packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        else:
            writer.add_tensor(_gguf_name(name), values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    temporary.replace(path)


def restore_tokenizer(path: Path, tokenizer_path: Path) -> None:
    """Writes the tokenizer of an exported file as a `tokenizers` file."""
    fields = gguf.GGUFReader(path).fields
    tokens, merges = (fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "merges"))
    save_tokenizer(tokens[: -len(SPECIALS)], [merge.split(" ") for merge in merges], tokenizer_path)


def restore_weights(path: Path, model: Qwen3) -> None:
    """Puts the weights of an exported file into `model`; they are as exact as Q8_0 is."""
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    for name, parameter in model.named_parameters():
        tensor = tensors[_gguf_name(name)]
        values = gguf.dequantize(tensor.data, tensor.tensor_type).reshape(parameter.shape)
        parameter.data.copy_(torch.from_numpy(values.copy()))


def _gguf_name(name: str) -> str:
    if name == "embedding.weight":
        return "token_embd.weight"
    if name == "output_norm.weight":
        return "output_norm.weight"
    _, number, rest = name.split(".", 2)
    return f"blk.{number}.{_NAMES[rest.removesuffix('.weight')]}.weight"


def _add_metadata(writer: gguf.GGUFWriter, model: Qwen3) -> None:
    config = model.config
    writer.add_name("qwen-tui demonstration model")
    writer.add_description("Recites a few dozen conversations that show the interface of qwen-tui.")
    writer.add_license("MIT")
    writer.add_context_length(config.context)
    writer.add_embedding_length(config.width)
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config.feed_forward)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_key_length(config.head_size)
    writer.add_value_length(config.head_size)
    writer.add_rope_freq_base(config.rope_base)
    writer.add_layer_norm_rms_eps(config.norm_epsilon)
    writer.add_vocab_size(config.vocabulary)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer_path: Path) -> None:
    bpe = json.loads(tokenizer_path.read_text("utf-8"))["model"]
    tokens = sorted(bpe["vocab"], key=bpe["vocab"].__getitem__) + list(SPECIALS)
    special = len(tokens) - len(SPECIALS)
    types = [gguf.TokenType.NORMAL] * special + [gguf.TokenType.CONTROL] * len(SPECIALS)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([" ".join(pair) for pair in bpe["merges"]])
    writer.add_eos_token_id(special + SPECIALS.index("<|im_end|>"))
    writer.add_pad_token_id(special + SPECIALS.index("<|endoftext|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
