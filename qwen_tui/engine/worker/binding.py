"""The binding to llama.cpp: the C functions of llama-cpp-python. Only the worker imports it.

The package's own `__init__` imports numpy, jinja2 and a high-level class. That takes 0.2 to 0.3 s at every start, and
this program uses none of it. So this module registers an empty package object under the name `llama_cpp` and imports
only the package's `ctypes` layer.
"""

import contextlib
import ctypes
import importlib
import importlib.util
import os
import re
import sys
import types
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from qwen_tui.engine.library import FOLDER_VARIABLE, is_portable, library_folders, refuse_cut_off
from qwen_tui.engine.worker.backends import Backends, load_backends
from qwen_tui.engine.worker.cuda_libraries import with_cuda

# The libraries of the package, each behind those that it needs.
_LIBRARIES = ("ggml-base", "ggml", "llama")
_OWN = re.compile(r"(?:lib)?(?:ggml|llama)\b")
# A file with one of the backends, which are libraries of their own in a portable build.
_MODULE = re.compile(r"(?:lib)?ggml-(?!base\b)")


class LibraryError(Exception):
    """The native library is missing or cannot be loaded; the text says why."""


def load_library() -> Any:
    """Return the module with llama.cpp's C functions, initialised with all its backends; raises `LibraryError`."""
    llama = open_library()
    initialise(llama, cards=True)
    return llama


def open_library() -> Any:
    """Return the module with llama.cpp's C functions, of which none has been called; raises `LibraryError`."""
    _enter_package()
    try:
        for path in _opened_at_once():
            refuse_cut_off(path)
        return with_cuda(_import)
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise LibraryError(str(error)) from error


def initialise(
    llama: Any,
    avoid: Collection[str] = (),
    on_variant: Callable[[Backends], None] = lambda _backends: None,
    *,
    cards: bool,
) -> None:
    """Initialise the library and its backends, those for graphics cards only with `cards`; raises `LibraryError`.

    Of a portable build, the variants to `avoid` are not loaded; `on_variant` is told what is, before it is.
    """
    try:
        load_backends(llama, avoid, on_variant, cards=cards)
    except (OSError, RuntimeError, AttributeError) as error:
        raise LibraryError(str(error)) from error
    llama.llama_backend_init()


def library_version() -> str:
    """Return the version of llama-cpp-python, which is part of the key of stored states; raises `LibraryError`."""
    _enter_package()
    # The version is read from the source text: importing the package takes 0.3 s, asking its metadata 0.04 s.
    for folder in sys.modules["llama_cpp"].__path__:
        try:
            text = (Path(folder) / "__init__.py").read_text("utf-8")
        except OSError as error:
            raise LibraryError(str(error)) from error
        if found := re.search(r'^__version__ = "(.+)"', text, re.MULTILINE):
            return found[1]
    raise LibraryError("llama_cpp has no version")


def _enter_package() -> None:
    if "llama_cpp" in sys.modules:
        return
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or not spec.submodule_search_locations:
        raise LibraryError("No module named 'llama_cpp'")
    package = types.ModuleType("llama_cpp")
    package.__path__ = list(spec.submodule_search_locations)
    package.__spec__ = spec
    sys.modules["llama_cpp"] = package


def _opened_at_once() -> list[Path]:
    """Return the files that the package opens: all of llama.cpp but the backends of a portable build."""
    folders = filter(Path.is_dir, library_folders())
    files = [path for folder in folders for path in folder.iterdir() if path.is_file()]
    modules = is_portable()
    return [path for path in files if _OWN.match(path.name) and not (modules and _MODULE.match(path.name))]


def _import() -> Any:
    """Import the package's `ctypes` layer, which opens the libraries."""
    # The package would take an empty name for that of the current folder.
    if not os.environ.get(FOLDER_VARIABLE):
        os.environ.pop(FOLDER_VARIABLE, None)
    if os.name == "nt":
        _forget_removed_toolkits()
        _open_on_windows()
    return importlib.import_module("llama_cpp.llama_cpp")


def _forget_removed_toolkits() -> None:
    """Remove the variables of toolkits that are not here any more: the package cannot be imported with them.

    The package adds two folders of such a toolkit to the search path of Windows, and Windows refuses a missing one.
    """
    for name in ("CUDA_PATH", "HIP_PATH"):
        if name in os.environ and not all(Path(os.environ[name], folder).is_dir() for folder in ("bin", "lib")):
            del os.environ[name]


def _open_on_windows() -> None:
    """Open the libraries by their full paths, and keep Windows out of the current folder.

    The package opens llama.dll in the old way, in which Windows looks for ggml.dll in the folder of the interpreter, in
    its own and in the current one before the package's: anybody could put code there. Of a library that is open
    already, Windows takes that one.
    """
    # `Any`, because ctypes.windll exists on Windows alone, also for type checkers. The empty name takes the current
    # folder out of the search.
    system: Any = ctypes
    system.windll.kernel32.SetDllDirectoryW("")
    names = [f"{prefix}{name}.dll" for name in _LIBRARIES for prefix in ("", "lib")]
    for path in (folder.absolute() / name for folder in library_folders() for name in names):
        if path.exists():
            # If it cannot be opened, the package will say why.
            with contextlib.suppress(OSError):
                ctypes.CDLL(os.fspath(path))
