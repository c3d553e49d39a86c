"""What the person can do about a llama.cpp that cannot be loaded: which library to install, or how to install it again.

The reasons are in the words of the system, in any language.
"""

import contextlib
import mmap
import os
import re
import sys
from pathlib import Path

from qwen_tui import programs
from qwen_tui.engine.library import CUDA_LIBRARY, gpu_backends, is_portable, library_files, portable_wheel
from qwen_tui.hardware.gpu import may_have_card
from qwen_tui.i18n import gettext as _
from qwen_tui.quoting import quoted

_PACKAGE = "llama-cpp-python"
# The libraries that a CUDA build is linked to: the driver (libcuda.so.1 or nvcuda.dll) and the runtime. If one of them
# is missing, no part of llama.cpp can be loaded, not even the one for the CPU.
_OF_NVIDIA = re.compile(r"(?<![\w-])(?:lib|nv)?(?:cuda|cudart|cublas(?:Lt)?)(?:64_\d+)?\.(?:so|dll)", re.IGNORECASE)
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
    if not is_portable():
        return _("Install it again with: {command}").format(command=build_command())
    installing = f"{pip()} install --no-index --no-deps --force-reinstall"
    if wheel := portable_wheel():
        return _("Install it again with: {command}").format(command=f"{installing} {quoted(wheel)}")
    # Whoever has it from a stick may have no compiler, and what a person builds by default is for one processor.
    sentence = _("Install it again from the FOLDER that its wheel came from: {command}")
    return sentence.format(command=f"{installing} --find-links FOLDER {_requirement()}")


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
    return "cuda" in (gpu_backends() or ()) and ("ggml-cuda" in reason or not is_portable())


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
