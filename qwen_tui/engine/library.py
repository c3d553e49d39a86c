"""The files of the installed llama.cpp: what they compute on, and how to install them anew. Nothing is loaded."""

import contextlib
import importlib.util
import mmap
import os
import re
import struct
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from qwen_tui import programs
from qwen_tui.hardware.gpu import may_have_card
from qwen_tui.i18n import gettext as _
from qwen_tui.quoting import quoted

# HOST:PORT of an RPC server of llama.cpp, which is then a device like a graphics card. It is for development: with it,
# a computer without a card can offload a part of the layers for real, and fail at it for real.
RPC_VARIABLE = "QWEN_TUI_RPC"
# The folder of a native library that takes the place of the package's own. llama-cpp-python reads this variable.
FOLDER_VARIABLE = "LLAMA_CPP_LIB_PATH"
# It names a library that llama.cpp would load: code from outside.
_BACKEND_VARIABLE = "GGML_BACKEND_PATH"
# The folders of these variables come before that of the library itself.
_SEARCH_PATHS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_PACKAGE = "llama-cpp-python"
# The libraries that a CUDA build is linked to: the driver (libcuda.so.1 or nvcuda.dll) and the runtime. If one of them
# is missing, no part of llama.cpp can be loaded, not even the one for the CPU.
_OF_NVIDIA = re.compile(r"(?<![\w-])(?:lib|nv)?(?:cuda|cudart|cublas(?:Lt)?)(?:64_\d+)?\.(?:so|dll)", re.IGNORECASE)
# The libraries of CUDA that NVIDIA also publishes as packages for pip, with the major version: libcublas.so.12.
CUDA_LIBRARY = re.compile(r"\blib(?:cudart|cublas(?:Lt)?)\.so\.(\d+)")
# Their names on Windows, as the module for cards has them: cublas64_12.dll, and cudart64_110.dll of CUDA 11.0.
_OF_CUDA_ON_WINDOWS = re.compile(rb"(?:cudart|cublas)64_(\d+)\.dll", re.IGNORECASE)
# Windows names only the library that it was to open, not the one that is missing for it.
_UNNAMED = "one of its dependencies"
# A library that the system has not, and those that come with llama.cpp.
_MISSING = re.compile(r"([^\s/:]+): cannot open shared object file: No such file")
_OWN = re.compile(r"lib(?:ggml|llama)")
# The runtime of Microsoft's compiler, with OpenMP.
_OF_MICROSOFT = re.compile(r"(?:vcomp|msvcp|vcruntime)140", re.IGNORECASE)
# What the system says of a file that is not whole, or was built for another system or beside other files.
_UNSUITABLE = re.compile(
    r"file too short|cannot read file data|[Ii]nvalid ELF header|wrong ELF class|undefined symbol"
    r"|version `.*' not found|WinError (?:127|193)|not a mach-o file|[Ss]ymbol not found"
)
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
    if _OF_NVIDIA.search(reason) or (_UNNAMED in reason and _opens_cuda(reason)):
        sentence = _(
            "It was built for NVIDIA cards, and their driver or the CUDA libraries are not here. Install those, or "
            "llama.cpp for the CPU: {command}"
        ).format(command=_from_index())
        if _has_driver() and (command := cuda_command(reason)):
            sentence += "\n" + _("The CUDA libraries alone: {command}").format(command=command)
        return sentence
    if _UNNAMED in reason or _OF_MICROSOFT.search(reason):
        return _(
            "Install Microsoft's Visual C++ Redistributable (vc_redist.x64.exe), which llama.cpp needs. If that does "
            "not help: {otherwise}"
        ).format(otherwise=how_to_reinstall())
    if library := missing_library(reason):
        return _("Install {library} from the packages of this system.").format(library=with_package(library))
    return how_to_reinstall()


def how_to_reinstall() -> str:
    """Return the sentence that says how to install the llama.cpp that is here again, for the same PCs."""
    if not _is_portable():
        return _("Install it again with: {command}").format(command=build_command())
    if wheel := portable_wheel():
        installing = f"{pip()} install --no-index --no-deps --force-reinstall {quoted(wheel)}"
        return _("Install it again with: {command}").format(command=installing)
    # Who has it from a stick can build none, and a build of their own would be for one processor.
    installing = f"{pip()} install --no-index --no-deps --force-reinstall --find-links FOLDER {_requirement()}"
    return _("Install it again from the FOLDER that its wheel came from: {command}").format(command=installing)


def missing_library(reason: str) -> str:
    """Return the library of the system that is missing by this `reason`, in the system's words; else nothing."""
    found = _MISSING.search(reason)
    return found[1] if found and not _OWN.match(found[1]) else ""


def with_package(library: str) -> str:
    """Return the name of a library with the packages that have it, where this program knows them."""
    if not library.startswith("libgomp"):
        return library
    return _("{library} (Debian, Ubuntu: libgomp1; Fedora, RHEL: libgomp)").format(library=library)


def unsuitable(reason: str) -> bool:
    """Whether a file is damaged or of another build, by this `reason`, in the system's words."""
    return _UNSUITABLE.search(reason) is not None


def cuda_command(reason: str) -> str:
    """Return the command that installs the CUDA libraries, if one of them is missing by this `reason`; else nothing."""
    version = _cuda_version(reason)
    if version is None:
        return ""
    # Until CUDA 12, the names of the packages had the version.
    names = [f"{name}-cu{version}" if version <= 12 else name for name in ("nvidia-cuda-runtime", "nvidia-cublas")]
    # What is installed and does not open is damaged; pip would leave it as it is.
    forced = ["--force-reinstall"] if any(map(_is_installed, names)) else []
    packages = names if version <= 12 else (f'"{name}=={version}.*"' for name in names)
    return " ".join([pip(), "install", *forced, *packages])


def _cuda_version(reason: str) -> int | None:
    """Return the major version of CUDA of which a library is missing by this `reason`; None if none is."""
    if named := CUDA_LIBRARY.search(reason):
        return int(named[1])
    if _UNNAMED not in reason or not _opens_cuda(reason):
        return None
    for file in library_files():
        # An empty file has no content to look at.
        with contextlib.suppress(OSError, ValueError):
            if file.name == "ggml-cuda.dll" and (found := _found_in(file, _OF_CUDA_ON_WINDOWS)):
                # 110 is 11.0.
                return int(found[:2])
    return None


def _found_in(file: Path, pattern: re.Pattern[bytes]) -> bytes:
    """Return the first group of `pattern` in a large file; raises `OSError`, and `ValueError` if the file is empty."""
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = pattern.search(content)
        return found[1] if found else b""


def _opens_cuda(reason: str) -> bool:
    """Whether what could not be opened for this `reason` needs CUDA: in a portable build, only the module for cards."""
    return "cuda" in (gpu_backends() or ()) and ("ggml-cuda" in reason or not _is_portable())


def _is_portable() -> bool:
    return any("ggml-cpu-" in file.name for file in library_files())


def _has_driver() -> bool:
    """Whether NVIDIA's driver may be here: without it, CUDA's libraries are no use."""
    if os.name == "nt":
        return Path(os.environ.get("SYSTEMROOT", "C:\\Windows"), "System32", "nvcuda.dll").exists()
    return may_have_card()


def _is_installed(package: str) -> bool:
    # Imported only here, because the import takes time.
    import importlib.metadata

    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def build_command() -> str:
    """Return the command that installs the same version for the same devices once more."""
    return "python scripts/build_engine.py" if gpu_backends() else _from_index()


def _from_index() -> str:
    return f"{pip()} install --force-reinstall --no-cache-dir {_requirement()}"


def _requirement() -> str:
    """Return llama-cpp-python with its version, as pip takes it."""
    # Imported only here, because the import takes time.
    import importlib.metadata

    try:
        return f"{_PACKAGE}==" + importlib.metadata.version(_PACKAGE).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return _PACKAGE


def pip() -> str:
    """Return how pip is called for the Python that runs this program: by its name only if the PATH leads to it."""
    folder = Path(sys.executable).parent
    found = programs.find("pip")
    if found and Path(found).parent in (folder, folder / "Scripts"):
        return "pip"
    return f"{quoted(sys.executable)} -m pip"


def gpu_backends() -> tuple[str, ...] | None:
    """Return the installed GPU backends, as ("cuda",), by the names of their files; nothing is loaded.

    None if the files do not tell. An RPC server that the environment names counts as a backend.
    """
    files = [file.name for file in library_files()]
    if not any("ggml-cpu" in name for name in files):
        return None
    found = (backend for backend in GPU_BACKENDS if any(f"ggml-{backend}" in name for name in files))
    return (*found, "rpc") if os.environ.get(RPC_VARIABLE) else tuple(found)
