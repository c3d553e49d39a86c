"""What the library in this worker is: how it was compiled, its devices, and the buffers that it would make."""

import ctypes
import importlib
import re
from collections.abc import Sequence
from typing import Any

from qwen_tui.engine.binding import library_version
from qwen_tui.engine.context import Context, ContextError
from qwen_tui.engine.model import LoadError, Model
from qwen_tui.engine.protocol import LoadOptions
from qwen_tui.engine.stop import StopFlag
from qwen_tui.hardware.device import Build, Device, DryRun, Kind, Setup, parse_features

# ggml_backend_dev_type, by number.
_KINDS: tuple[Kind, ...] = ("cpu", "gpu", "igpu", "accelerator")
_COMPUTE = re.compile(r"(\S+)\s+compute buffer size =\s*([\d.]+) MiB")
# Lines of the log that say why a device is missing.
_TELLING = re.compile(r"fail|error|insufficient|not supported|no .*devices|unable", re.IGNORECASE)
_MOST_NOTES = 5


def describe(llama: Any, options: Sequence[LoadOptions]) -> Build:
    """Describe the library, with a dry run of each of `options` that can be made with it.

    A model loaded without allocating says exactly how large the buffers to compute in would be, in its log.
    """
    lines: list[str] = []

    @llama.llama_log_callback  # type: ignore[untyped-decorator]
    def keep(_level: int, text: bytes, _data: Any) -> None:
        lines.append(text.decode("utf-8", "replace"))

    llama.llama_log_set(keep, None)
    try:
        devices = _devices(llama)
        notes = tuple(line.strip() for line in lines if _TELLING.search(line))[:_MOST_NOTES]
        runs: list[DryRun] = []
        for group in _by_layers(options):
            runs += _dry_runs(llama, group, lines)
    finally:
        # Back to stderr: the callback ends with this function.
        llama.llama_log_set(llama.llama_log_callback(), None)
    return Build(
        version=library_version(),
        library=_text(_ggml(llama, "ggml_version", ctypes.c_char_p)),
        features=parse_features(llama.llama_print_system_info().decode("utf-8", "replace")),
        gpu_offload=bool(llama.llama_supports_gpu_offload()),
        devices=devices,
        dry_runs=tuple(runs),
        notes=notes,
    )


def _by_layers(options: Sequence[LoadOptions]) -> list[list[LoadOptions]]:
    """Return the options by what is loaded: contexts of one model need no second load."""
    groups: dict[tuple[bytes, int], list[LoadOptions]] = {}
    for each in options:
        groups.setdefault((each.path, each.gpu_layers), []).append(each)
    return list(groups.values())


def _dry_runs(llama: Any, options: Sequence[LoadOptions], lines: list[str]) -> list[DryRun]:
    try:
        model = Model(llama, options[0], lambda _fraction: None, dry=True)
    except LoadError:
        return []
    runs = []
    try:
        for each in options:
            size = min(each.ctx_size, model.trained_ctx_size)
            lines.clear()
            context = Context(model, each, size, StopFlag())
            try:
                context.reserve(size)
            except ContextError:
                continue
            finally:
                context.close()
            compute: dict[str, int] = {}
            for name, mib in _COMPUTE.findall("".join(lines)):
                compute[name] = compute.get(name, 0) + round(float(mib) * (1 << 20))
            runs.append(DryRun(setup=_setup(each), compute=compute))
    finally:
        model.close()
    return runs


def _setup(options: LoadOptions) -> Setup:
    return Setup(
        gpu_layers=options.gpu_layers,
        ctx_size=options.ctx_size,
        batch_size=options.batch_size,
        kv_type=options.kv_type,
        flash_attention=options.flash_attention,
    )


def _devices(llama: Any) -> tuple[Device, ...]:
    found = []
    for index in range(_ggml(llama, "ggml_backend_dev_count", ctypes.c_size_t)):
        handle = ctypes.c_void_p(_ggml(llama, "ggml_backend_dev_get", ctypes.c_void_p, ctypes.c_size_t(index)))
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        _ggml(llama, "ggml_backend_dev_memory", None, handle, ctypes.byref(free), ctypes.byref(total))
        kind = _ggml(llama, "ggml_backend_dev_type", ctypes.c_int, handle)
        found.append(
            Device(
                name=_text(_ggml(llama, "ggml_backend_dev_name", ctypes.c_char_p, handle)),
                description=_text(_ggml(llama, "ggml_backend_dev_description", ctypes.c_char_p, handle)),
                kind=_KINDS[kind] if 0 <= kind < len(_KINDS) else "unknown",
                free=free.value,
                total=total.value,
            )
        )
    return tuple(found)


def _ggml(llama: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Call a function of ggml, which the binding declares nowhere; it lies in one of two libraries under llama.cpp."""
    function = getattr(llama._lib, name, None)
    if function is None:
        # On Windows a library does not give what it depends on.
        load = importlib.import_module("llama_cpp._ctypes_extensions").load_shared_library
        libraries = (load(each, llama._base_path) for each in ("ggml", "ggml-base"))
        function = next(getattr(library, name) for library in libraries if hasattr(library, name))
    function.restype = result
    return function(*arguments)


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
