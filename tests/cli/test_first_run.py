"""The first `qwen chat`: no model yet, and three ways to get one."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import COMMAND

if sys.platform == "win32":
    pytest.skip("needs a POSIX terminal", allow_module_level=True)

from tests.models.hub_server import NAME, FaultyHub
from tests.terminal_screen import CTRL_C, CTRL_D, ENTER, Terminal


@pytest.fixture
def hub(tiny: Path) -> Iterator[FaultyHub]:
    with FaultyHub(tiny) as hub:
        yield hub


def started(*arguments: str, **environment: str) -> Terminal:
    # Nothing listens at this address, so no test fetches anything by mistake.
    environment = {"HF_ENDPOINT": "http://127.0.0.1:9", "NO_PROXY": "*", **environment}
    return Terminal(*COMMAND, *arguments, **environment)


def test_it_says_what_it_would_fetch_and_the_demonstration_model_is_a_choice() -> None:
    terminal = started("chat")
    text = terminal.wait_for("Type a number")
    for told in ("qwen3-4b-instruct", "2.50 GB", "Apache-2.0", "home/models", "demonstration model", ".gguf file"):
        assert told in text.replace("\n", "")
    terminal.type("3" + ENTER)
    terminal.wait_for("\n>", "learned a few dozen conversations")
    assert terminal.leave() == 0


def test_a_fetched_model_answers_at_once(hub: FaultyHub) -> None:
    terminal = started("chat", "-m", NAME, HF_ENDPOINT=hub.url)
    terminal.wait_for("Type a number")
    terminal.type("1" + ENTER)
    terminal.wait_for("trust its source", "Fetch it?")
    terminal.type(ENTER)
    terminal.wait_for("Type a number")
    assert hub.sent == 0, "Enter alone is no"
    terminal.type("1" + ENTER)
    terminal.wait_for("Fetch it?")
    terminal.type("是" + ENTER)
    terminal.wait_for("Verified: SHA-256", "\n>", "Ctrl-D leaves")
    assert hub.sent == hub.size
    assert terminal.leave() == 0


def test_a_file_that_is_chosen_answers_from_then_on(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(tiny, tmp_path / "mine with blanks.gguf")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    terminal = started("chat")
    terminal.wait_for("Type a number")
    terminal.type("4" + ENTER)
    terminal.wait_for("“4” is none of these numbers.")
    for typed, told in (("/no/such.gguf", "There is no file /no/such.gguf."), ("folder", "Name the .gguf file in it.")):
        terminal.type("2" + ENTER)
        terminal.wait_for("path of the file")
        terminal.type(typed + ENTER)
        terminal.wait_for(told, "Type a number")
    terminal.type("2" + ENTER)
    terminal.wait_for("path of the file")
    # Tab completes the path.
    terminal.type("mine w\t")
    terminal.wait_for("blanks.gguf")
    terminal.type(ENTER)
    terminal.wait_for("answers from now on", "\n>", "Ctrl-D leaves")
    assert terminal.leave() == 0
    again = started("chat")
    again.wait_for("mine with blanks", "\n>")
    assert "Type a number" not in again.text
    assert again.leave() == 0


def test_a_download_that_fails_leaves_the_other_ways() -> None:
    terminal = started("ask", "-m", "acme/tiny:x.gguf", "-o", "max_tokens=5", "Hello")
    terminal.wait_for("Type a number")
    terminal.type("1" + ENTER)
    terminal.wait_for("could not be fetched")
    terminal.wait_for("Type a number")
    terminal.type("3" + ENTER)
    assert terminal.ended() == 0


def test_offline_only_what_is_here_is_offered() -> None:
    for terminal in (started("chat", "--offline"), started("chat", HF_HUB_OFFLINE="1")):
        text = terminal.wait_for("Type a number")
        assert "2.50 GB" not in text
        assert "demonstration model" in text
        terminal.type(CTRL_C)
        assert terminal.ended() == 130


def test_ctrl_d_leaves() -> None:
    terminal = started("chat")
    terminal.wait_for("Type a number")
    terminal.type(CTRL_D)
    assert terminal.ended() == 130
