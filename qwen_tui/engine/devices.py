"""The devices that compute, as ggml sees them: this processor, graphics cards, and RPC servers in experiments."""

import ctypes
import importlib
import os
from typing import Any

from qwen_tui.engine.binding import LibraryError
from qwen_tui.hardware.device import Device, Kind

# HOST:PORT of llama.cpp's RPC server, which then is a device like a graphics card. For development: it makes partial
# offload and its failures real on a computer without one.
RPC_VARIABLE = "QWEN_TUI_RPC"
# Whoever can talk to such a server can take it over, and it sees every prompt: on this computer only.
_LOOPBACK = ("127.0.0.1", "localhost")
_PATIENCE = 2.0
# ggml_backend_dev_type, by number.
_KINDS: tuple[Kind, ...] = ("cpu", "gpu", "igpu", "accelerator")


def devices(llama: Any) -> tuple[Device, ...]:
    """Return all devices; asking starts the drivers of graphics cards."""
    found = []
    for index in range(ggml(llama, "ggml_backend_dev_count", ctypes.c_size_t)):
        handle = ctypes.c_void_p(ggml(llama, "ggml_backend_dev_get", ctypes.c_void_p, ctypes.c_size_t(index)))
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        ggml(llama, "ggml_backend_dev_memory", None, handle, ctypes.byref(free), ctypes.byref(total))
        kind = ggml(llama, "ggml_backend_dev_type", ctypes.c_int, handle)
        found.append(
            Device(
                name=text(ggml(llama, "ggml_backend_dev_name", ctypes.c_char_p, handle)),
                description=text(ggml(llama, "ggml_backend_dev_description", ctypes.c_char_p, handle)),
                kind=_KINDS[kind] if 0 <= kind < len(_KINDS) else "unknown",
                free=free.value,
                total=total.value,
            )
        )
    return tuple(found)


def gpus(llama: Any) -> tuple[Device, ...]:
    """Return the devices that layers can be given to."""
    return tuple(device for device in devices(llama) if device.kind in ("gpu", "igpu"))


def add_rpc_device(llama: Any) -> None:
    """Add the devices of the RPC server that the environment names, if it names one; raises `LibraryError`."""
    endpoint = os.environ.get(RPC_VARIABLE)
    if not endpoint:
        return
    host, _colon, port = endpoint.rpartition(":")
    if host not in _LOOPBACK or not port.isdecimal():
        raise LibraryError(f"{RPC_VARIABLE}={endpoint}: only 127.0.0.1:PORT can be used")
    backend = ggml(llama, "ggml_backend_reg_by_name", ctypes.c_void_p, b"RPC")
    name = b"ggml_backend_rpc_add_server"
    address = backend and ggml(
        llama, "ggml_backend_reg_get_proc_address", ctypes.c_void_p, ctypes.c_void_p(backend), name
    )
    if not address:
        raise LibraryError(f"{RPC_VARIABLE}: this llama.cpp was built without GGML_RPC")
    # Only now: it takes time to import.
    import socket

    # One that does not answer is a device that is not there; ggml itself would end the process.
    try:
        socket.create_connection((host, int(port)), _PATIENCE).close()
    except OSError:
        return
    if server := ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_char_p)(address)(endpoint.encode()):
        ggml(llama, "ggml_backend_register", None, ctypes.c_void_p(server))


def ggml(llama: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Call a function of ggml, which the binding declares nowhere; it lies in one of two libraries under llama.cpp."""
    function = getattr(llama._lib, name, None)
    if function is None:
        # On Windows a library does not give what it depends on.
        load = importlib.import_module("llama_cpp._ctypes_extensions").load_shared_library
        libraries = (load(each, llama._base_path) for each in ("ggml", "ggml-base"))
        function = next(getattr(library, name) for library in libraries if hasattr(library, name))
    function.restype = result
    return function(*arguments)


def text(value: bytes | None) -> str:
    """Return what ggml says as text."""
    return (value or b"").decode("utf-8", "replace")
