"""Ctrl-C and other signals in every long operation: the exit code, no incomplete files, and the REPL goes on."""

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from qwen_tui.models.identity import Facts
from qwen_tui.models.shelf import ModelRecord, Shelf
from tests.conftest import COMMAND

if sys.platform == "win32":
    pytest.skip("signals and terminals of POSIX", allow_module_level=True)

from tests.terminal_screen import CTRL_C, Terminal

# So large that no machine has hashed it before the signal. The file is sparse, so it takes no space on the disk.
LARGE = 1 << 40
# An operation that looks for a cancellation ends long before; a slow machine has this many seconds.
PATIENCE = 60
CLEAR = "\x0c"
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.fixture
def large(tiny: Path, tmp_path: Path) -> Path:
    """A model file of a terabyte, most of which is a hole."""
    file = tmp_path / "large.gguf"
    file.write_bytes(tiny.read_bytes())
    try:
        os.truncate(file, LARGE)
    except OSError:
        pytest.skip("no file of a terabyte can be made here")
    return file


@pytest.fixture
def changed(large: Path, home: Path) -> str:
    """The name of a model that has changed since it was verified: the program hashes it before it loads it."""
    shelf = Shelf(home / "models")
    record = ModelRecord(path=str(large), name="changed", size=LARGE, sha256="0" * 64, facts=Facts(LARGE, 1, 1))
    shelf.put(record)
    return "changed"


@contextlib.contextmanager
def running(
    *arguments: object, environment: dict[str, str] | None = None, **options: object
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the program in its own process group, and kill the group at the end of the block."""
    given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        env={**os.environ, **(environment or {})},
        start_new_session=True,
        **given,  # type: ignore[call-overload]
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


def interrupted(process: "subprocess.Popen[bytes]", number: int = signal.SIGINT, *, twice: bool = False) -> str:
    """Signal the group as a terminal does, check that the exit code is the signal's, and return stderr."""
    os.killpg(process.pid, number)
    if twice:
        time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
    _out, err = process.communicate(timeout=PATIENCE)
    said = err.decode() if err else ""
    assert process.returncode == CODES[signal.Signals(number)], said
    assert "Traceback" not in said
    return said


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def reads(process: "subprocess.Popen[bytes]", file: Path) -> None:
    """Wait until the program has opened the file."""
    until(lambda: any(Path(one.path) == file for one in psutil.Process(process.pid).open_files()))


def heeds(process: "subprocess.Popen[bytes]") -> None:
    """Wait until the program handles signals in its own way: before, Python does it, with a traceback."""
    status = Path(f"/proc/{process.pid}/status")
    if sys.platform == "linux":
        until(lambda: int(status.read_text().partition("SigCgt:")[2].split()[0], 16) >> (signal.SIGTERM - 1) & 1)
    # Then it comes to the place where it waits, which cannot be seen from outside.
    time.sleep(1)
    assert process.poll() is None


@pytest.mark.parametrize("number", list(CODES))
def test_hashing_a_model_before_it_is_loaded_ends(changed: str, large: Path, number: int) -> None:
    with running("ask", "-m", changed, "hello") as process:
        reads(process, large)
        interrupted(process, number)


@pytest.mark.parametrize("command", [("models", "verify"), ("models", "import", "--link")])
def test_verifying_ends_and_records_nothing(large: Path, home: Path, command: tuple[str, ...], changed: str) -> None:
    before = (home / "models" / "models.json").read_bytes()
    with running(*command, changed if command[1] == "verify" else large) as process:
        reads(process, large)
        interrupted(process, twice=True)
    assert (home / "models" / "models.json").read_bytes() == before


def test_copying_ends_and_leaves_no_incomplete_model(tiny: Path, tmp_path: Path, home: Path) -> None:
    # A named pipe stands for a USB stick that hangs.
    source = tmp_path / "pack"
    source.mkdir()
    file = tmp_path / "slow.gguf"
    file.write_bytes(tiny.read_bytes())
    os.truncate(file, 4 << 30)
    with running("models", "import", file) as process:
        reads(process, file)
        interrupted(process, twice=True)
    assert [path.name for path in (home / "models").iterdir() if path.suffix != ".lock"] == []


@pytest.mark.parametrize("out", ["pack", "pack.tar", "pack.zip"])
def test_packing_ends_and_leaves_nothing(tiny: Path, tmp_path: Path, out: str) -> None:
    file = tmp_path / "slow.gguf"
    file.write_bytes(tiny.read_bytes())
    os.truncate(file, 4 << 30)
    with running("pack", "-m", file, tmp_path / "out" / out) as process:
        reads(process, file)
        interrupted(process)
    assert list((tmp_path / "out").iterdir()) == []


def test_waiting_for_another_import_ends(tiny: Path, home: Path) -> None:
    (home / "models").mkdir(parents=True)
    with FileLock(home / "models" / "import.lock"), running("models", "import", tiny) as process:
        assert process.stderr
        assert b"Another import" in process.stderr.readline()
        interrupted(process)


@pytest.mark.parametrize("command", [("logs", "list"), ("ask", "-m", "demo", "hello")])
def test_waiting_for_a_database_ends(home: Path, command: tuple[str, ...]) -> None:
    home.mkdir(exist_ok=True)
    with contextlib.closing(sqlite3.connect(home / "history.db")) as holder:
        holder.execute("CREATE TABLE held (it)")
        holder.execute("BEGIN EXCLUSIVE")
        with running(*command) as process:
            reads(process, home / "history.db")
            assert interrupted(process) == ""


@pytest.mark.parametrize("option", ["-f", "--schema"])
def test_waiting_for_a_named_pipe_ends(tmp_path: Path, option: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with running("ask", "-m", "demo", option, tmp_path / "pipe", "hello") as process:
        heeds(process)
        interrupted(process)


@pytest.mark.parametrize("number", list(CODES))
def test_waiting_for_a_silent_stdin_ends(number: int) -> None:
    with running("ask", "-m", "demo", stdin=subprocess.PIPE) as process:
        until(lambda: psutil.Process(process.pid).children())
        workers = psutil.Process(process.pid).children()
        interrupted(process, number)
    assert psutil.wait_procs(workers, timeout=PATIENCE)[1] == []


def test_waiting_for_a_silent_server_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        with running("pull", "--yes", "acme/x:x.gguf", environment={"HF_ENDPOINT": address}) as process:
            connection, _from = server.accept()
            with connection:
                interrupted(process)


def test_looking_up_a_name_ends(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        f"import pathlib, socket, time\ndef wait(*_a, **_k):\n    pathlib.Path({str(tmp_path / 'asked')!r}).touch()\n"
        "    time.sleep(60)\nsocket.getaddrinfo = wait\n"
    )
    found = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{Path.cwd()}", "HF_ENDPOINT": "http://mirror.invalid"}
    with running("pull", "--yes", "acme/x:x.gguf", environment=found) as process:
        until((tmp_path / "asked").exists)
        interrupted(process)


def test_waiting_for_a_hung_driver_ends(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "pynvml.py").write_text(
        f"import pathlib, time\ndef nvmlInit():\n    pathlib.Path({str(tmp_path / 'asked')!r}).touch()\n"
        "    time.sleep(60)\n"
    )
    found = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{Path.cwd()}"}
    with running("doctor", "-m", tiny, environment=found) as process:
        until((tmp_path / "asked").exists)
        interrupted(process)


def test_waiting_for_an_editor_ends(tmp_path: Path, home: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text(f"#!/bin/sh\ntouch {tmp_path}/open\nexec sleep 60\n")
    editor.chmod(0o755)
    with running("config", "edit", environment={"EDITOR": str(editor)}) as process:
        until((tmp_path / "open").exists)
        interrupted(process)


def test_tuning_ends_and_stores_nothing(tiny: Path, home: Path) -> None:
    with running("tune", "-m", tiny) as process:
        until(lambda: psutil.Process(process.pid).children())
        assert "Nothing was saved" in interrupted(process)
    assert not (home / "tuned.json").exists()


def test_writing_to_a_pipe_that_nobody_reads_ends() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.set_blocking(writing, True)
    with running("templates", "list", stdout=writing) as process:
        heeds(process)
        interrupted(process)
    os.close(reading)
    os.close(writing)


def test_a_question_at_a_terminal_ends(tiny: Path, home: Path) -> None:
    (home / "models").mkdir(parents=True)
    (home / "models" / "tiny.gguf").write_bytes(tiny.read_bytes())
    terminal = Terminal(*COMMAND, "models", "rm", "tiny.gguf")
    terminal.wait_for("Remove")
    terminal.type(CTRL_C)
    assert terminal.ended() == 130
    assert terminal.written.getvalue().endswith("\r\n"), "the shell's prompt begins a row"
    assert (home / "models" / "tiny.gguf").exists()


def test_the_first_run_ends() -> None:
    terminal = Terminal(*COMMAND, "chat")
    terminal.wait_for("Type a number")
    terminal.type(CTRL_C)
    assert terminal.ended() == 130


def test_a_command_of_the_repl_ends_and_everything_is_as_before(changed: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    terminal = Terminal(*COMMAND, "chat", "-m", "demo")
    terminal.wait_for("\n>", "Ctrl-D leaves")
    for line in (f"/model {changed}", f"/file {tmp_path / 'pipe'}"):
        terminal.enter(line)
        time.sleep(0.5)
        terminal.type(CTRL_C)
        terminal.wait_for("Stopped.")
        terminal.enter("/show")
        terminal.wait_for("\ndemo", "temperature")
        terminal.enter("/clear")
        terminal.wait_for("A new conversation.")
        terminal.type(CLEAR)
        terminal.wait_for_times("Stopped.", 0)
    terminal.enter("Hello")
    terminal.wait_for("demonstration model of qwen-tui", "tokens/s")
    assert terminal.leave() == 0


def test_waiting_for_a_hung_clipboard_ends(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "xclip").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "bin" / "xclip").chmod(0o755)
    found = {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", "DISPLAY": ":0"}
    terminal = Terminal(*COMMAND, "chat", "-m", "demo", **found)
    terminal.wait_for("\n>", "Ctrl-D leaves")
    terminal.enter("/paste")
    time.sleep(1)
    terminal.type(CTRL_C)
    terminal.wait_for("Stopped.")
    assert terminal.leave() == 0
