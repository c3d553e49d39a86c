"""The first start of a llama.cpp for graphics cards: the driver takes long before anything is loaded."""

import importlib.util
import sys
from pathlib import Path

import pytest

from tests.conftest import COMMAND
from tests.faulty_llama import fault, install

if sys.platform == "win32":
    pytest.skip("needs a POSIX terminal", allow_module_level=True)

from tests.terminal_screen import CTRL_C, Terminal


@pytest.fixture
def slow_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library whose files look built for Vulkan, with a card that never gets ready."""
    package = importlib.util.find_spec("llama_cpp")
    assert package is not None
    assert package.origin is not None
    folder = tmp_path / "lib"
    folder.mkdir()
    for library in (Path(package.origin).parent / "lib").iterdir():
        (folder / library.name).symlink_to(library)
    (folder / "libggml-vulkan").touch()
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(folder))
    install(tmp_path, monkeypatch, fault("load", "hang"))


@pytest.mark.usefixtures("slow_card")
@pytest.mark.parametrize("command", [("ask", "hello"), ("chat",)], ids=lambda command: command[0])
def test_a_slow_driver_is_shown_and_explained_and_the_wait_can_be_cancelled(
    tiny: Path, command: tuple[str, ...]
) -> None:
    terminal = Terminal(*COMMAND, *command, "-m", str(tiny))
    terminal.wait_for("Loading the model … 0%")
    terminal.wait_for("The graphics driver prepares itself")
    terminal.wait_for("Loading the model … 0%")
    terminal.type(CTRL_C)
    assert terminal.ended() == 130
    assert "Traceback" not in terminal.written.getvalue()
