"""The worker: llama.cpp in a process of its own, the only place of llama_cpp; started as `python -m` this package."""
