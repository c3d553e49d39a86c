"""The devices that compute beside the CPU, as ggml sees them: graphics cards, and other computers' in experiments."""

import ctypes
import os
from typing import Any, NamedTuple

from qwen_tui.engine.binding import LibraryError, load_ggml

# HOST:PORT of llama.cpp's RPC server, which then is a device like a graphics card. For development: it makes partial
# offload and its failures real on a computer without one.
RPC_VARIABLE = "QWEN_TUI_RPC"
# Whoever can talk to such a server can take it over, and it sees every prompt: on this computer only.
_LOOPBACK = ("127.0.0.1", "localhost")
# ggml_backend_dev_type: graphics cards with memory of their own, and those that share the computer's.
_GPU_TYPES = (1, 2)


class Device(NamedTuple):
    """A GPU: its name, and its memory in bytes."""

    name: str
    free: int
    total: int


def gpus(llama: Any) -> list[Device]:
    """Return the GPUs that the library can use; asking starts their drivers."""
    ggml = load_ggml(llama)
    count = _function(ggml, "ggml_backend_dev_count", ctypes.c_size_t)
    get = _function(ggml, "ggml_backend_dev_get", ctypes.c_void_p, ctypes.c_size_t)
    type_of = _function(ggml, "ggml_backend_dev_type", ctypes.c_int, ctypes.c_void_p)
    name_of = _function(ggml, "ggml_backend_dev_name", ctypes.c_char_p, ctypes.c_void_p)
    size = ctypes.POINTER(ctypes.c_size_t)
    memory_of = _function(ggml, "ggml_backend_dev_memory", None, ctypes.c_void_p, size, size)
    found = []
    for index in range(count()):
        device = get(index)
        if type_of(device) in _GPU_TYPES:
            free, total = ctypes.c_size_t(), ctypes.c_size_t()
            memory_of(device, ctypes.byref(free), ctypes.byref(total))
            found.append(Device(name_of(device).decode("utf-8", "replace"), free.value, total.value))
    return found


def add_rpc_device(llama: Any) -> None:
    """Add the devices of the RPC server that the environment names, if it names one; raises `LibraryError`."""
    endpoint = os.environ.get(RPC_VARIABLE)
    if not endpoint:
        return
    if endpoint.rpartition(":")[0] not in _LOOPBACK:
        raise LibraryError(f"{RPC_VARIABLE}={endpoint}: only 127.0.0.1:PORT can be used")
    ggml = load_ggml(llama)
    find = _function(ggml, "ggml_backend_reg_by_name", ctypes.c_void_p, ctypes.c_char_p)
    look_up = _function(ggml, "ggml_backend_reg_get_proc_address", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)
    register = _function(ggml, "ggml_backend_register", None, ctypes.c_void_p)
    backend = find(b"RPC")
    address = look_up(backend, b"ggml_backend_rpc_add_server") if backend else None
    if not address:
        raise LibraryError(f"{RPC_VARIABLE}: this llama.cpp was built without GGML_RPC")
    add_server = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_char_p)(address)
    # One that does not answer is a device that is not there.
    if server := add_server(endpoint.encode()):
        register(server)


def _function(library: Any, name: str, result: Any, *arguments: Any) -> Any:
    function = getattr(library, name)
    function.restype, function.argtypes = result, list(arguments)
    return function
