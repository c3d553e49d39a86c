"""What tests share: a home folder, a tiny model, the program as a command, and an engine."""

import contextlib
import importlib
import io
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, TextIO
from unittest import mock

import hypothesis
import pytest

from qwen_tui import child, i18n
from qwen_tui.cli import app
from qwen_tui.cli.environment import Environment
from qwen_tui.cli.main import main
from qwen_tui.engine import variants
from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import LoadOptions
from qwen_tui.hardware import bandwidth
from qwen_tui.hardware.plan import Plan
from tests.tiny_model import make_tiny_model

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mixes", type=int, default=15, help="how many random Markdown texts are painted")


def pytest_configure() -> None:
    # Threads of several engines that wait by spinning take the processors from each other.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # The tests start the program hundreds of times. Without bytecode on the disk, each start compiles all its modules.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    # Programs that are started in the background (`&`, nohup) begin with these signals ignored, and so would all that
    # the tests start and stop.
    for name in ("SIGINT", "SIGHUP"):
        if (number := getattr(signal, name, None)) and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)
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
    monkeypatch.setattr(variants, "_SEEN", [])
    monkeypatch.setenv("QWEN_TUI_HOME", str(folder))
    monkeypatch.setenv("QWEN_TUI_LANG", "en")
    i18n.use_language("en")
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen3 model of a third of a megabyte with random weights: all is real except that its answers make no sense."""
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture(scope="session")
def _commands_in_english() -> None:
    """Import the commands: their help texts stay in the language in which they are imported."""
    i18n.use_language("en")
    for name in app.names():
        importlib.import_module(f"qwen_tui.cli.{name}")


@pytest.fixture
def qwen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, process: Run, _commands_in_english: None) -> Run:
    """The program as a command: `qwen("ask", "hello", stdin=b"…")` gives stdout, stderr and the exit code.

    It runs in the process of the test, because a new process takes a quarter of a second to start. With options of
    `subprocess.run`, it still starts one.
    """
    # No test needs the memory bandwidth, so `doctor` measures it only briefly.
    monkeypatch.setattr(bandwidth, "_BLOCK", 1 << 20)
    monkeypatch.setattr(bandwidth, "_LONGEST_S", 0.01)

    def run(
        *arguments: str | Path,
        stdin: bytes | IO[bytes] | None = None,
        env: dict[str, str] | None = None,
        cwd: Path = tmp_path,
        **options: object,
    ) -> "subprocess.CompletedProcess[bytes]":
        if options:
            return process(*arguments, stdin=stdin, env=env, cwd=cwd, **options)
        words = [str(argument) for argument in arguments]
        out, err = io.BytesIO(), io.BytesIO()
        with (
            contextlib.chdir(cwd),
            mock.patch.dict(os.environ, env or {}, clear=env is not None),
            _opened(stdin) as given,
            io.TextIOWrapper(out, "utf-8", "replace") as stdout,
            io.TextIOWrapper(err, "utf-8", "replace") as stderr,
        ):
            code = main(words, Environment(given, stdout, stderr, os.environ))
            stdout.flush()
            stderr.flush()
            i18n.use_language("en")
            return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())

    return run


@contextlib.contextmanager
def _opened(stdin: bytes | IO[bytes] | None) -> Iterator[TextIO]:
    """Open stdin as Python does; it is a file, and empty by default."""
    with contextlib.ExitStack() as stack:
        if stdin is None:
            stdin = stack.enter_context(Path(os.devnull).open("rb"))
        elif isinstance(stdin, bytes):
            content, stdin = stdin, stack.enter_context(tempfile.TemporaryFile(buffering=0))
            stdin.write(content)
            stdin.seek(0)
        yield stack.enter_context(open(stdin.fileno(), closefd=False, encoding="utf-8"))


@pytest.fixture
def process(tmp_path: Path) -> Run:
    """The same in a new process: for tests of its start, its end, its language, and settings of Python."""

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
