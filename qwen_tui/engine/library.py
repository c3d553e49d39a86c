"""The files of the installed llama.cpp: where they are, if they are whole, what they compute on. None is loaded."""

import contextlib
import importlib.util
import os
import re
import struct
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

# HOST:PORT of an RPC server of llama.cpp, which is then a device like a graphics card. It is for development: with it,
# a computer without a card can offload a part of the layers for real, and fail at it for real.
RPC_VARIABLE = "QWEN_TUI_RPC"
# The folder of a native library that takes the place of the package's own. llama-cpp-python reads this variable.
FOLDER_VARIABLE = "LLAMA_CPP_LIB_PATH"
# It names a library that llama.cpp would load: code from outside.
_BACKEND_VARIABLE = "GGML_BACKEND_PATH"
# The folders of these variables come before that of the library itself.
_SEARCH_PATHS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
# The libraries of CUDA that NVIDIA also publishes as packages for pip, with the major version: libcublas.so.12.
CUDA_LIBRARY = re.compile(r"\blib(?:cudart|cublas(?:Lt)?)\.so\.(\d+)")
# The head of a 64-bit ELF file: its magic number, where the table of its sections begins, and the size of that table as
# the size of an entry and their number (System V ABI, "ELF Header"). Linkers write this table last.
_ELF = struct.Struct("<4sBB34xQ10xHH2x")
# The names of llama.cpp's backends for GPUs, as in the names of their files: libggml-cuda.so, ggml-vulkan.dll.
GPU_BACKENDS = ("cuda", "vulkan", "hip", "musa", "sycl", "opencl", "metal", "cann", "webgpu")


def library_folders() -> list[Path]:
    """Return the folders of the native library."""
    if named := os.environ.get(FOLDER_VARIABLE):
        return [Path(named)]
    spec = importlib.util.find_spec("llama_cpp")
    return [Path(folder) / "lib" for folder in (spec.submodule_search_locations if spec else None) or ()]


def library_files() -> list[Path]:
    """Return the files of the native library."""
    try:
        return sorted(file for folder in library_folders() for file in folder.iterdir() if "ggml" in file.name)
    except OSError:
        return []


def without_foreign(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which the system looks for the parts of the native library in its own folder first.

    Otherwise it would take those of another llama.cpp, or what lies in the current folder: an empty or relative entry
    of a search path stands for that, and anybody may have put code there.
    """
    changed = {name: value for name, value in environment.items() if name != _BACKEND_VARIABLE}
    for name in _SEARCH_PATHS:
        # The dynamic linker separates the folders by either sign, and knows no escape.
        folders = [folder for folder in re.split("[:;]", changed.pop(name, "")) if folder.startswith("/")]
        if folders:
            own = [str(folder.absolute()) for folder in library_folders()]
            changed[name] = ":".join([*(folder for folder in own if not set(":;") & set(folder)), *folders])
    return changed


def refuse_cut_off(path: Path) -> None:
    """Raise `OSError` if the end of a library's file is missing, as after a copy that was broken off.

    The system itself opens such a file, and the process dies of SIGBUS.
    """
    with path.open("rb") as file:
        head = file.read(_ELF.size)
        size = os.fstat(file.fileno()).st_size
    if len(head) < _ELF.size:
        return
    magic, bits, order, sections, entry, count = _ELF.unpack(head)
    # 2 stands for 64 bits, 1 for little endian.
    if (magic, bits, order) == (b"\x7fELF", 2, 1) and sections + entry * count > size:
        raise OSError(f"{path}: file too short")


def library_stamp() -> tuple[tuple[str, int, int], ...]:
    """Return what changes when another llama.cpp is installed: names, sizes and times of its native library's files."""
    stamps = []
    for file in library_files():
        with contextlib.suppress(OSError):
            facts = file.stat()
            stamps.append((file.name, facts.st_size, facts.st_mtime_ns))
    return tuple(stamps)


def nvidia_folders() -> list[Path]:
    """Return the folders of NVIDIA's packages for pip, which have the CUDA libraries; none if there are none."""
    spec = importlib.util.find_spec("nvidia")
    return [Path(folder) for folder in (spec.submodule_search_locations if spec else None) or ()]


def is_portable() -> bool:
    """Whether there are variants for several processors, by the names of the files."""
    return any("ggml-cpu-" in file.name for file in library_files())


def portable_wheel() -> Path | None:
    """Return the wheel of a portable llama.cpp that `scripts/build_engine.py` has made in this environment."""
    for wheel in sorted((Path(sys.prefix) / "share" / "qwen-tui" / "engine-built").glob("*.whl")):
        # A wheel that was not written to its end is no archive.
        with contextlib.suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(wheel) as archive:
            if any("ggml-cpu-" in name for name in archive.namelist()):
                return wheel
    return None


def gpu_backends() -> tuple[str, ...] | None:
    """Return the installed GPU backends, as ("cuda",), by the names of their files; nothing is loaded.

    None if the files do not tell. An RPC server that the environment names counts as a backend.
    """
    files = [file.name for file in library_files()]
    if not any("ggml-cpu" in name for name in files):
        return None
    found = (backend for backend in GPU_BACKENDS if any(f"ggml-{backend}" in name for name in files))
    return (*found, "rpc") if os.environ.get(RPC_VARIABLE) else tuple(found)
