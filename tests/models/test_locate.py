"""What `-m` means, and in which order: a file in the current folder never hides the name of a model."""

import json
import os
from pathlib import Path

import pytest

from qwen_tui.models import address
from qwen_tui.models.locate import locate
from qwen_tui.quoting import command_line
from tests.program import call
from tests.tiny_model import make_tiny_model

SHORT = ("-o", "max_tokens=3", "-n", "hello")


@pytest.fixture
def folder(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a model to import beside it."""
    (tmp_path / "Tiny-135M-Q4_1.gguf").write_bytes(tiny.read_bytes())
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def imported(folder: Path, home: Path) -> Path:
    assert call("models", "import", folder.parent / "Tiny-135M-Q4_1.gguf").code == 0
    return home / "models/Tiny-135M-Q4_1.gguf"


@pytest.mark.parametrize("name", ["Tiny-135M-Q4_1.gguf", "Tiny-135M-Q4_1", "tiny", "TINY-135"])
@pytest.mark.parametrize("kind", ["folder", "file"])
def test_neither_a_folder_nor_a_file_hides_an_installed_model(
    folder: Path, imported: Path, name: str, kind: str, home: Path
) -> None:
    if kind == "folder":
        (folder / name).mkdir()
    elif name.endswith(".gguf"):
        pytest.skip("a file of that name is what is meant")
    else:
        (folder / name).write_text("notes")
    assert call("ask", "-m", name, *SHORT).code == 0
    assert call("models", "path", name).out == f"{imported}\n"
    for command in (("models", "show"), ("models", "verify"), ("pack", home / "out", "-m"), ("models", "use")):
        assert call(*command, name).code == 0
    call("config", "set", "model", name)
    assert call("ask", *SHORT).code == 0
    assert call("models", "rm", "--yes", name).code == 0
    assert (folder / name).exists()


def test_neither_hides_a_model_of_the_catalogue_or_the_demonstration_model(folder: Path) -> None:
    for name in ("qwen3-4b-instruct", "qwen3-4b-instruct:Q8_0", "demo"):
        (folder / name).mkdir()
    assert "qwen3-4b-instruct is not on this computer yet" in call("ask", "hello").err
    assert "Q8_0 is not on this computer yet" in call("ask", "-m", "qwen3-4b-instruct:Q8_0", "hello").err
    assert "built in" in call("pull", "demo").out
    assert call("ask", "-m", "demo", *SHORT).code == 0


def test_a_path_is_a_path_by_its_form(folder: Path, imported: Path, tiny: Path) -> None:
    other = make_tiny_model(folder / "Tiny-135M-Q4_1.gguf", seed=3)
    assert imported.exists()
    for name in ("Tiny-135M-Q4_1.gguf", "./Tiny-135M-Q4_1.gguf", "../here/Tiny-135M-Q4_1.gguf"):
        assert Path(locate(name, imported.parent)).samefile(other)
    (folder / "blob").write_bytes(tiny.read_bytes())
    assert call("ask", "-m", "./blob", *SHORT).code == 0
    assert call("ask", "-m", "blob", *SHORT).code == 0, "what means nothing else may be a file"
    (folder / "models.d").mkdir()
    for name in ("models.d", "./models.d"):
        assert "is a folder, not a model" in call("ask", "-m", name, "hello").err
    for name in ("./none", "/no/such", "~/none.gguf", "none.gguf"):
        assert "There is no file" in call("ask", "-m", name, "hello").err


def test_a_name_with_blanks_is_one_name(folder: Path, tiny: Path) -> None:
    (folder / "my model.gguf").write_bytes(tiny.read_bytes())
    refused = call("models", "import", "my", "model.gguf")
    assert refused.code == 2
    assert f"qwen models import {command_line('my model.gguf')}" in refused.err
    assert (
        call("models", "import", "my model.gguf").out == f"Imported; use it with: -m {command_line('my model.gguf')}\n"
    )
    for name in ("my model.gguf", "my model", "my"):
        assert call("ask", "-m", name, *SHORT).code == 0


def test_the_beginning_of_a_name_is_enough_while_it_is_the_only_one(folder: Path, imported: Path) -> None:
    make_tiny_model(folder.parent / "Tiny-360M.gguf", seed=1)
    assert call("models", "import", folder.parent / "Tiny-360M.gguf").code == 0
    done = call("ask", "-m", "tiny", "hello")
    assert done.code == 1
    assert "Several models begin with “tiny”" in done.err
    assert "Tiny-135M-Q4_1.gguf" in done.err
    assert "Tiny-360M.gguf" in done.err
    assert call("ask", "-m", "tiny-3", *SHORT).code == 0
    unknown = call("ask", "-m", "Tinny-360", "hello")
    assert "Did you mean: " in unknown.err
    assert "Tiny-360M.gguf" in unknown.err


def test_what_is_kept_of_a_name_means_the_same_everywhere_later(folder: Path, imported: Path) -> None:
    assert call("ask", "-m", "tiny", "-o", "max_tokens=3", "hello").code == 0
    make_tiny_model(folder / "Tiny-135M-Q4_1.gguf", seed=3)
    make_tiny_model(folder.parent / "Tiny-360M.gguf", seed=1)
    assert call("models", "import", folder.parent / "Tiny-360M.gguf").code == 0
    assert json.loads(call("ask", "-c", "--json", "-o", "max_tokens=3", "and?").out)["model"] == imported.stem
    call("config", "set", "model", "./Tiny-135M-Q4_1.gguf")
    os.chdir(folder.parent)
    assert json.loads(call("ask", "--json", *SHORT).out)["model"] == str(folder / "Tiny-135M-Q4_1.gguf")


@pytest.mark.parametrize(
    ("written", "name", "site"),
    [
        ("https://huggingface.co/o/r/blob/main/x.gguf", "o/r:x.gguf", address.HUB),
        ("https://huggingface.co/o/r/resolve/main/x.gguf?download=true", "o/r:x.gguf", address.HUB),
        ("https://www.huggingface.co/o/r/blob/main/sub/my%20x.gguf", "o/r:sub/my x.gguf", address.HUB),
        ("https://huggingface.co/o/r/resolve/main/my x.gguf", "o/r:my x.gguf", address.HUB),
        ("huggingface.co/o/r/blob/main/x.gguf", "o/r:x.gguf", address.HUB),
        ("https://huggingface.co/o/r", "o/r", address.HUB),
        ("https://huggingface.co/o/r/tree/main", "o/r", address.HUB),
        ("https://huggingface.co/o/r?show_file_info=x.gguf", "o/r:x.gguf", address.HUB),
        ("hf.co/o/r:Q4_K_M", "o/r:Q4_K_M", address.HUB),
        ("https://hf-mirror.com/o/r/blob/main/x.gguf", "o/r:x.gguf", "https://hf-mirror.com"),
        ("https://hf-mirror.com/o/r/tree/main", "o/r", "https://hf-mirror.com"),
        ("https://mirror.example/o/r/blob/main/x.gguf", "o/r:x.gguf", "https://mirror.example"),
        ("https://modelscope.cn/models/o/r/file/view/master/x.gguf?status=2", "o/r:x.gguf", "https://modelscope.cn"),
        ("https://www.modelscope.cn/models/o/r/resolve/master/x.gguf", "o/r:x.gguf", "https://www.modelscope.cn"),
        (
            "https://modelscope.cn/api/v1/models/o/r/repo?Revision=master&FilePath=sub%2Fx.gguf",
            "o/r:sub/x.gguf",
            "https://modelscope.cn",
        ),
        ("https://modelscope.cn/models/o/r/summary", "o/r", "https://modelscope.cn"),
    ],
)
def test_an_address_from_a_browser_names_a_file_or_a_repository(written: str, name: str, site: str) -> None:
    found = address.place(written, {"HF_ENDPOINT": "https://mirror.example"})
    assert found
    assert (found.name, found.site, found.is_usual) == (name, site, True)


@pytest.mark.parametrize(
    "text",
    [
        "o/r",
        "o/r:x.gguf",
        "qwen3-4b-instruct:Q4_K_M",
        "https://example.com/o/r/blob/main/x.gguf",
        "https://huggingface.co/datasets/o/r/blob/main/x.gguf",
        "https://huggingface.co/",
        "https://[bad/x",
        "",
        "/huggingface.co/o/r",
    ],
)
def test_other_addresses_and_names_are_none_of_them(text: str) -> None:
    assert address.place(text, {}) is None
