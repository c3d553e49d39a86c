"""Finds the files of the installed llama.cpp without loading any of them."""

import contextlib
import importlib.util
import os
from pathlib import Path

# HOST:PORT of an RPC server of llama.cpp, which then is a device like a graphics card. For development: with it, a
# computer without a card can really offload a part of the layers, and really fail at it.
RPC_VARIABLE = "QWEN_TUI_RPC"


def library_files() -> list[Path]:
    """Return the files of the native library."""
    folders = [Path(folder) for folder in (os.environ.get("LLAMA_CPP_LIB_PATH"),) if folder]
    if not folders:
        spec = importlib.util.find_spec("llama_cpp")
        folders = [Path(folder) / "lib" for folder in (spec.submodule_search_locations if spec else None) or ()]
    try:
        return sorted(file for folder in folders for file in folder.iterdir() if "ggml" in file.name)
    except OSError:
        return []


def library_stamp() -> tuple[tuple[str, int, int], ...]:
    """Return what changes when another llama.cpp is installed: names, sizes and times of its native library's files."""
    stamps = []
    for file in library_files():
        with contextlib.suppress(OSError):
            facts = file.stat()
            stamps.append((file.name, facts.st_size, facts.st_mtime_ns))
    return tuple(stamps)
