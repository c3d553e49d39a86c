"""The files of the installed llama.cpp: what they compute on, and how to install them anew. Nothing is loaded."""

import contextlib
import importlib.util
import os
import re
import sys
import zipfile
from pathlib import Path

from qwen_tui.i18n import gettext as _

# HOST:PORT of an RPC server of llama.cpp, which is then a device like a graphics card. It is for development: with it,
# a computer without a card can offload a part of the layers for real, and fail at it for real.
RPC_VARIABLE = "QWEN_TUI_RPC"
# The folder of a native library that takes the place of the package's own. llama-cpp-python reads this variable.
FOLDER_VARIABLE = "LLAMA_CPP_LIB_PATH"
_PACKAGE = "llama-cpp-python"
# The libraries that a CUDA build is linked to: the driver (libcuda.so.1 or nvcuda.dll) and the runtime. If one of them
# is missing, no part of llama.cpp can be loaded, not even the one for the CPU.
_OF_NVIDIA = re.compile(r"(?<![\w-])(?:lib|nv)?(?:cuda|cudart|cublas(?:Lt)?)(?:64_\d+)?\.(?:so|dll)", re.IGNORECASE)
# The libraries of CUDA that NVIDIA also publishes as packages for pip, with the major version: libcublas.so.12.
_OF_CUDA = re.compile(r"\blib(?:cudart|cublas(?:Lt)?)\.so\.(\d+)")
# The names of llama.cpp's backends for GPUs, as in the names of their files: libggml-cuda.so, ggml-vulkan.dll.
_GPU_BACKENDS = ("cuda", "vulkan", "hip", "musa", "sycl", "opencl", "metal", "cann", "webgpu")


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


def library_stamp() -> tuple[tuple[str, int, int], ...]:
    """Return what changes when another llama.cpp is installed: names, sizes and times of its native library's files."""
    stamps = []
    for file in library_files():
        with contextlib.suppress(OSError):
            facts = file.stat()
            stamps.append((file.name, facts.st_size, facts.st_mtime_ns))
    return tuple(stamps)


def portable_wheel() -> Path | None:
    """Return the wheel of a portable llama.cpp that `scripts/build_engine.py` has made in this environment."""
    for wheel in sorted((Path(sys.prefix) / "share" / "qwen-tui" / "engine-built").glob("*.whl")):
        # A wheel that was not written to its end is no archive.
        with contextlib.suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(wheel) as archive:
            if any("ggml-cpu-" in name for name in archive.namelist()):
                return wheel
    return None


def how_to_mend(reason: str) -> str:
    """Return what the person can do about a library that cannot be loaded for this `reason`, in the system's words."""
    # Windows names only the library that it was to load, not the missing one.
    unnamed = "one of its dependencies" in reason and "cuda" in (gpu_backends() or ())
    if _OF_NVIDIA.search(reason) or unnamed:
        sentence = _(
            "It was built for NVIDIA cards, and their driver or the CUDA libraries are not here. Install those, or "
            "llama.cpp for the CPU: {command}"
        ).format(command=_from_index())
        if command := cuda_command(reason):
            sentence += "\n" + _("The CUDA libraries alone: {command}").format(command=command)
        return sentence
    return _("Install it again with: {command}").format(command=build_command())


def cuda_command(reason: str) -> str:
    """Return the command that installs the CUDA libraries, if one of them is missing by this `reason`; else nothing."""
    missing = _OF_CUDA.search(reason)
    if missing is None:
        return ""
    # Until CUDA 12, the names of the packages had the version.
    package = "{}-cu{}" if int(missing[1]) <= 12 else '"{}=={}.*"'
    return " ".join(
        ["pip install", *(package.format(name, missing[1]) for name in ("nvidia-cuda-runtime", "nvidia-cublas"))]
    )


def build_command() -> str:
    """Return the command that installs the same version for the same devices once more."""
    return "python scripts/build_engine.py" if gpu_backends() else _from_index()


def _from_index() -> str:
    # Imported only here, because the import takes time.
    import importlib.metadata

    try:
        version = "==" + importlib.metadata.version(_PACKAGE).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        version = ""
    return f"pip install --force-reinstall --no-cache-dir {_PACKAGE}{version}"


def gpu_backends() -> tuple[str, ...] | None:
    """Return the installed GPU backends, as ("cuda",), by the names of their files; nothing is loaded.

    None if the files do not tell. An RPC server that the environment names counts as a backend.
    """
    files = [file.name for file in library_files()]
    if not any("ggml-cpu" in name for name in files):
        return None
    found = (backend for backend in _GPU_BACKENDS if any(f"ggml-{backend}" in name for name in files))
    return (*found, "rpc") if os.environ.get(RPC_VARIABLE) else tuple(found)
