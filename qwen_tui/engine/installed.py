"""The installed llama.cpp, asked from outside: in a worker of its own, so that a broken driver breaks nothing here."""

import contextlib
import hashlib
import importlib.util
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from qwen_tui.engine import wire
from qwen_tui.engine.devices import RPC_VARIABLE
from qwen_tui.engine.process import WorkerProcess
from qwen_tui.engine.protocol import LoadOptions
from qwen_tui.errors import EngineError, why
from qwen_tui.files import write_private
from qwen_tui.hardware.device import Build
from qwen_tui.i18n import gettext as _

# A driver that has not answered after so many seconds will not; the first start of CUDA takes a few.
_PATIENCE = 30.0
_REMEMBERED = 20
# What llama.cpp calls the libraries of its backends that compute on a GPU: libggml-cuda.so, ggml-vulkan.dll.
_GPU_BACKENDS = ("cuda", "vulkan", "hip", "musa", "sycl", "opencl", "metal", "cann", "webgpu")


def gpu_backends() -> tuple[str, ...] | None:
    """Return the GPU backends that are installed, as ("cuda",), by the names of their files, without loading anything.

    None where that cannot be told so. An RPC server that the environment names counts as one.
    """
    files = [file.name for file in _libraries()]
    if not any("ggml-cpu" in name for name in files):
        return None
    found = (backend for backend in _GPU_BACKENDS if any(f"ggml-{backend}" in name for name in files))
    return (*found, "rpc") if os.environ.get(RPC_VARIABLE) else tuple(found)


def describe(options: Sequence[LoadOptions] = (), *, patience: float = _PATIENCE) -> Build:
    """Return what llama.cpp is, with a dry run of each of `options`; raises `EngineError` with the reason."""
    try:
        worker = WorkerProcess()
    except OSError as error:
        raise _unknown(why(error)) from error
    try:
        worker.send(wire.Describe(tuple(options)))
        return _answer(worker, time.monotonic() + patience)
    finally:
        worker.close()


def _answer(worker: WorkerProcess, deadline: float) -> Build:
    while (left := deadline - time.monotonic()) > 0:
        try:
            reply = worker.receive(left)
        except EOFError:
            raise _unknown(_end(worker.wait(), worker.last_lines(1))) from None
        if isinstance(reply, wire.Described):
            return reply.build
        if isinstance(reply, wire.Failed):
            raise _unknown(reply.detail)
    raise _unknown(_("it does not answer"))


def _end(code: int, line: str) -> str:
    if code == -signal.SIGILL:
        return _("it was built for another processor (SIGILL)")
    try:
        name = signal.Signals(-code).name if code < 0 else str(code)
    except ValueError:
        name = str(code)
    reason = _("it ended at once ({code})").format(code=name)
    return f"{reason}: {line}" if line else reason


def _unknown(reason: str) -> EngineError:
    return EngineError(
        _("llama.cpp cannot be used: {reason}").format(reason=reason),
        _("Install it again with: pip install --force-reinstall --no-cache-dir llama-cpp-python"),
    )


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out about llama.cpp, or the `trouble` that it gave; `gpu_taken` is what its start takes of a GPU.

    The free memory of the devices in `build` is that of the moment when it was asked.
    """

    build: Build | None = None
    trouble: str = ""
    gpu_taken: int | None = None


def known(options: Sequence[LoadOptions], memory: Path, circumstances: str, gpu_free: int | None = None) -> Known:
    """Return what `describe` says, from the file `memory` where nothing has changed since it was asked.

    `circumstances` is what the answer depends on beside the library and the model: driver and cards. Starting a
    graphics driver and two dry runs take a second or more, which is too much for every question. `gpu_free` is what was
    free before.
    """
    key = _key(options, circumstances)
    entries = _read(memory)
    if found := entries.get(key):
        return found
    try:
        build = describe(options)
    except EngineError as error:
        found = Known(trouble=error.message)
    else:
        free = max((device.free for device in build.gpus), default=None)
        taken = None if free is None or gpu_free is None else max(0, gpu_free - free)
        found = Known(build=build, gpu_taken=taken)
    entries = dict(list(entries.items())[1 - _REMEMBERED :]) | {key: found}
    try:
        write_private(memory, msgspec.json.encode(entries))
    except OSError:
        # Then it is asked again the next time.
        return found
    return found


def forget(memory: Path) -> None:
    """Have everything asked again, as when a driver may have been mended."""
    with contextlib.suppress(OSError):
        memory.unlink(missing_ok=True)


def _read(memory: Path) -> dict[str, Known]:
    try:
        return msgspec.json.decode(memory.read_bytes(), type=dict[str, Known])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return {}


def _key(options: Sequence[LoadOptions], circumstances: str) -> str:
    digest = hashlib.sha256(circumstances.encode("utf-8", "replace"))
    for file in [*_libraries(), *(Path(os.fsdecode(path)) for path in {each.path for each in options})]:
        try:
            facts = file.stat()
        except OSError:
            continue
        digest.update(f"{file.name} {facts.st_size} {facts.st_mtime_ns}\n".encode("utf-8", "replace"))
    for each in options:
        digest.update(msgspec.json.encode(msgspec.structs.replace(each, path=b"", store=None)))
    return digest.hexdigest()


def _libraries() -> list[Path]:
    """Return the files of the native library."""
    folders = [Path(folder) for folder in (os.environ.get("LLAMA_CPP_LIB_PATH"),) if folder]
    if not folders:
        spec = importlib.util.find_spec("llama_cpp")
        folders = [Path(folder) / "lib" for folder in (spec.submodule_search_locations if spec else None) or ()]
    try:
        return sorted(file for folder in folders for file in folder.iterdir() if "ggml" in file.name)
    except OSError:
        return []


def library_stamp() -> tuple[tuple[str, int, int], ...]:
    """Return what changes with the installed llama.cpp: names, sizes and times of the files of the native library."""
    stamps = []
    for file in _libraries():
        with contextlib.suppress(OSError):
            facts = file.stat()
            stamps.append((file.name, facts.st_size, facts.st_mtime_ns))
    return tuple(stamps)
