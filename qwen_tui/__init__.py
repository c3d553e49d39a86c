"""A terminal assistant for ordinary PCs: Qwen3-4B-Instruct on llama.cpp."""

__version__ = "0.1.0"
