"""Decides where computed prompt states are kept on this PC, and how much of the disk they may take."""

import os
import shutil

from qwen_tui import files
from qwen_tui.config import Config
from qwen_tui.engine.prefix_store import PrefixStore
from qwen_tui.engine.protocol import StoreOptions
from qwen_tui.hardware.tensors import kv_bytes
from qwen_tui.kept_files import files_in
from qwen_tui.models.gguf import Header

# Without a setting, the states take at most so many bytes. A state of 7,000 tokens takes one gibibyte.
_LARGEST_SHARE = 4 << 30
_ONE_STATE = 1 << 30
# The KV cache grows in steps of cells, and a state has no more of them than tokens.
_CELLS = 256
# Beside keys and values, a state has a few bytes for each token and each layer, at most so many.
_BESIDE_TOKEN, _BESIDE = 32, 16 << 10


def store(settings: Config) -> PrefixStore:
    """Return the store of the prompt states of all models."""
    return PrefixStore(files.folders().states, limit(settings))


def options(settings: Config) -> StoreOptions | None:
    """Return how the worker keeps states; None if it must keep none."""
    if not settings.cache:
        return None
    return StoreOptions(
        folder=os.fsencode(files.folders().states), limit=limit(settings), worth_s=settings.cache_seconds
    )


def size(header: Header, kv_type: str, tokens: int) -> int:
    """Return how many bytes the state of so many tokens takes at most; a little is unknown of its form."""
    return kv_bytes(header, kv_type, tokens * _CELLS) // _CELLS + tokens * _BESIDE_TOKEN + _BESIDE


def limit(settings: Config) -> int:
    """Return how many bytes the states may take: as the person has set, or else a small share of the free disk.

    What they take already counts as free. Otherwise each state would lower the limit for those before it.
    """
    if settings.cache_limit != "auto":
        return int(settings.cache_limit * 1e9)
    folder = files.folders().states
    taken = sum(stat.st_size for _path, stat in files_in(folder, ".state"))
    while not files.is_there(folder) and folder != folder.parent:
        folder = folder.parent
    try:
        free = shutil.disk_usage(folder).free + taken
    except OSError:
        return 0
    # On a nearly full disk, the states may take a fourth of what is free, so that one state of a long prompt fits.
    return min(_LARGEST_SHARE, max(free // 20, min(free // 4, _ONE_STATE)))
