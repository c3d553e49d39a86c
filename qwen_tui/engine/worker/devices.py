"""The devices that ggml can compute on: this processor, graphics cards, and RPC servers in experiments."""

import ctypes
import os
from typing import Any

from qwen_tui.engine.library import RPC_VARIABLE
from qwen_tui.engine.worker.binding import LibraryError
from qwen_tui.engine.worker.ggml import ggml, text
from qwen_tui.hardware.device import Device, Kind, for_layers

# An RPC server sees every prompt, and whoever can connect to it can take it over. So it must be on this computer.
_LOOPBACK = ("127.0.0.1", "localhost")
# How long the RPC server may take to accept a connection, in seconds.
_PATIENCE = 2.0
# The values of ggml_backend_dev_type, in their order.
_KINDS: tuple[Kind, ...] = ("cpu", "gpu", "igpu", "accelerator")


class _Properties(ctypes.Structure):
    """ggml_backend_dev_props, with room for fields that a later ggml adds."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("description", ctypes.c_char_p),
        ("memory_free", ctypes.c_size_t),
        ("memory_total", ctypes.c_size_t),
        ("type", ctypes.c_int),
        ("device_id", ctypes.c_char_p),
        ("capabilities", ctypes.c_char * 64),
    )


def devices(llama: Any) -> tuple[Device, ...]:
    """Return all devices; this starts the drivers of graphics cards."""
    return tuple(_device(llama, handle) for handle in _handles(llama))


def device_for_layers(llama: Any) -> tuple[ctypes.c_void_p, Device] | None:
    """Return the device that gets the layers, as ggml's handle and described; None where there is none."""
    handles = _handles(llama)
    found = [_device(llama, handle) for handle in handles]
    chosen = for_layers(found)
    return None if chosen is None else (handles[found.index(chosen)], chosen)


def free_for_layers(llama: Any) -> int:
    """Return the free memory of that device in bytes; 0 where there is none."""
    found = device_for_layers(llama)
    return found[1].free if found else 0


def _handles(llama: Any) -> list[ctypes.c_void_p]:
    count = ggml(llama, "ggml_backend_dev_count", ctypes.c_size_t)
    get = (ggml(llama, "ggml_backend_dev_get", ctypes.c_void_p, ctypes.c_size_t(index)) for index in range(count))
    return [ctypes.c_void_p(handle) for handle in get]


def _device(llama: Any, handle: ctypes.c_void_p) -> Device:
    properties = _Properties()
    ggml(llama, "ggml_backend_dev_get_props", None, handle, ctypes.byref(properties))
    return Device(
        name=text(properties.name),
        description=text(properties.description),
        kind=_KINDS[properties.type] if 0 <= properties.type < len(_KINDS) else "unknown",
        free=properties.memory_free,
        total=properties.memory_total,
        id=text(properties.device_id),
    )


def add_rpc_device(llama: Any) -> None:
    """Add the devices of the RPC server that `QWEN_TUI_RPC` names, if it is set; raises `LibraryError`."""
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
    # Imported only here, because the import takes time.
    import socket

    # A server that does not answer counts as no device. ggml itself would end the process.
    try:
        socket.create_connection((host, int(port)), _PATIENCE).close()
    except OSError:
        return
    if server := ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_char_p)(address)(endpoint.encode()):
        ggml(llama, "ggml_backend_register", None, ctypes.c_void_p(server))
