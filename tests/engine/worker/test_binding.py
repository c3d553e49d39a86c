"""From which folders the library is opened: on Windows, and where the environment names none."""

import importlib.util
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from qwen_tui.engine.worker import binding


def test_windows_opens_the_libraries_of_the_package_and_never_those_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = tmp_path / "package"
    ours.mkdir()
    for folder in (tmp_path, ours):
        for name in ("ggml-base.dll", "ggml.dll", "ggml-cpu-haswell.dll", "llama.dll"):
            (folder / name).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", "package")
    done: list[str] = []

    def imported(name: str) -> SimpleNamespace:
        done.append(name)
        return SimpleNamespace()

    # pathlib would follow a change of os.name itself.
    monkeypatch.setattr(binding, "os", SimpleNamespace(name="nt", environ=os.environ, fspath=os.fspath))
    kernel = SimpleNamespace(SetDllDirectoryW=lambda folder: done.append(f"the current folder is {folder!r}"))
    windows = SimpleNamespace(windll=SimpleNamespace(kernel32=kernel), CDLL=done.append)
    monkeypatch.setattr(binding, "ctypes", windows)
    monkeypatch.setattr(binding, "importlib", SimpleNamespace(import_module=imported, util=importlib.util))
    binding.open_library()
    assert done == [
        "the current folder is ''",
        *(str(ours / name) for name in ("ggml-base.dll", "ggml.dll", "llama.dll")),
        "llama_cpp.llama_cpp",
    ]
