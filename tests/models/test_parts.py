"""A model that is split into several files: every command treats it as one model, whichever part a person names."""

import json
from pathlib import Path

import pytest

from qwen_tui.models import parts
from tests.program import call
from tests.tiny_model import make_tiny_model

SHORT = ("-o", "max_tokens=3", "-o", "temperature=0", "-n")


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    first = make_tiny_model(tmp_path_factory.mktemp("split") / "big.gguf", tensors_a_part=10)
    return parts.files(first)


@pytest.fixture
def stick(split: list[Path], tmp_path: Path) -> list[Path]:
    folder = tmp_path / "stick"
    folder.mkdir()
    return [folder / part.name for part in split if (folder / part.name).write_bytes(part.read_bytes())]


def test_all_parts_are_taken_over_listed_as_one_used_checked_and_removed(stick: list[Path], home: Path) -> None:
    done = call("models", "import", stick[1])
    assert (done.code, done.out) == (0, f"Imported; use it with: -m {stick[0].name}\n")
    assert [(home / "models" / part.name).read_bytes() for part in stick] == [part.read_bytes() for part in stick]
    (one,) = json.loads(call("models", "list", "--json").out)["models"]
    assert (one["name"], one["state"]) == (stick[0].name, "verified")
    assert one["size"] == sum(part.stat().st_size for part in stick)
    assert f"{len(stick)} parts" in call("models", "list").out
    for name in ("big", stick[0].name, stick[2].name):
        assert call("models", "path", name).out == f"{home / 'models' / stick[0].name}\n"
    assert call("ask", "-m", "big", *SHORT, "hello").code == 0
    assert call("models", "import", stick[0]).out.startswith("It is here already")
    checked = call("models", "verify", "big")
    assert (checked.code, checked.out.count("SHA-256")) == (0, len(stick))
    assert call("models", "rm", "big", "--yes").code == 0
    assert not list((home / "models").glob("*.gguf"))
    assert json.loads(call("models", "list", "--json").out)["models"] == []


def test_the_parts_are_used_where_they_are(stick: list[Path]) -> None:
    whole = call("ask", "-m", stick[0], *SHORT, "hello")
    assert whole.code == 0, whole.err
    assert call("ask", "-m", stick[2], *SHORT, "hello").out == whole.out
    assert call("models", "import", stick[0].parent, "--link").code == 0
    assert f"{len(stick)} parts" in call("models", "list").out
    assert call("models", "rm", "big", "--yes").code == 0
    assert all(part.exists() for part in stick)


def test_a_damaged_part_is_found(stick: list[Path], home: Path) -> None:
    call("models", "import", stick[0])
    part = home / "models" / stick[1].name
    part.write_bytes(part.read_bytes()[:-1] + b"!")
    for command in (("models", "verify", "big"), ("ask", "-m", "big", *SHORT, "hello")):
        done = call(*command)
        assert done.code == 1
        assert stick[1].name in done.out + done.err


def test_a_missing_part_is_named_before_anything_is_copied(stick: list[Path], home: Path) -> None:
    call("models", "import", stick[0])
    (home / "models" / stick[1].name).unlink()
    stick[1].unlink()
    for command in (
        ("models", "import", stick[0]),
        ("models", "import", stick[2]),
        ("models", "import", stick[0].parent),
        ("ask", "-m", stick[0], "hello"),
        ("ask", "-m", stick[2], "hello"),
        ("ask", "-m", "big", "hello"),
        ("pack", home / "out", "-m", "big"),
    ):
        done = call(*command)
        assert done.code == 1
        assert stick[1].name in done.err
    assert "missing" in call("models", "list").out
    assert call("models", "rm", "big", "--yes").code == 0


def test_a_part_under_another_name_is_told_apart_from_a_model(stick: list[Path]) -> None:
    renamed = stick[0].rename(stick[0].with_name("renamed.gguf"))
    done = call("models", "import", renamed)
    assert done.code == 1
    assert f"is part 1 of {len(stick)} of a model, and its name does not say so" in done.err


def test_a_pack_holds_all_parts(stick: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = call("pack", tmp_path / "pack", "-m", stick[1])
    assert packed.code == 0, packed.err
    assert f"Packed {stick[0].name} (" in packed.out
    monkeypatch.setenv("QWEN_TUI_HOME", str(tmp_path / "there"))
    taken = call("models", "import", tmp_path / "pack")
    assert (taken.code, taken.out) == (0, f"Imported; use it with: -m {stick[0].name}\n")
    assert call("ask", "-m", "big", *SHORT, "hello").code == 0


def test_other_parts_of_the_same_name_are_not_mixed_with_them(stick: list[Path], tmp_path: Path) -> None:
    call("models", "import", stick[0])
    other = tmp_path / "other"
    other.mkdir()
    first = make_tiny_model(other / "big.gguf", seed=1, tensors_a_part=10)
    done = call("models", "import", first)
    assert done.code == 1
    assert "another model whose part is called" in done.err
    assert call("models", "verify", "big").code == 0
