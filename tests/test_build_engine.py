"""`scripts/build_engine.py`: what it builds for which PC, and how it is undone."""

import base64
import errno
import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

SCRIPT = Path(__file__).parent.parent / "scripts" / "build_engine.py"
WHEEL = "llama_cpp_python-0.3.36-py3-none-any.whl"
# What is in a wheel with modules, as llama.cpp's installation rules make it.
FILES = [
    "bin/libggml-cpu-haswell.so",
    "bin/libggml-cpu-x64.so",
    "bin/libggml-cuda.so",
    "bin/llama-cli",
    "include/llama.h",
    "lib/libllama.so.0",
    "lib/libggml-cuda.so",
    "llama_cpp/__init__.py",
    "llama_cpp/lib/libllama.so",
    "llama_cpp/lib/libllama.so.0",
    "llama_cpp/lib/libllama.so.0.0.1",
    "llama_cpp/lib/libggml.so",
    "llama_cpp/lib/libggml.so.0",
    "llama_cpp/lib/libggml.so.0.9.4",
    "llama_cpp/lib/libggml-base.so",
    "llama_cpp/lib/libggml-base.so.0",
    "llama_cpp_python-0.3.36.dist-info/METADATA",
    "llama_cpp_python-0.3.36.dist-info/RECORD",
]
# A script in the place of pip: it records its arguments, and makes an empty wheel or fails.
PIP = f"""
import os, sys
from pathlib import Path
with open(os.environ["PIP_NOTES"], "a") as notes:
    print(*sys.argv[1:], os.environ.get("CMAKE_ARGS", ""), os.environ.get("SOURCE_DATE_EPOCH", ""), file=notes)
if sys.argv[1] == os.environ.get("PIP_FAILS"):
    sys.exit("it does not compile")
if sys.argv[1] == "download":
    import tarfile
    folder = Path(sys.argv[sys.argv.index("--dest") + 1])
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / "llama_cpp_python-0.3.36.tar.gz", "w:gz") as packed:
        packed.addfile(tarfile.TarInfo("llama_cpp_python-0.3.36/CMakeLists.txt"))
if sys.argv[1] == "wheel":
    import zipfile
    made = Path(sys.argv[sys.argv.index("--wheel-dir") + 1], "{WHEEL}")
    with zipfile.ZipFile(made, "w") as wheel:
        for name in {FILES!r}:
            wheel.writestr(name, name)
"""


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("build_engine", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A script that is started can import the modules beside it.
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SCRIPT.parent)
        spec.loader.exec_module(module)
        yield module


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
        (
            {**GTX_1650, "card": "Quadro T2000", "nvcc": (12, 8)},
            "cuda",
            ["-DGGML_CUDA_FORCE_MMQ=ON", PASCAL],
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


def test_the_reason_for_not_using_a_card_is_said(script: ModuleType) -> None:
    said = " ".join(script.choose(script.Facts(**GTX_1650, nvcc=(13, 0))).remarks)
    assert "The driver is for CUDA 12.8, the toolkit is 13.0" in said
    assert "There is no glslc" in said
    said = " ".join(
        script.choose(script.Facts(**{**GTX_1650, "capability": (6, 1), "nvcc": (13, 0), "cuda": (13, 0)})).remarks
    )
    assert "install CUDA 12" in said


def test_a_driver_that_does_not_work_is_named(script: ModuleType) -> None:
    choice = script.choose(script.Facts(driver_trouble="Driver/library version mismatch"))
    assert choice.kind == "native"
    assert "Driver/library version mismatch" in " ".join(choice.remarks)


@pytest.mark.parametrize(
    ("facts", "wanted", "problem"),
    [
        ({}, "cuda", "no nvcc"),
        ({}, "vulkan", "no glslc"),
        ({"avx2": False}, "avx2", "no AVX2"),
        ({**GTX_1650, "nvcc": (12, 8), "cublas": False}, "cuda", "without cuBLAS"),
        ({**GTX_1650, "nvcc": (12, 8), "driver_stub": False}, "portable-cuda", "without stubs/libcuda.so"),
        ({"compiler": False}, "auto", "no C++ compiler"),
        ({"pip": False}, "auto", "python -m ensurepip"),
        ({**GTX_1650, "nvcc": (13, 0)}, "cuda", "renew the driver"),
    ],
)
def test_an_impossible_build_is_explained(
    script: ModuleType, facts: dict[str, object], wanted: str, problem: str
) -> None:
    assert problem in script.choose(script.Facts(**facts), wanted).problem


def test_a_portable_build_names_its_instructions(script: ModuleType) -> None:
    assert "-DGGML_NATIVE=OFF" in script.choose(script.Facts(), "avx2").switches
    assert "-DGGML_AVX2=ON" in script.choose(script.Facts(), "avx2").switches


def test_dry_run_shows_the_commands_and_runs_none() -> None:
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


def test_without_a_terminal_the_script_says_how_to_agree() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--kind", "native"], input="", capture_output=True, text=True)
    assert done.returncode == 1
    assert "add --yes" in done.stdout
    assert not done.stderr


@pytest.fixture
def tool(tmp_path: Path) -> Callable[[str, str], Path]:
    """Return a function that writes a program which prints a text, in a new folder."""

    def make(name: str, prints: str) -> Path:
        path = tmp_path / "toolkit" / "bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\necho '{prints}'\n")
        path.chmod(0o755)
        return path

    return make


def dry_run(*arguments: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, SCRIPT, "--dry-run", *arguments],
        env={**os.environ, "CUDACXX": "", **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout + done.stderr


@pytest.mark.skipif(os.name == "nt", reason="the tools are shell scripts")
def test_a_toolkit_beside_the_path_is_found_and_shown_to_cmake(tool: Callable[[str, str], Path]) -> None:
    nvcc = tool("nvcc", "Cuda compilation tools, release 12.8, V12.8.93")
    for needed in ("include/cublas_v2.h", "lib64/stubs/libcuda.so"):
        (nvcc.parents[1] / needed).parent.mkdir(parents=True)
        (nvcc.parents[1] / needed).touch()
    compilers = tool("c++", "").rename(nvcc.parents[1] / "c++").parent

    said = dry_run("--kind", "cuda", CUDA_PATH=str(nvcc.parents[1]), PATH=str(compilers))
    assert "CUDA toolkit: 12.8" in said
    assert f"CUDACXX={nvcc}" in said
    said = dry_run("--kind", "portable-cuda", CUDA_PATH=str(nvcc.parents[1]), PATH=str(compilers))
    assert f"CUDACXX={nvcc}" in said
    assert "CUDAFLAGS=" in said

    said = dry_run(
        "--kind", "cuda", CUDA_PATH=str(nvcc.parents[1]), PATH=os.pathsep.join((str(nvcc.parent), str(compilers)))
    )
    assert "CUDA toolkit: 12.8" in said
    assert "CUDACXX" not in said


@pytest.mark.skipif(os.name == "nt", reason="the tools are shell scripts")
def test_the_libraries_are_those_of_the_compiler_that_is_named(tool: Callable[[str, str], Path]) -> None:
    nvcc = tool("nvcc", "")
    toolkit = nvcc.parents[1]
    nvcc.write_text(f"#!/bin/sh\necho 'release 12.8'\necho '#$ TOP={toolkit}/bin/..'\n")
    for needed in ("include/cublas_v2.h", "lib64/stubs/libcuda.so"):
        (toolkit / needed).parent.mkdir(parents=True)
        (toolkit / needed).touch()
    assert f"CUDAToolkit_ROOT={toolkit}\n" in dry_run("--kind", "portable-cuda", CUDACXX=str(nvcc))


@pytest.mark.skipif(os.name == "nt", reason="the tools are shell scripts")
def test_the_stub_of_the_driver_is_found_where_debian_has_it(
    tool: Callable[[str, str], Path],
) -> None:
    toolkit = tool("nvcc", "Cuda compilation tools, release 12.8, V12.8.93").parents[1]
    for needed in ("include/cublas_v2.h", "lib/x86_64-linux-gnu/stubs/libcuda.so"):
        (toolkit / needed).parent.mkdir(parents=True)
        (toolkit / needed).touch()
    compilers = tool("c++", "").rename(toolkit / "c++").parent
    assert "Build: cuda" in dry_run("--kind", "cuda", CUDA_PATH=str(toolkit), PATH=str(compilers))


@pytest.mark.skipif(os.name == "nt", reason="there, CMake finds the compiler")
def test_a_pc_without_a_compiler_is_told_what_to_install(tmp_path: Path) -> None:
    assert "build-essential" in dry_run(PATH=str(tmp_path), CXX="")


class Workshop:
    """The script with a pip that compiles nothing, with new folders, and with an installed engine."""

    def __init__(self, script: ModuleType, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.script, self.patch = script, patch
        self.kept, self.built, self._notes = folder / "kept", folder / "built", folder / "notes"
        self.built.mkdir()
        patch.setattr(script, "KEPT", self.kept)
        patch.setattr(script, "BUILT", self.built)
        patch.delenv("CFLAGS", raising=False)
        (folder / "path" / "pip").mkdir(parents=True)
        (folder / "path" / "pip" / "__init__.py").touch()
        (folder / "path" / "pip" / "__main__.py").write_text(PIP)
        patch.setenv("PYTHONPATH", str(folder / "path"), prepend=os.pathsep)
        patch.setenv("PIP_NOTES", str(self._notes))
        # If the real pip ran by mistake, it would fetch nothing, and install nothing here.
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_TARGET", str(folder / "target"))
        self._about = folder / "site" / "llama_cpp_python-0.1.dist-info"
        self._about.mkdir(parents=True)
        (self._about / "METADATA").write_text("Metadata-Version: 2.1\nName: llama-cpp-python\nVersion: 0.1\n")
        (self._about / "RECORD").write_text("engine.txt,,\n")
        patch.syspath_prepend(folder / "site")

    def install(self, version: str) -> None:
        """Replace the content of the installed engine."""
        (self._about.parent / "engine.txt").write_text(version)

    def run(self, *arguments: str, fails: str = "") -> int:
        self.patch.setattr(sys, "argv", ["build_engine.py", *arguments])
        self.patch.setenv("PIP_FAILS", fails)
        result = self.script.main()
        assert isinstance(result, int)
        return result

    def asked_of_pip(self) -> list[str]:
        """Return the arguments of pip since the last call."""
        notes = self._notes.read_text().splitlines()
        self._notes.unlink()
        return notes

    def kept_engine(self) -> str:
        """Return the engine that --undo would install."""
        (wheel,) = self.kept.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            return archive.read("engine.txt").decode()


@pytest.fixture
def workshop(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    return Workshop(script, tmp_path, monkeypatch)


def test_a_wheel_is_built_and_only_then_installed(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "315532800")
    workshop.install("the one before")
    assert workshop.run("--yes", "--kind", "native") == 0
    building, installing = workshop.asked_of_pip()
    assert building.startswith("wheel ")
    # There must be no SOURCE_DATE_EPOCH after it.
    assert building.endswith(" -DGGML_NATIVE=ON ")
    assert f"install --no-index --no-deps --force-reinstall {workshop.built / WHEEL}" in installing
    assert workshop.kept_engine() == "the one before"
    assert "graphics cards it can use: none" in capfd.readouterr().out


def test_a_build_that_fails_touches_nothing(workshop: Workshop, capfd: pytest.CaptureFixture[str]) -> None:
    workshop.install("the one before")
    assert workshop.run("--yes", "--kind", "native", fails="wheel") == 1
    assert len(workshop.asked_of_pip()) == 1
    assert not workshop.kept.exists()
    assert "What was installed is as it was." in capfd.readouterr().out


def test_a_build_that_fails_keeps_the_wheel_of_the_one_before(workshop: Workshop) -> None:
    workshop.install("the one before")
    assert workshop.run("--yes", "--kind", "native") == 0
    assert workshop.run("--yes", "--kind", "native", fails="wheel") == 1
    assert (workshop.built / WHEEL).exists()


def full_disk(*_arguments: object, **_options: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_the_wheel_of_the_build_before(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert workshop.run("--yes", "--kind", "portable", "--no-install") == 0
    before = (workshop.built / WHEEL).read_bytes()
    monkeypatch.setattr(zipfile.ZipFile, "writestr", full_disk)
    assert workshop.run("--yes", "--kind", "portable", "--no-install") == 1
    said = capfd.readouterr()
    assert f"{os.strerror(errno.ENOSPC)}. What was installed is as it was." in said.out
    assert [(path.name, path.read_bytes()) for path in workshop.built.iterdir()] == [(WHEEL, before)]


def test_a_full_disk_before_the_installation_says_where_the_new_wheel_is(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    workshop.install("the one before")
    monkeypatch.setattr(zipfile.ZipFile, "writestr", full_disk)
    assert workshop.run("--yes", "--kind", "native") == 1
    assert [line.split()[0] for line in workshop.asked_of_pip()] == ["wheel"]
    assert f"What was installed is as it was. What was built: {workshop.built / WHEEL}" in capfd.readouterr().out
    assert not list(workshop.kept.iterdir())


@pytest.mark.parametrize("kind", ["native", "portable"])
def test_an_environment_that_cannot_be_written_is_named_before_anything_is_fetched(
    workshop: Workshop, kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    workshop.patch.setattr(workshop.script, "BUILT", tmp_path / "file" / "engine-built")
    assert workshop.run("--yes", "--kind", kind) == 1
    last = capfd.readouterr().out.splitlines()[-1]
    assert last.startswith(str(tmp_path / "file"))
    assert last.endswith("What was installed is as it was.")
    with pytest.raises(FileNotFoundError):
        workshop.asked_of_pip()


@pytest.mark.parametrize("fails", ["", "wheel"])
@pytest.mark.parametrize("kind", ["native", "portable"])
def test_of_a_build_only_the_wheel_stays(workshop: Workshop, kind: str, fails: str) -> None:
    before = set(workshop.built.parent.iterdir())
    workshop.run("--yes", "--kind", kind, "--no-install", fails=fails)
    assert {path.name for path in set(workshop.built.parent.iterdir()) - before} == {"notes"}
    assert [path.name for path in workshop.built.iterdir()] == ([] if fails else [WHEEL])


def test_undo_goes_back_to_before_the_first_build_until_it_is_done(workshop: Workshop) -> None:
    for installed in ("the one before", "the first build", "the second build"):
        workshop.install(installed)
        assert workshop.run("--yes", "--kind", "native") == 0
    assert workshop.kept_engine() == "the one before"
    workshop.asked_of_pip()

    assert workshop.run("--undo", fails="install") == 1
    assert workshop.kept_engine() == "the one before"
    assert workshop.run("--undo") == 0
    assert f"--force-reinstall {workshop.kept}" in workshop.asked_of_pip()[-1]
    assert workshop.run("--undo") == 1

    workshop.install("another")
    assert workshop.run("--yes", "--kind", "native") == 0
    assert workshop.kept_engine() == "another"


def names_in(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_a_portable_wheel_has_each_library_once_and_the_modules_beside_them(workshop: Workshop) -> None:
    workshop.install("the one before")
    assert workshop.run("--yes", "--kind", "portable", "--no-install") == 0
    downloading, building = workshop.asked_of_pip()
    assert downloading.startswith("download ")
    assert "-DGGML_BACKEND_DL=ON" in building
    assert building.split(" -D")[0].endswith("llama_cpp_python-0.3.36"), "it builds from what was unpacked"
    assert names_in(workshop.built / WHEEL) == [
        "llama_cpp/__init__.py",
        "llama_cpp/lib/libggml-base.so.0",
        "llama_cpp/lib/libggml-cpu-haswell.so",
        "llama_cpp/lib/libggml-cpu-x64.so",
        "llama_cpp/lib/libggml-cuda.so",
        "llama_cpp/lib/libggml.so.0",
        "llama_cpp/lib/libllama.so",
        "llama_cpp_python-0.3.36.dist-info/METADATA",
        "llama_cpp_python-0.3.36.dist-info/RECORD",
    ]
    assert not workshop.kept.exists(), "nothing was installed"


@pytest.mark.parametrize("kind", ["portable", "portable-cuda"])
def test_a_portable_build_has_no_module_for_blas(script: ModuleType, kind: str) -> None:
    """On macOS, llama.cpp would make one unless it is told not to."""
    assert "-DGGML_BLAS=OFF" in script.choose(script.Facts(nvcc=(12, 8)), kind).switches


@pytest.mark.skipif(os.name == "nt", reason="MSVC does not know the option")
def test_a_portable_build_is_tuned_where_the_compiler_would_guess_badly(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for machine, tuned in (("x86_64", True), ("arm64", False)):
        monkeypatch.setattr("platform.machine", lambda machine=machine: machine)
        assert workshop.run("--dry-run", "--kind", "portable") == 0
        assert ("-mtune=haswell" in capfd.readouterr().out) == tuned


def test_the_same_source_gives_the_same_portable_wheel(workshop: Workshop) -> None:
    made = []
    for _time in range(2):
        assert workshop.run("--yes", "--kind", "portable", "--no-install") == 0
        made.append((workshop.built / WHEEL).read_bytes())
    assert made[0] == made[1]


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("cmake"), reason="needs CMake, on Linux")
def test_a_portable_library_does_not_depend_on_the_folder_of_the_build(script: ModuleType, tmp_path: Path) -> None:
    made = []
    for name in ("one", "another-longer-one"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.14)\nproject(two C)\n"
            "add_library(first SHARED a.c)\nadd_library(second MODULE a.c)\ntarget_link_libraries(second first)\n"
            "install(TARGETS second DESTINATION .)\n"
        )
        (folder / "a.c").write_text("int answer(void) { return 42; }\n")
        switches = [
            *script.choose(script.Facts(), "portable").switches,
            f"-DCMAKE_INSTALL_PREFIX={folder / 'installed'}",
        ]
        for step in (["-S", folder, "-B", folder / "build", *switches], ["--build", folder / "build", "-t", "install"]):
            subprocess.run(["cmake", *map(str, step)], check=True, capture_output=True, timeout=100)
        made.append((folder / "installed" / "libsecond.so").read_bytes())
    assert made[0] == made[1]


def test_a_release_is_built_with_the_same_switches(script: ModuleType) -> None:
    assert set(script.choose(script.Facts(), "portable").switches) <= set(workflow()["env"]["PORTABLE"].split())


def test_a_python_that_knows_no_filters_unpacks_the_source_too(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Python 3.11.2, which Debian 12 has."""
    monkeypatch.delattr(tarfile, "data_filter")
    extract = tarfile.TarFile.extractall
    monkeypatch.setattr(tarfile.TarFile, "extractall", lambda packed, path=".": extract(packed, path))
    assert workshop.run("--yes", "--kind", "portable", "--no-install") == 0
    assert (workshop.built / WHEEL).exists()


def test_the_record_of_a_portable_wheel_lists_all_its_files(workshop: Workshop) -> None:
    workshop.run("--yes", "--kind", "portable", "--no-install")
    with zipfile.ZipFile(workshop.built / WHEEL) as archive:
        record = archive.read("llama_cpp_python-0.3.36.dist-info/RECORD").decode()
        listed = {line.split(",")[0]: line for line in record.splitlines()}
        assert sorted(listed) == sorted(archive.namelist())
        digest = hashlib.sha256(archive.read("llama_cpp/lib/libllama.so")).digest()
    assert base64.urlsafe_b64encode(digest).decode().rstrip("=") in listed["llama_cpp/lib/libllama.so"]


def made_by_script(built: Path, folder: Path, *options: str) -> Path:
    """Make the wheel of a release from the `built` one, as the container does in which nothing is installed."""
    script = SCRIPT.with_name("engine_wheel.py")
    command = (sys.executable, "-I", "-S", script, built, folder, *options)
    done = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True, timeout=60)
    return Path(done.stdout.strip())


def test_the_wheel_of_a_release_names_its_platform(tmp_path: Path) -> None:
    built = tmp_path / "llama_cpp_python-0.3.36-py3-none-linux_x86_64.whl"
    with zipfile.ZipFile(built, "w") as archive:
        for name in FILES[:-2]:
            archive.writestr(name, name)
        archive.writestr("llama_cpp_python-0.3.36.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-linux_x86_64\n")
        archive.writestr("llama_cpp_python-0.3.36.dist-info/RECORD", "")
    slim = made_by_script(built, tmp_path / "slim")
    wheel = made_by_script(slim, tmp_path / "new", "--platform", "manylinux_2_28_x86_64")
    assert wheel.name == "llama_cpp_python-0.3.36-py3-none-manylinux_2_28_x86_64.whl"
    assert names_in(wheel) == names_in(slim), "nothing is lost where it is made from a slim one"
    with zipfile.ZipFile(wheel) as archive:
        assert b"Tag: py3-none-manylinux_2_28_x86_64\n" in archive.read("llama_cpp_python-0.3.36.dist-info/WHEEL")


def test_on_windows_nothing_goes_into_the_wheel_that_only_compilers_need(tmp_path: Path) -> None:
    built = tmp_path / "llama_cpp_python-0.3.36-py3-none-win_amd64.whl"
    record = "llama_cpp_python-0.3.36.dist-info/RECORD"
    with zipfile.ZipFile(built, "w") as archive:
        for name in ("bin/ggml-cpu-haswell.dll", "llama_cpp/lib/llama.dll", "llama_cpp/lib/llama.lib", record):
            archive.writestr(name, name)
    assert names_in(made_by_script(built, tmp_path / "new")) == [
        "llama_cpp/lib/ggml-cpu-haswell.dll",
        "llama_cpp/lib/llama.dll",
        record,
    ]


def workflow() -> Any:
    return yaml.safe_load((SCRIPT.parents[1] / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8"))


def test_a_release_for_cards_installs_what_the_script_imports(tmp_path: Path) -> None:
    (step,) = (step for step in workflow()["jobs"]["engine-cuda"]["steps"] if SCRIPT.name in step.get("run", ""))
    (names,) = re.findall(r"pip install .*--no-deps (.+)", step["run"])
    for name in names.split():
        for file in importlib.metadata.files(name) or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(Path(str(file.locate())), tmp_path / file)
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__init__.py").touch()
    path = [*step.get("env", {}).get("PYTHONPATH", "").split(":"), str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-S", SCRIPT.relative_to(SCRIPT.parents[1]), "--kind", "native", "--dry-run"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))},
        cwd=SCRIPT.parents[1],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Build: native" in done.stdout, done.stderr + done.stdout


def test_a_release_keeps_only_what_was_tested() -> None:
    jobs = workflow()["jobs"]
    uploads = {
        (name, step["with"]["name"]): step["with"]
        for name, job in jobs.items()
        for step in job["steps"]
        if "upload-artifact" in step.get("uses", "")
    }
    (kept,) = (key for key, upload in uploads.items() if "retention-days" not in upload)
    assert kept == ("keep", "release")
    assert jobs["keep"]["needs"] == "test"
    assert set(jobs["test"]["needs"]) == {name for name, _artifact in uploads} - {"keep"}


def test_a_release_has_code_for_cards_that_come_later() -> None:
    names = workflow()["env"]["CUDA_ARCHITECTURES"].split(";")
    # llama.cpp makes 12x into 12xa, which runs on no other card, whoever compiles it.
    assert [name for name in names if not name.endswith("-real") and not name.startswith("12")]


def test_a_source_that_cannot_be_fetched_touches_nothing(workshop: Workshop, capfd: pytest.CaptureFixture[str]) -> None:
    assert workshop.run("--yes", "--kind", "portable", fails="download") == 1
    assert "could not be fetched" in capfd.readouterr().out


def test_a_portable_build_for_cards_names_their_architectures(script: ModuleType) -> None:
    facts = script.Facts(**GTX_1650, nvcc=(12, 8))
    choice = script.choose(facts, "portable-cuda", "61-virtual;75;86")
    assert "-DGGML_BACKEND_DL=ON" in choice.switches
    assert "-DGGML_NATIVE=ON" not in choice.switches
    assert [switch for switch in choice.switches if "ARCHITECTURES" in switch] == [
        "-DCMAKE_CUDA_ARCHITECTURES=61-virtual;75;86"
    ]
    assert script.choose(script.Facts(), "portable-vulkan").problem


@pytest.mark.parametrize("here", [{}, GTX_1650, {**GTX_1650, "capability": (6, 1)}], ids=["no card", "16xx", "10xx"])
@pytest.mark.parametrize("kind", ["auto", "cuda", "portable-cuda"])
def test_a_build_for_named_cards_does_not_depend_on_the_one_here(
    script: ModuleType, here: dict[str, object], kind: str
) -> None:
    """The driver of the card that is here supports CUDA 12 alone."""
    choice = script.choose(script.Facts(**here, nvcc=(13, 0)), kind, "75-real;86")
    assert not choice.problem
    assert "-DGGML_CUDA=ON" in choice.switches
    assert "-DCMAKE_CUDA_ARCHITECTURES=75-real;86" in choice.switches
    assert "-DGGML_CUDA_FORCE_MMQ=ON" not in choice.switches, "RTX 20xx and newer would lose their tensor cores"
    assert not [remark for remark in choice.remarks if "16xx" in remark or "first start" in remark]


def test_a_toolkit_that_does_not_know_a_named_card_is_refused_before_it_compiles(script: ModuleType) -> None:
    assert "install CUDA 12" in script.choose(script.Facts(nvcc=(13, 0)), "cuda", "61-real;86").problem
    assert "install a newer toolkit" in script.choose(script.Facts(nvcc=(12, 4)), "portable-cuda", "120a-real").problem


@pytest.mark.parametrize("given", ["61-virtual;75;120a-real", "61-virtual, 75 120a-real", " 61-virtual;75;120a-real; "])
def test_architectures_become_one_switch_whatever_separates_them(script: ModuleType, given: str) -> None:
    assert script.architectures(given) == "61-virtual;75;120a-real"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--architectures", "turing"),
        ("--architectures", "75 -DGGML_CUDA=OFF"),
        ("--architectures", ""),
        ("--architectures", "75", "--kind", "native"),
    ],
)
def test_architectures_that_make_no_sense_are_refused(
    workshop: Workshop, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        workshop.run("--dry-run", *arguments)
    assert refused.value.code == 2
    assert "--architectures" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="MSVC needs no such option")
def test_the_folder_of_a_build_for_cards_may_have_any_usual_name(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path("/home/o'neil/my files (新)")
    monkeypatch.setattr(script, "BUILT", folder / "engine-built")
    choice = script.choose(script.Facts(**GTX_1650, nvcc=(12, 8)), "portable-cuda")
    variables, _command = script.building_portable(choice, script.Facts(), "1.0", None)
    flag = f"-ffile-prefix-map={folder}/engine-source/llama_cpp_python-1.0=."
    assert shlex.split(variables["CFLAGS"])[0] == flag
    # A shell starts nvcc, and nvcc starts the compiler by another one.
    (given,) = shlex.split(variables["CUDAFLAGS"])
    assert given == f'-Xcompiler="{flag}"'
    assert shlex.split(given.removeprefix("-Xcompiler=")) == [flag]
    assert not script.unbuildable(choice)
    monkeypatch.setattr(script, "BUILT", Path("/home/a, b/engine-built"))
    assert "comma" in script.unbuildable(choice)
    assert not script.unbuildable(script.choose(script.Facts(), "portable"))


def test_the_build_backend_reads_no_variables_in_the_name_of_a_folder(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "BUILT", Path("/home/{name}/engine-built"))
    _variables, command = script.building_portable(script.choose(script.Facts(), "portable"), script.Facts(), "1", None)
    (setting,) = (word for word in command if word.startswith("build-dir="))
    # scikit-build-core formats it like this, to put in the name of the package and others.
    assert setting.format(name="llama_cpp_python") == f"build-dir={Path('/home/{name}/engine-source/build')}"


def test_the_installed_engine_can_be_packed_and_installed_again(script: ModuleType, tmp_path: Path) -> None:
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
