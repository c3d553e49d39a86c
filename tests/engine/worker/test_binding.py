"""From which folders the library is opened: on Windows, and where the environment names others."""

import importlib.util
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from qwen_tui.engine.library import library_files
from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.worker import binding
from tests.compiled_library import make, needs_compiler
from tests.engine.test_local import request, text_of


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


def test_a_toolkit_that_was_removed_from_windows_is_not_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("bin", "lib"):
        (tmp_path / "hip" / folder).mkdir(parents=True)
    monkeypatch.setenv("HIP_PATH", str(tmp_path / "hip"))
    monkeypatch.setenv("CUDA_PATH", str(tmp_path / "cuda"))
    binding._forget_removed_toolkits()
    assert "CUDA_PATH" not in os.environ
    assert "HIP_PATH" in os.environ


@needs_compiler
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names of libraries")
def test_no_part_of_the_library_comes_from_the_current_folder_or_from_another_llama_cpp(
    engine: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, other = tmp_path / "opened", tmp_path / "other"
    other.mkdir()
    source = f"""
    #include <stdio.h>
    __attribute__((constructor)) static void opened(void) {{ fclose(fopen("{opened}", "w")); }}
    """
    for name in {file.name for file in library_files()}:
        make(other, name, source=source)
    for name in ("libggml.so.0", "libggml-base.so.0", "libggml-cpu.so.0", "libgomp.so.1"):
        make(tmp_path, name, source=source)
    monkeypatch.chdir(tmp_path)
    # The empty entry at the end is the current folder: so it stands where something is put before nothing.
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{other}:")
    assert text_of(engine.stream(request("hi")))
    assert not opened.exists()
