"""The worker's side: llama.cpp in a process of its own. Only this package imports llama_cpp."""
