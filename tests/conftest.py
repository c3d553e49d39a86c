"""What tests share: a home folder, a tiny model, the program as a command, and an engine."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import hypothesis
import pytest

from qwen_tui import child, i18n
from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import LoadOptions
from qwen_tui.hardware.plan import Plan
from tests.tiny_model import make_tiny_model

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mixes", type=int, default=40, help="how many random Markdown texts are painted")


def pytest_configure() -> None:
    # Threads of several engines that wait by spinning take the processors from each other.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # A deadline for each example would test the speed of the machine.
    hypothesis.settings.register_profile("any machine", deadline=None)
    hypothesis.settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new home folder for each test, and no settings from outside."""
    for name in list(os.environ):
        if name.startswith("QWEN_TUI_"):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    monkeypatch.setenv("QWEN_TUI_HOME", str(folder))
    monkeypatch.setenv("QWEN_TUI_LANG", "en")
    i18n.use_language("en")
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen3 model of a third of a megabyte with random weights: all is real except that its answers make no sense."""
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture
def qwen(tmp_path: Path) -> Run:
    """The program as a command: `qwen("ask", "hello", stdin=b"…")` gives stdout, stderr and the exit code."""

    def run(
        *arguments: str | Path, stdin: bytes | IO[bytes] | None = None, **options: object
    ) -> "subprocess.CompletedProcess[bytes]":
        given: dict[str, Any] = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin or subprocess.DEVNULL}
        given = {"capture_output": True, "timeout": 60, "cwd": tmp_path, **given, **options}
        done: subprocess.CompletedProcess[bytes] = subprocess.run([*COMMAND, *map(str, arguments)], **given)
        return done

    return run


COMMAND = child.command(child.PROGRAM)


@pytest.fixture
def engine(tiny: Path) -> Iterator[LocalEngine]:
    """The real engine on the tiny model."""
    engine = LocalEngine(LoadOptions(path=os.fsencode(tiny), plan=Plan(ctx_size=2048, batch_size=32)))
    yield engine
    engine.close()
