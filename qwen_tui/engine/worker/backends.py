"""Loads the backends of a portable llama.cpp: one for this processor, and those for graphics cards that are here.

In a portable build, each backend is a file of its own beside the library, and for the processor there is one for each
generation of instruction sets, called a variant. llama.cpp itself would also look for such files in the folder of the
interpreter and in the current folder: anybody could put code there. So this loads them, from the package's own folder
alone, before llama.cpp finds that it has none.
"""

import ctypes
import os
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple

from qwen_tui.engine.library import GPU_BACKENDS, refuse_cut_off
from qwen_tui.engine.worker.cuda_libraries import with_cuda
from qwen_tui.engine.worker.ggml import ggml

# libggml-cpu-haswell.so, ggml-cuda.dll, libggml-vulkan.so; on macOS, modules end in .so as well.
_MODULE = re.compile(r"(?:lib)?ggml-(?P<kind>[a-z0-9]+)(?:-(?P<variant>[a-z0-9._]+))?\.(?:so|dll)")
# These files have such names too, but they are the library itself.
_LIBRARY = ("base", "rpc")


class Backends(NamedTuple):
    """What is loaded: the `variant` for the processor, "" where it is built in.

    `others` are the variants that would run here as well, the best first. `missing` has a line for each backend for a
    graphics card that cannot be loaded here, as without its driver. `died` are the variants that would suit this
    processor better by its own word, and are avoided because they died here. `broken` has a line for each variant whose
    file cannot be loaded, as after a copy that was broken off; nobody knows which processor it is for.
    """

    variant: str = ""
    others: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    died: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()


def load_backends(
    llama: Any,
    avoid: Collection[str] = (),
    on_variant: Callable[[Backends], None] = lambda _backends: None,
    *,
    cards: bool,
) -> Backends:
    """Load what fits, without the variants to `avoid`; nothing where the backends are built in.

    `on_variant` is called before a variant is loaded, because its first instructions may end the process. Without
    `cards`, nothing for graphics cards is opened: their drivers may hang or crash. Raises `OSError` where there is no
    variant for this processor.
    """
    if ggml(llama, "ggml_backend_reg_count", ctypes.c_size_t):
        return Backends()
    variants: list[tuple[int, str, Path]] = []
    missing, broken = [], []
    for path in sorted(Path(llama._base_path).iterdir()):
        module = _MODULE.fullmatch(path.name)
        if module is None or module["kind"] in _LIBRARY or (module["kind"] in GPU_BACKENDS and not cards):
            continue
        if module["kind"] == "cpu":
            variant = module["variant"] or "cpu"
            try:
                variants.append((_score(path), variant, path))
            except OSError as error:
                broken.append(f"{variant}: {error}")
        elif trouble := _trouble(path) or ("" if _load(llama, path) else "it finds nothing to compute on"):
            missing.append(f"{module['kind']}: {trouble}")
    fitting = sorted((each for each in variants if each[0] > 0), key=lambda each: -each[0])
    wanted = [each for each in fitting if each[1] not in avoid] or fitting[-1:]
    for number, (_points, variant, path) in enumerate(wanted):
        others = tuple(name for _score, name, _path in wanted[number + 1 :])
        died = tuple(name for _score, name, _path in fitting if name in avoid and name != variant)
        backends = Backends(variant, others, tuple(missing), died, tuple(broken))
        on_variant(backends)
        if _load(llama, path):
            return backends
        broken.append(f"{variant}: llama.cpp cannot use {path}")
    # One file tells enough, as many as they may be.
    raise OSError(broken[0] if broken else "no file libggml-cpu-* of the library suits this processor")


def _score(path: Path) -> int:
    """Return how well a variant suits this processor, by its own word; 0 if it would not run.

    Raises `OSError` if it cannot be opened.
    """
    refuse_cut_off(path)
    score = getattr(ctypes.CDLL(os.fspath(path)), "ggml_backend_score", None)
    # A build with one variant has no such function: that variant is for every processor of its kind.
    return int(score()) if score is not None else 1


def _load(llama: Any, path: Path) -> bool:
    # On Windows, ggml takes the path for text in the code page of the system, which may lack some of its characters.
    # The file is open already, and Windows finds what is open by its name.
    name = path.name if os.name == "nt" else path
    # Of a library that cannot be opened, ggml writes a line to its log and returns NULL.
    return bool(ggml(llama, "ggml_backend_load", ctypes.c_void_p, os.fsencode(name)))


def _trouble(path: Path) -> str:
    """Return why a module cannot be opened, in the system's words; "" if it can."""
    try:
        refuse_cut_off(path)
        with_cuda(lambda: ctypes.CDLL(os.fspath(path)))
    except OSError as error:
        return str(error)
    return ""
