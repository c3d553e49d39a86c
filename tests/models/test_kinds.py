"""GGUF files that are not models: the program says what they are and what to do, before it copies or loads anything."""

from pathlib import Path

import pytest

from qwen_tui.cli import wiring
from qwen_tui.config import Config
from qwen_tui.errors import InvalidModelError
from tests.program import call, environment
from tests.scripted_engine import ScriptedEngine
from tests.tiny_model import make_other_files, make_tiny_model

SAID = {
    "adapter": "adapter (LoRA)",
    "control vector": "adapter (LoRA)",
    "projector": "looks at pictures",
    "old projector": "looks at pictures",
    "importance matrix": "importance matrix",
    "embedding model": "embedding model",
    "encoder": "embedding model",
    "named as an embedding model": "embedding model",
    "reranker": "reranker",
    "named as a reranker": "reranker",
    "vocabulary": "vocabulary without a model",
}


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_other_files(tmp_path_factory.mktemp("others"))


@pytest.mark.parametrize("kind", SAID)
def test_what_is_no_model_is_refused_at_import_and_at_use(others: dict[str, Path], kind: str, home: Path) -> None:
    file = others[kind]
    for command in (("models", "import", file), ("models", "import", "--link", file), ("ask", "-m", file, "hello")):
        done = call(*command)
        assert done.code == 1
        assert done.out == ""
        assert SAID[kind] in done.err
        assert str(file) in done.err
        assert "Choose" in done.err or "choose" in done.err
    assert not list((home / "models").glob("*.gguf"))


def test_beside_a_model_it_is_left_out_and_named(tiny: Path, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    make_other_files(stick)
    (stick / "mine.gguf").write_bytes(tiny.read_bytes())
    done = call("models", "import", stick)
    assert done.code == 0
    assert done.out == "Imported; use it with: -m mine.gguf\n"
    assert done.err.count("Left out: ") == len(SAID)


def test_what_llama_cpp_does_not_know_is_said_before_it_is_used(tmp_path: Path) -> None:
    strange = make_tiny_model(tmp_path / "strange.gguf", architecture="qwen99")
    mute = make_tiny_model(tmp_path / "mute.gguf", marks=None)
    for file, reason in ((strange, "architecture “qwen99”"), (mute, "does not know ChatML")):
        done = call("models", "import", file)
        assert done.code == 0
        assert f"It cannot answer here: {tmp_path / 'home/models' / file.name}" in done.err
        assert reason in done.err
        assert "from now on" not in done.err
        assert reason in call("models", "use", file.name).err
        assert reason in call("doctor", "-m", file.name).out
    listed = call("models", "list")
    assert listed.out.count("It cannot answer: ") == 2
    assert "architecture “qwen99”" in listed.out


def test_in_a_conversation_it_is_refused_before_the_present_model_is_given_up(tmp_path: Path) -> None:
    strange = make_tiny_model(tmp_path / "strange.gguf", architecture="qwen99")
    present = ScriptedEngine()
    with pytest.raises(InvalidModelError, match="qwen99"):
        wiring.opener(environment(), Config(), present)(str(strange))
    assert not present.closed
