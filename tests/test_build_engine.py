"""`scripts/build_engine.py`: what is built for which PC, and the way back."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "build_engine.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_engine", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GTX_1650 = {"card": "NVIDIA GeForce GTX 1650", "capability": (7, 5), "cuda": (12, 8)}
RTX_3060 = {"card": "NVIDIA GeForce RTX 3060", "capability": (8, 6), "cuda": (13, 0)}
PASCAL = "-DCMAKE_CUDA_ARCHITECTURES=61-virtual;80-virtual"


@pytest.mark.parametrize(
    ("facts", "kind", "switches"),
    [
        ({}, "native", ["-DGGML_NATIVE=ON"]),
        ({"nvcc": (12, 8)}, "native", ["-DGGML_NATIVE=ON"]),
        ({**GTX_1650, "nvcc": (12, 8)}, "cuda", ["-DGGML_CUDA=ON", "-DGGML_CUDA_FORCE_MMQ=ON", PASCAL]),
        (
            {**GTX_1650, "nvcc": (13, 0), "cuda": (13, 0)},
            "cuda",
            ["-DGGML_CUDA_FORCE_MMQ=ON", "-DCMAKE_CUDA_ARCHITECTURES=75"],
        ),
        ({**RTX_3060, "nvcc": (12, 8)}, "cuda", ["-DGGML_CUDA=ON", "-DCMAKE_CUDA_ARCHITECTURES=86"]),
        ({**GTX_1650, "shaders": True}, "vulkan", ["-DGGML_VULKAN=ON"]),
        ({**GTX_1650, "nvcc": (13, 0), "shaders": True}, "vulkan", ["-DGGML_VULKAN=ON"]),
        (GTX_1650, "native", ["-DGGML_NATIVE=ON"]),
        ({"other_card": True, "shaders": True}, "vulkan", ["-DGGML_VULKAN=ON"]),
        ({"other_card": True}, "native", ["-DGGML_NATIVE=ON"]),
        ({**GTX_1650, "capability": (6, 1), "nvcc": (13, 0), "cuda": (13, 0)}, "native", ["-DGGML_NATIVE=ON"]),
        ({**RTX_3060, "capability": (12, 0), "nvcc": (12, 4)}, "native", ["-DGGML_NATIVE=ON"]),
        ({**RTX_3060, "capability": (12, 0), "nvcc": (12, 8)}, "cuda", ["-DCMAKE_CUDA_ARCHITECTURES=120"]),
    ],
)
def test_the_build_is_the_best_that_can_be_made(
    script: ModuleType, facts: dict[str, object], kind: str, switches: list[str]
) -> None:
    choice = script.choose(script.Facts(**facts))
    assert not choice.problem
    assert choice.kind == kind
    assert set(switches) <= set(choice.switches)


def test_why_a_card_is_left_out_is_said(script: ModuleType) -> None:
    said = " ".join(script.choose(script.Facts(**GTX_1650, nvcc=(13, 0))).remarks)
    assert "the driver is for CUDA 12.8, the toolkit is 13.0" in said
    assert "there is no glslc" in said
    said = " ".join(
        script.choose(script.Facts(**{**GTX_1650, "capability": (6, 1), "nvcc": (13, 0), "cuda": (13, 0)})).remarks
    )
    assert "install CUDA 12" in said


@pytest.mark.parametrize(
    ("facts", "wanted", "problem"),
    [
        ({}, "cuda", "no nvcc"),
        ({}, "vulkan", "no glslc"),
        ({"avx2": False}, "avx2", "no AVX2"),
        ({**GTX_1650, "nvcc": (12, 8), "cublas": False}, "cuda", "without cuBLAS"),
        ({"compiler": False}, "auto", "no C++ compiler"),
        ({**GTX_1650, "nvcc": (13, 0)}, "cuda", "renew the driver"),
    ],
)
def test_what_cannot_be_built_is_said(script: ModuleType, facts: dict[str, object], wanted: str, problem: str) -> None:
    assert problem in script.choose(script.Facts(**facts), wanted).problem


def test_a_portable_build_names_its_instructions(script: ModuleType) -> None:
    assert "-DGGML_NATIVE=OFF" in script.choose(script.Facts(), "avx2").switches
    assert "-DGGML_AVX2=ON" in script.choose(script.Facts(), "avx2").switches


def test_what_would_be_done_is_shown_and_nothing_is_done() -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, "--dry-run", "--kind", "avx2", "--jobs", "2"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "CMAKE_ARGS='-DGGML_NATIVE=OFF -DGGML_AVX2=ON" in done.stdout
    assert "--no-binary llama-cpp-python llama-cpp-python==" in done.stdout
    assert "CMAKE_BUILD_PARALLEL_LEVEL=2" in done.stdout


def test_nothing_is_built_without_a_yes() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--kind", "native"], input="no\n", capture_output=True, text=True)
    assert done.returncode == 1
    assert "Go on?" in done.stdout


def test_what_is_installed_can_be_packed_and_installed_again(script: ModuleType, tmp_path: Path) -> None:
    wheel = script.keep_installed(tmp_path / "kept")
    assert wheel is not None
    target = tmp_path / "again"
    pip = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--target", str(target), str(wheel)]
    subprocess.run(pip, check=True, capture_output=True, timeout=100)
    library = "import llama_cpp.llama_cpp as llama; print(llama.__file__, llama.llama_max_devices())"
    done = subprocess.run(
        [sys.executable, "-c", library], env={"PYTHONPATH": str(target)}, capture_output=True, text=True, timeout=60
    )
    assert str(target) in done.stdout, done.stderr


def test_the_version_is_the_pinned_one(script: ModuleType) -> None:
    assert script.pinned("msgspec==1\nllama_cpp_python==0.3.36\nmypy==2\n") == "0.3.36"
