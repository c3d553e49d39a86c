"""Names that lead to no plain file, and files that change: devices, pipes, sockets, `/dev/stdin`."""

import contextlib
import json
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from qwen_tui.chat.gathering import Gathering
from qwen_tui.chat.material import Reading
from qwen_tui.documents import whole_file
from qwen_tui.documents.reading import read_bytes
from qwen_tui.documents.whole_file import is_device_of_windows
from tests.conftest import Run

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX's devices, pipes and sockets")


@needs_posix
def test_devices_and_sockets_are_refused_unopened(qwen: Run, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/zero")
    # A socket's path may be no longer than 100 characters.
    with socket.socket(socket.AF_UNIX) as listener, contextlib.chdir(tmp_path):
        listener.bind("door")
        for name, kind in (("/dev/zero", "device"), ("link", "device"), ("/dev/tty", "device"), ("door", "socket")):
            done = qwen("ask", "-m", "demo", "-f", name, "x")
            assert (done.returncode, done.stdout) == (1, b"")
            assert done.stderr.startswith(f"qwen: {name} is a {kind}, not a file.\n".encode())
    assert b"is a device" in qwen("ask", "-m", "demo", "--schema", "/dev/zero", "x").stderr


@needs_posix
def test_nothing_is_in_the_null_device(qwen: Run) -> None:
    done = qwen("ask", "-m", "demo", "-f", "/dev/null", "Hello")
    assert (done.returncode, b"There is nothing in /dev/null" in done.stderr) == (0, True)


@needs_posix
@pytest.mark.parametrize("names", [["/dev/stdin"], ["-", "/dev/fd/0"]])
def test_the_names_that_the_system_has_for_stdin_mean_stdin(qwen: Run, tiny: Path, names: list[str]) -> None:
    files = [word for name in names for word in ("-f", name)]
    done = qwen("ask", "-m", tiny, "-o", "max_tokens=1", "--json", *files, "What?", stdin=b"piped")
    kept = qwen("logs", "export", json.loads(done.stdout)["conversation_id"], "--format", "json").stdout
    assert json.loads(kept)["messages"][0]["content"] == "piped\n\nWhat?"


@needs_posix
def test_stdin_is_read_once_whatever_it_is_called(qwen: Run) -> None:
    done = qwen("read", "-", "/dev/fd/0", "-m", "demo", stdin=b"A note about boxes.")
    assert (done.returncode, done.stderr.count(b"tokens, at most"), b"There is nothing" in done.stderr) == (0, 1, False)


@needs_posix
def test_the_person_is_told_which_pipe_is_waited_for_and_that_it_has_not_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_file, "_SILENCE", 0.1)
    monkeypatch.setattr(whole_file, "_LOOK_EVERY", 0.02)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    told: list[str] = []
    writing: list[BinaryIO] = []

    def tell(sentence: str) -> None:
        told.append(sentence)
        if len(told) == 1:
            writing.append(pipe.open("wb", buffering=0))
            writing[0].write(b"first ")
        else:
            writing[0].write(b"second")
            writing[0].close()

    gathering = Gathering(Reading(tell))
    gathering.add(str(pipe))
    assert [one.text for one in gathering.materials] == ["first second"]
    assert "is a pipe: waiting until another program writes to it" in told[0]
    assert "Still reading" in told[1]


@needs_posix
def test_a_pipe_that_never_ends_is_read_no_further_than_any_text(qwen: Run, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write() -> None:
        with pytest.raises(BrokenPipeError), pipe.open("wb") as stream:
            while True:
                stream.write(b"y\n" * 10_000)

    writer = threading.Thread(target=write)
    writer.start()
    done = qwen("ask", "-m", "demo", "-f", pipe, "x")
    writer.join()
    assert (done.returncode, b"is larger than 8 MB" in done.stderr) == (1, True)


def changing(monkeypatch: pytest.MonkeyPatch, *changes: Callable[[], object]) -> None:
    """Make the first change right after the first reading, and so on."""
    waiting = list(changes)

    def read(stream: BinaryIO, name: str, size: int = 0) -> bytes:
        data = read_bytes(stream, name, size)
        if waiting:
            waiting.pop(0)()
        return data

    monkeypatch.setattr(whole_file, "read_bytes", read)


def gathered(path: str | Path) -> tuple[list[str], list[str]]:
    """Attach a file, and return its text and what the person was told."""
    told: list[str] = []
    gathering = Gathering(Reading(told.append))
    gathering.add(str(path))
    return [one.text for one in gathering.materials], told


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.txt"
    path.write_text("one")
    changing(monkeypatch, lambda: path.write_text("one two"))
    assert gathered(path) == (["one two"], [])


def test_a_file_that_keeps_changing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.txt"
    path.write_text("one")
    changing(monkeypatch, lambda: path.write_text("one two"), lambda: path.write_text("one two three"))
    texts, told = gathered(path)
    assert texts == ["one two"]
    assert told == [f"{path} keeps changing: what was read of it may be partly old and partly new."]


@pytest.mark.parametrize("changes", [1, 2])
def test_a_file_that_is_replaced_while_it_is_read_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: int
) -> None:
    path = tmp_path / "plan.txt"
    path.write_text("old")

    def replace(text: str) -> Callable[[], object]:
        (tmp_path / text).write_text(text)
        return lambda: (tmp_path / text).replace(path)

    # Each of the files is read as a whole.
    changing(monkeypatch, *[replace(text) for text in ("new", "newer")[:changes]])
    assert gathered(path) == (["new"], [])


def test_a_file_that_is_removed_while_it_is_read_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "plan.txt"
    path.write_text("old")
    changing(monkeypatch, path.unlink)
    assert gathered(path) == (["old"], [])


def test_a_file_that_is_too_large_is_refused_before_it_is_read(qwen: Run, tmp_path: Path) -> None:
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.truncate(2**33)
    done = qwen("ask", "-m", "demo", "-f", path, "x")
    assert (done.returncode, b"huge.txt is larger than 8 MB" in done.stderr) == (1, True)


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="only Linux has such files")
def test_files_of_the_kernel_have_no_size_and_are_read(tmp_path: Path) -> None:
    texts, _told = gathered("/proc/self/status")
    assert "Name:" in texts[0]


@pytest.mark.parametrize("name", ["CON", "con.txt", "C:\\docs\\aux.md", "prn", "COM1", "lpt¹.log", "CONIN$", "aux ."])
def test_names_that_windows_keeps_for_devices(name: str) -> None:
    assert is_device_of_windows(name)


@pytest.mark.parametrize("name", ["NUL", "console.txt", "com.txt", "COM10", "auxiliary", "my con.txt", "con/a.txt"])
def test_names_that_windows_takes_for_files(name: str) -> None:
    assert not is_device_of_windows(name)
