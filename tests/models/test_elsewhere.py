"""Models that other programs have stored on this computer, each in its own layout."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from qwen_tui.models.catalogue import CatalogueEntry
from qwen_tui.models.importing.elsewhere import ForeignModel, find

Look = Callable[..., list[ForeignModel]]


@pytest.fixture
def person(tmp_path: Path) -> Path:
    folder = tmp_path / "person"
    folder.mkdir()
    return folder


@pytest.fixture
def entries(tiny: Path) -> tuple[CatalogueEntry, ...]:
    size = tiny.stat().st_size
    return (
        CatalogueEntry(
            name="tiny", quant="F16", repository="somebody/Tiny", file="Tiny.gguf", size=size, sha256="a" * 64
        ),
    )


@pytest.fixture
def look(person: Path) -> Look:
    def run(entries: tuple[CatalogueEntry, ...] = (), **environ: str) -> list[ForeignModel]:
        return find(environ, person, entries)

    return run


def put(tiny: Path, file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(tiny.read_bytes())
    return file


def ollama(tiny: Path, folder: Path, *name: str, blob: str = "b" * 64) -> Path:
    manifest = folder.joinpath("manifests", *name)
    manifest.parent.mkdir(parents=True, exist_ok=True)
    layers = [
        {"mediaType": "application/vnd.ollama.image.template", "digest": "sha256:" + "c" * 64},
        {"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{blob}", "size": 1},
    ]
    manifest.write_text(json.dumps({"schemaVersion": 2, "config": {}, "layers": layers}))
    return put(tiny, folder / f"blobs/sha256-{blob}")


def test_ollama_names_files_in_a_manifest(look: Look, person: Path, tiny: Path, tmp_path: Path) -> None:
    folder = person / ".ollama/models"
    blob = ollama(tiny, folder, "registry.ollama.ai", "library", "qwen3", "4b")
    ollama(tiny, folder, "registry.ollama.ai", "library", "llama3", "8b", blob="d" * 64)
    (found,) = look()
    assert (found.path, found.called, found.program) == (blob, "qwen3-4b.gguf", "ollama")
    moved = tmp_path / "moved"
    ollama(tiny, moved, "hf.co", "unsloth", "Qwen3-4B-GGUF", "Q4_K_M", blob="e" * 64)
    assert [one.called for one in look(OLLAMA_MODELS=str(moved))] == [
        "unsloth-Qwen3-4B-GGUF-Q4_K_M.gguf",
        "qwen3-4b.gguf",
    ]


def test_lm_studio_may_have_been_moved(look: Look, person: Path, tiny: Path, tmp_path: Path) -> None:
    put(tiny, person / ".lmstudio/models/lmstudio-community/Qwen3-4B-GGUF/Qwen3-4B-Q4_K_M.gguf")
    put(tiny, person / ".cache/lm-studio/models/a/b/Qwen3-8B-Q4_K_M.gguf")
    put(tiny, tmp_path / "disk/c/d/Qwen3-1.7B-Q8_0.gguf")
    (person / ".lmstudio/settings.json").write_text(json.dumps({"downloadsFolder": str(tmp_path / "disk")}))
    assert {one.called for one in look()} == {"Qwen3-4B-Q4_K_M.gguf", "Qwen3-8B-Q4_K_M.gguf", "Qwen3-1.7B-Q8_0.gguf"}
    assert {one.program for one in look()} == {"LM Studio"}


def test_the_hubs_cache_holds_links_and_blobs(look: Look, person: Path, tiny: Path, tmp_path: Path) -> None:
    for cache in (person / ".cache/huggingface/hub", tmp_path / "other/hub"):
        repository = cache / "models--unsloth--Qwen3-4B-Instruct-2507-GGUF"
        blob = put(tiny, repository / f"blobs/{cache.parent.name}")
        link = repository / "snapshots/a06e946b/Qwen3-4B-Instruct-2507-Q4_K_M.gguf"
        link.parent.mkdir(parents=True)
        link.symlink_to(blob)
        put(tiny, repository / "snapshots/a06e946b/mmproj-Qwen3-4B-00001-of-00002.gguf")
    assert [one.path.name for one in look()] == ["Qwen3-4B-Instruct-2507-Q4_K_M.gguf"]
    assert len(look(HF_HOME=str(tmp_path / "other"))) == 2
    assert len(look(HF_HUB_CACHE=str(tmp_path / "other/hub"))) == 2


def test_a_published_file_is_known_by_its_size_and_comes_first(
    look: Look, person: Path, tiny: Path, entries: tuple[CatalogueEntry, ...]
) -> None:
    put(tiny, person / ".cache/llama.cpp/anything.gguf")
    larger = put(tiny, person / ".lmstudio/models/a/b/Qwen3-4B.gguf")
    larger.write_bytes(larger.read_bytes() + b"more")
    assert [(one.called, one.entry) for one in look(entries)] == [
        ("anything.gguf", entries[0]),
        ("Qwen3-4B.gguf", None),
    ]


def test_what_cannot_be_used_is_not_offered(look: Look, person: Path, tiny: Path) -> None:
    folder = person / ".lmstudio/models/a/b"
    put(tiny, folder / "mistral.gguf")
    (folder / "Qwen3-4B.gguf").write_bytes(b"<html>")
    (folder / "Qwen3-cut.gguf").write_bytes(tiny.read_bytes()[:-1000])
    (folder / "Qwen3-gone.gguf").symlink_to(folder / "nothing")
    manifests = person / ".ollama/models/manifests"
    manifests.mkdir(parents=True)
    for number, text in enumerate(("", "{", "[]", '{"layers": 5}', "\x00", '{"layers": [{"digest": "sha256:../x"}]}')):
        (manifests / f"qwen3-{number}").write_text(text)
    (person / ".lmstudio/settings.json").write_text('{"downloadsFolder": "\\u0000"}')
    (person / ".lmstudio-home-pointer").write_bytes(b"\xff\xfe\x00")
    assert look() == []


def test_a_large_folder_takes_no_time(look: Look, person: Path) -> None:
    folder = person / ".cache/huggingface/hub/models--a--b/snapshots/x"
    folder.mkdir(parents=True)
    for number in range(3000):
        (folder / f"{number}.safetensors").touch()
    (folder / "loop").symlink_to(folder)
    begun = time.monotonic()
    assert look() == []
    # One millisecond a file would be too long. The limit allows for a busy PC.
    assert time.monotonic() - begun < 20
