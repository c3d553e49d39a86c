"""Calls functions of ggml that llama-cpp-python does not declare."""

import importlib
from typing import Any


def ggml(llama: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Call a function of ggml, of one of the libraries that `llama` has open, with this type of result."""
    # The function comes from the library that llama.cpp itself uses. Another copy of the file would have a registry of
    # its own, and llama.cpp would find no backends.
    function = getattr(llama._lib, name, None)
    if function is None:
        # On Windows, a library does not export the functions of the libraries that it depends on.
        load = importlib.import_module("llama_cpp._ctypes_extensions").load_shared_library
        libraries = (load(each, llama._base_path) for each in ("ggml", "ggml-base"))
        function = next(getattr(library, name) for library in libraries if hasattr(library, name))
    function.restype = result
    return function(*arguments)


def text(value: bytes | None) -> str:
    """Return a C string of ggml as text."""
    return (value or b"").decode("utf-8", "replace")
