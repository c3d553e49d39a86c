"""Other programs are found on the PATH, and never in the current folder, where anybody may have put them."""

import os
import sys
from pathlib import Path

import pytest

from qwen_tui import programs


def put(folder: Path, name: str = "editor.exe") -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let Python search as on Windows, and return the current folder."""
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(programs, "ON_WINDOWS", True)
    monkeypatch.setenv("PATHEXT", ".exe")
    (tmp_path / "downloads").mkdir()
    monkeypatch.chdir(tmp_path / "downloads")
    return tmp_path / "downloads"


@pytest.mark.skipif(os.name == "nt", reason="it does as Windows does")
@pytest.mark.parametrize("name", ["editor", "editor.exe"])
def test_windows_does_not_look_in_the_current_folder(windows: Path, tmp_path: Path, name: str) -> None:
    put(windows)
    elsewhere = os.pathsep.join([str(tmp_path / "empty"), str(tmp_path / "system")])
    assert programs.find(name, elsewhere) is None
    with pytest.raises(FileNotFoundError, match=name):
        programs.located([name, "a file"], elsewhere)
    file = put(tmp_path / "system")
    assert programs.find(name, elsewhere) == str(file)
    assert programs.located([name, "a file"], elsewhere) == [str(file), "a file"]
    assert programs.find("./editor.exe", elsewhere) == "./editor.exe"


def test_the_path_of_the_process_counts_where_none_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = put(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert programs.find("editor.exe") == str(file)
    assert programs.find("no-such-program") is None


@pytest.mark.skipif(os.name == "nt", reason="Windows finds the program otherwise")
def test_elsewhere_the_system_finds_the_program_of_a_command_line() -> None:
    assert programs.located(["no-such-program", "x"], "") == ["no-such-program", "x"]
