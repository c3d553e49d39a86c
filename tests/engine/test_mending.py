"""What a person is told to do about a llama.cpp that cannot be loaded."""

import importlib.metadata
import sys
from pathlib import Path

import pytest

from qwen_tui import programs
from qwen_tui.engine import mending


@pytest.fixture(autouse=True)
def _pip_is_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find", lambda _program: str(Path(sys.executable).with_name("pip")))


def test_the_reinstall_command_installs_the_same_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = importlib.metadata.version("llama-cpp-python").partition("+")[0]
    assert mending.build_command().endswith(f"llama-cpp-python=={version}")
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(tmp_path))
    for name in ("libggml-cpu.so", "libggml-cuda.so"):
        (tmp_path / name).touch()
    assert "build_engine.py" in mending.build_command()


def built(folder: Path, monkeypatch: pytest.MonkeyPatch, **files: bytes) -> None:
    """Let the installed llama.cpp be these files, of Windows."""
    for name, content in files.items():
        (folder / f"{name.replace('_', '-')}.dll").write_bytes(content)
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(folder))


def unopened(name: str) -> str:
    """What ctypes says on Windows, which does not name the library that is missing."""
    return f"Could not find module 'C:\\x\\{name}' (or one of its dependencies). Try using the full path."


def test_windows_does_not_name_the_library_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built(tmp_path, monkeypatch, ggml_cpu=b"code", llama=b"code")
    assert "Visual C++" in mending.how_to_mend(unopened("llama.dll"))
    assert "Install it again" in mending.how_to_mend("[WinError 193] llama.dll is not a valid Win32 application")
    built(tmp_path, monkeypatch, ggml_cuda=b"code")
    assert "for the CPU: pip install" in mending.how_to_mend(unopened("llama.dll"))


def test_in_a_portable_build_only_the_module_for_cards_needs_cuda(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(tmp_path, monkeypatch, ggml_cpu_x64=b"code", ggml_cuda=b"\0cudart64_12.dll\0")
    assert "Visual C++" in mending.how_to_mend(unopened("llama.dll"))
    assert mending.cuda_command(unopened("llama.dll")) == ""
    assert mending.cuda_command(unopened("ggml-cuda.dll"))


@pytest.mark.parametrize(
    ("imports", "packages"),
    [
        (b"\0nvcuda.dll\0cudart64_12.dll\0cublas64_12.dll\0", "nvidia-cuda-runtime-cu12 nvidia-cublas-cu12"),
        (b"\0cublas64_13.dll\0", '"nvidia-cuda-runtime==13.*" "nvidia-cublas==13.*"'),
        (b"\0cudart64_110.dll\0", "nvidia-cuda-runtime-cu11 nvidia-cublas-cu11"),
        (b"no such name", None),
        (b"", None),
    ],
    ids=["CUDA 12", "CUDA 13", "CUDA 11", "unknown", "empty"],
)
def test_on_windows_the_module_for_cards_tells_which_cuda_it_needs(
    imports: bytes, packages: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(tmp_path, monkeypatch, ggml_cpu_haswell=b"code", ggml_cuda=b"\0" * 5000 * bool(imports) + imports)
    monkeypatch.setattr(mending, "_is_installed", lambda _package: False)
    assert mending.cuda_command(unopened("ggml-cuda.dll")) == (f"pip install {packages}" if packages else "")


NO_RUNTIME = "libcudart.so.12: cannot open shared object file: No such file or directory"


def test_a_damaged_package_of_nvidia_is_installed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mending, "_is_installed", lambda package: package == "nvidia-cuda-runtime-cu12")
    assert "pip install --force-reinstall nvidia-cuda" in mending.cuda_command(NO_RUNTIME)


@pytest.mark.parametrize("driver", [True, False])
def test_cuda_libraries_are_advised_only_where_there_is_a_driver(driver: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mending, "_has_driver", lambda: driver)
    assert ("pip install nvidia" in mending.how_to_mend(NO_RUNTIME)) == driver


def test_a_library_of_the_system_is_named_with_its_package() -> None:
    said = mending.how_to_mend("libgomp.so.1: cannot open shared object file: No such file or directory")
    assert "libgomp1" in said
    assert "Install it again" not in said
    own = mending.how_to_mend("libggml-base.so.0: cannot open shared object file: No such file or directory")
    assert "Install it again" in own


def test_pip_is_named_with_its_python_where_the_path_does_not_lead_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/home/ann/my qwen/bin/python")
    for found in ("/usr/bin/pip", None):
        monkeypatch.setattr(programs, "find", lambda _program, found=found: found)
        assert mending.cuda_command(NO_RUNTIME).startswith("'/home/ann/my qwen/bin/python' -m pip install nvidia")
    monkeypatch.setattr(programs, "find", lambda _program: "/home/ann/my qwen/bin/pip")
    assert mending.cuda_command(NO_RUNTIME).startswith("pip install nvidia")


def test_a_portable_build_is_installed_again_from_its_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built(tmp_path, monkeypatch, ggml_cpu_haswell=b"code", ggml_cuda=b"code")
    reason = "haswell: /x/libggml-cpu-haswell.so: file too short"
    monkeypatch.setattr(mending, "portable_wheel", lambda: None)
    # Here is no compiler, perhaps: whoever has it from a stick takes it from there.
    version = importlib.metadata.version("llama-cpp-python").partition("+")[0]
    assert mending.how_to_mend(reason).endswith(
        f"pip install --no-index --no-deps --force-reinstall --find-links FOLDER llama-cpp-python=={version}"
    )
    wheel = Path("/home/ann/built here/llama_cpp_python-0-py3-none-any.whl")
    monkeypatch.setattr(mending, "portable_wheel", lambda: wheel)
    assert mending.how_to_mend(reason).endswith(f"--force-reinstall '{wheel}'")
