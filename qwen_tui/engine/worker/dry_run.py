"""Describes the installed llama.cpp: how it was compiled, its devices, what a model needs, and which ones it knows."""

import contextlib
import ctypes
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

from qwen_tui.engine.library import gpu_backends
from qwen_tui.engine.protocol import LoadOptions
from qwen_tui.engine.worker.backends import Backends
from qwen_tui.engine.worker.binding import library_version
from qwen_tui.engine.worker.buffers import logged_buffers
from qwen_tui.engine.worker.context import Context, ContextError
from qwen_tui.engine.worker.devices import devices
from qwen_tui.engine.worker.ggml import ggml, text
from qwen_tui.engine.worker.model import LoadError, Model
from qwen_tui.engine.worker.prompt import ChatML
from qwen_tui.engine.worker.stop import StopFlag
from qwen_tui.hardware.device import Build, DryRun, parse_features

# Lines of the log that say why a device is missing. The line about what was loaded names a path, with any words in it.
_EXPLAINS = re.compile(
    r"(?!load_backend: loaded).*(?:fail|error|insufficient|not supported|no .*devices|unable)",
    re.IGNORECASE | re.DOTALL,
)
# How many of them are returned at most.
_MOST_NOTES = 5


@contextlib.contextmanager
def kept_log(llama: Any) -> Iterator[list[str]]:
    """During the block, also keep what llama.cpp logs in the list that this gives."""
    lines: list[str] = []

    @llama.llama_log_callback  # type: ignore[untyped-decorator]
    def keep(_level: int, text: bytes, _data: Any) -> None:
        lines.append(text.decode("utf-8", "replace"))
        # If llama.cpp ends the process, its last words are in the log of the worker.
        os.write(2, text)

    llama.llama_log_set(keep, None)
    try:
        yield lines
    finally:
        # The log goes to stderr alone again, because the callback is freed when this function returns.
        llama.llama_log_set(llama.llama_log_callback(), None)


def describe(llama: Any, options: Sequence[LoadOptions], backends: Backends, lines: list[str]) -> Build:
    """Describe the library and its `backends`, with a dry run for each of the `options` that can be loaded.

    llama.cpp can load a model without allocating its buffers. Its log then gives the exact size of the compute buffers.
    `kept_log` puts it into `lines`, from before the backends were loaded.
    """
    found = devices(llama)
    notes = tuple(line.strip() for line in lines if _EXPLAINS.match(line))[:_MOST_NOTES]
    runs: list[DryRun] = []
    for group in _by_layers(options):
        runs += _dry_runs(llama, group, lines)
    return Build(
        version=library_version(),
        library=text(ggml(llama, "ggml_version", ctypes.c_char_p)),
        features=parse_features(llama.llama_print_system_info().decode("utf-8", "replace")),
        # Where no device is found, or a module cannot be loaded, llama.cpp says that it was built without.
        gpu_offload=bool(llama.llama_supports_gpu_offload() or gpu_backends()),
        devices=found,
        dry_runs=tuple(runs),
        notes=(*backends.missing, *notes),
        variant=backends.variant,
        died=backends.died,
        broken=backends.broken,
    )


def examine(llama: Any, options: LoadOptions) -> None:
    """Raise `LoadError` if the model cannot be loaded, or does not know the marks of a prompt."""
    model = Model(llama, options, lambda _fraction: None, dry=True)
    try:
        ChatML(model.vocabulary)
    finally:
        model.close()


def _by_layers(options: Sequence[LoadOptions]) -> list[list[LoadOptions]]:
    """Group the options by the model that they load: several contexts of one model need only one load."""
    groups: dict[tuple[bytes, int], list[LoadOptions]] = {}
    for each in options:
        groups.setdefault((each.path, each.plan.gpu_layers), []).append(each)
    return list(groups.values())


def _dry_runs(llama: Any, options: Sequence[LoadOptions], lines: list[str]) -> list[DryRun]:
    try:
        model = Model(llama, options[0], lambda _fraction: None, dry=True)
    except LoadError:
        return []
    runs = []
    try:
        for each in options:
            size = min(each.plan.ctx_size, model.trained_ctx_size)
            lines.clear()
            context = Context(model, each, size, StopFlag())
            try:
                context.reserve(size)
            except ContextError:
                continue
            finally:
                context.close()
            compute: dict[str, int] = {}
            for buffer in logged_buffers("".join(lines)):
                if buffer.kind == "compute":
                    compute[buffer.device] = compute.get(buffer.device, 0) + buffer.nbytes
            runs.append(DryRun(plan=each.plan, compute=compute))
    finally:
        model.close()
    return runs
