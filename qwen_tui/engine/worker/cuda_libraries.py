"""Opens NVIDIA's CUDA libraries from its Python packages, where no toolkit is installed.

Code for NVIDIA cards is linked to the CUDA runtime and to cuBLAS. The driver does not bring them, and whoever compiles
nothing wants no toolkit. NVIDIA publishes both for pip, too, in folders that the system does not search. A library that
is open already is found by its name, wherever it lies.
"""

import contextlib
import ctypes
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from qwen_tui.engine.library import CUDA_LIBRARY, nvidia_folders

# Windows does not say which library is missing: all of them are opened, each behind those that it needs.
_OF_WINDOWS = ("cudart64_*.dll", "cublasLt64_*.dll", "cublas64_*.dll")
# At most so many of them are missing, one after the other.
_MOST = 3
_DRIVER = "nvcuda.dll" if os.name == "nt" else "libcuda.so.1"

Loaded = TypeVar("Loaded")


def with_cuda(load: Callable[[], Loaded]) -> Loaded:
    """Return what `load` returns. Where a CUDA library is missing for it, that is opened, and `load` called again.

    Raises what `load` raises, if it fails for another reason, or if NVIDIA's packages are not installed.
    """
    for _library in range(_MOST):
        try:
            return load()
        except (OSError, RuntimeError) as error:
            if not _open_missing(str(error)):
                raise
    return load()


def _open_missing(reason: str) -> bool:
    """Open the library that is missing for this `reason`, in the system's words; return whether one was opened."""
    # Without a driver, cuBLAS is no use, and takes a while to open.
    found = list(_published(reason))
    if not found or not _opens(_DRIVER):
        return False
    opened = [path for path in found if _opens(os.fspath(path))]
    return bool(opened)


def _published(reason: str) -> Iterator[Path]:
    """Yield the files of NVIDIA's packages that may be what is missing."""
    named = CUDA_LIBRARY.search(reason)
    patterns = [f"*/lib/{named[0]}"] if named else []
    if os.name == "nt":
        patterns = [f"*/bin/**/{name}" for name in _OF_WINDOWS]
    for folder in nvidia_folders():
        for pattern in patterns:
            yield from sorted(folder.glob(pattern))


def _opens(name: str) -> bool:
    with contextlib.suppress(OSError):
        ctypes.CDLL(name)
        return True
    return False
