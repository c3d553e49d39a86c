"""Which files of a portable llama.cpp are loaded, with libraries that a test compiles."""

import ctypes
import itertools
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from qwen_tui.engine.worker import cuda_libraries
from qwen_tui.engine.worker.backends import Backends, load_backends
from tests.compiled_library import make, needs_compiler

_NUMBERS = itertools.count(9901)

pytestmark = needs_compiler


class Ggml:
    """Stands in for ggml's registry: notes what it is asked to load, and loads what can be opened."""

    def __init__(self, folder: Path, linked_in: int = 0) -> None:
        self.loaded: list[str] = []
        # The name of a file that it does not accept, such as one of another version.
        self.refused = ""
        self._base_path = folder
        self._lib = SimpleNamespace(
            ggml_backend_reg_count=_Function(lambda: linked_in), ggml_backend_load=_Function(self._load)
        )

    def _load(self, path: bytes) -> int:
        try:
            ctypes.CDLL(os.fsdecode(path))
        except OSError:
            return 0
        name = Path(os.fsdecode(path)).name
        if name == self.refused:
            return 0
        self.loaded.append(name)
        return 1


class _Function:
    restype: Any = None

    def __init__(self, call: Any) -> None:
        self._call = call

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, score in (("x64", 1), ("haswell", 64), ("sapphirerapids", 900), ("alderlake", 0)):
        make(tmp_path, f"libggml-cpu-{name}.so", score)
    for name in ("libggml.so", "libggml-base.so", "libllama.so", "libggml-base.so.0"):
        make(tmp_path, name)
    return tmp_path


def test_the_variant_that_suits_the_processor_best_is_loaded_alone(folder: Path) -> None:
    ggml = Ggml(folder)
    assert load_backends(ggml, cards=True) == Backends("sapphirerapids", ("haswell", "x64"))
    assert ggml.loaded == ["libggml-cpu-sapphirerapids.so"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the head of an ELF file tells how long it is")
def test_a_file_whose_end_is_missing_is_not_opened(folder: Path) -> None:
    make(folder, "libggml-cuda.so")
    for name in ("libggml-cpu-sapphirerapids.so", "libggml-cuda.so"):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
    backends = load_backends(Ggml(folder), cards=True)
    assert backends.variant == "haswell"
    assert backends.broken == (f"sapphirerapids: {folder}/libggml-cpu-sapphirerapids.so: file too short",)
    assert backends.missing == (f"cuda: {folder}/libggml-cuda.so: file too short",)


def test_a_variant_that_died_here_is_not_loaded_again(folder: Path) -> None:
    backends = load_backends(Ggml(folder), ["sapphirerapids"], cards=True)
    assert backends == Backends("haswell", ("x64",), died=("sapphirerapids",))
    last = load_backends(Ggml(folder), ["sapphirerapids", "haswell", "x64"], cards=True)
    assert last.variant == "x64", "the last is the last"


def test_a_variant_is_announced_before_its_first_instruction_may_end_the_process(folder: Path) -> None:
    ggml, announced = Ggml(folder), list[tuple[str, list[str]]]()
    ggml.refused = "libggml-cpu-sapphirerapids.so"
    backends = load_backends(ggml, (), lambda each: announced.append((each.variant, [*ggml.loaded])), cards=True)
    assert announced == [("sapphirerapids", []), ("haswell", [])]
    assert backends.broken == (f"sapphirerapids: llama.cpp cannot use {folder}/{ggml.refused}",)
    assert ggml.loaded == ["libggml-cpu-haswell.so"]


def test_for_the_processor_alone_nothing_for_cards_is_opened(folder: Path) -> None:
    for kind in ("cuda", "vulkan", "hip"):
        make(folder, f"libggml-{kind}.so")
    make(folder, "libggml-blas.so")
    ggml = Ggml(folder)
    assert load_backends(ggml, cards=False).missing == ()
    assert ggml.loaded == ["libggml-blas.so", "libggml-cpu-sapphirerapids.so"]
    if sys.platform.startswith("linux"):
        assert f"{folder}/libggml-cuda.so" not in Path("/proc/self/maps").read_text()


def test_a_card_whose_driver_is_missing_is_named_and_left_out(folder: Path) -> None:
    (folder / "libggml-cuda.so").write_bytes(b"needs libcuda.so.1")
    ggml = Ggml(folder)
    backends = load_backends(ggml, cards=True)
    assert backends.variant == "sapphirerapids"
    (missing,) = backends.missing
    assert missing.startswith("cuda: ")
    assert ggml.loaded == ["libggml-cpu-sapphirerapids.so"]


def test_a_card_that_is_here_is_loaded_too(folder: Path) -> None:
    make(folder, "libggml-vulkan.so")
    ggml = Ggml(folder)
    assert load_backends(ggml, cards=True).missing == ()
    assert ggml.loaded == ["libggml-vulkan.so", "libggml-cpu-sapphirerapids.so"]


@pytest.fixture
def published(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a module for cards there, and its CUDA library into a package of NVIDIA's, beside a driver that opens."""
    if not sys.platform.startswith("linux"):
        pytest.skip("names of libraries")
    home = tmp_path / "site" / "nvidia" / "cu99" / "lib"
    home.mkdir(parents=True)
    # What a test opens stays open, so each test has a name of its own.
    name = f"libcudart.so.{next(_NUMBERS)}"
    make(home, name, flags=[f"-Wl,-soname,{name}"])
    make(folder, "libggml-cuda.so", flags=["-Wl,--no-as-needed", f"-L{home}", f"-l:{name}"])
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setattr(cuda_libraries, "_DRIVER", "libc.so.6")
    return home / name


def test_cuda_libraries_are_taken_from_the_packages_of_nvidia(folder: Path, published: Path) -> None:
    ggml = Ggml(folder)
    assert load_backends(ggml, cards=True).missing == ()
    assert ggml.loaded == ["libggml-cuda.so", "libggml-cpu-sapphirerapids.so"]


def test_without_their_packages_the_missing_library_is_named(folder: Path, published: Path) -> None:
    published.unlink()
    (missing,) = load_backends(Ggml(folder), cards=True).missing
    assert missing.startswith(f"cuda: {published.name}: cannot open")


def test_a_damaged_cuda_library_is_no_endless_loop(folder: Path, published: Path) -> None:
    published.write_bytes(b"half of a download")
    (missing,) = load_backends(Ggml(folder), cards=True).missing
    assert published.name in missing


def test_without_a_driver_no_cuda_library_is_opened(
    folder: Path, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_libraries, "_DRIVER", "libcuda-of-nobody.so.1")
    (missing,) = load_backends(Ggml(folder), cards=True).missing
    assert missing.startswith("cuda: ")
    assert published.name not in Path("/proc/self/maps").read_text()


def test_where_everything_is_linked_in_nothing_is_loaded(folder: Path) -> None:
    ggml = Ggml(folder, linked_in=1)
    assert load_backends(ggml, cards=True) == Backends()
    assert ggml.loaded == []


def test_without_a_variant_for_this_processor_nothing_else_is_looked_for(tmp_path: Path) -> None:
    make(tmp_path, "libggml-cpu-zen4.so", 0)
    with pytest.raises(OSError, match="suits this processor"):
        load_backends(Ggml(tmp_path), cards=True)


def test_on_windows_ggml_gets_the_name_alone_because_it_cannot_read_every_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "libggml-cpu-x64.so", 1)
    asked: list[bytes] = []

    def loaded(path: bytes) -> int:
        asked.append(path)
        return 1

    library = Ggml(tmp_path)
    library._lib.ggml_backend_load = _Function(loaded)
    windows = SimpleNamespace(name="nt", fspath=os.fspath, fsencode=os.fsencode)
    monkeypatch.setattr("qwen_tui.engine.worker.backends.os", windows)
    load_backends(library, cards=False)
    assert asked == [b"libggml-cpu-x64.so"]


def test_where_no_variant_can_be_loaded_the_reason_is_told(tmp_path: Path) -> None:
    (tmp_path / "libggml-cpu-zen4.so").write_bytes(b"half of a download")
    with pytest.raises(OSError, match=r"zen4: .*libggml-cpu-zen4\.so"):
        load_backends(Ggml(tmp_path), cards=True)
