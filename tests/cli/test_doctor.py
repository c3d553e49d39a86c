"""`qwen doctor` as a command: with a model, without one, in Chinese, as JSON, and with every kind of problem."""

import json
import os
import shutil
import socket
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from qwen_tui.engine.library import library_files
from tests.conftest import Run
from tests.program import call


def test_the_demonstration_model_is_ready_to_answer(qwen: Run) -> None:
    done = qwen("doctor", "-m", "demo")
    shown = done.stdout.decode()
    assert done.returncode == 0, shown
    for section in ("This PC", "llama.cpp", "Plan", "Speed", "Folders"):
        assert section in shown
    assert "Nothing is wrong." in shown
    assert "\x1b" not in shown
    assert all(len(line) <= 80 or "/" in line for line in shown.splitlines())
    assert not done.stderr


def test_without_a_model_everything_else_is_reported_and_the_exit_code_says_so(qwen: Run) -> None:
    done = qwen("doctor")
    shown = done.stdout.decode()
    assert done.returncode == 1
    assert "qwen3-4b-instruct is not on this computer yet" in " ".join(shown.split())
    assert "processor" in shown


def test_one_json_object_whose_names_scripts_rely_on(qwen: Run) -> None:
    done = qwen("doctor", "-m", "demo", "--json")
    report = json.loads(done.stdout)
    assert set(report) == {
        *("version", "usable", "load", "machine", "build", "plan", "origin", "note", "speed"),
        *("model", "server", "folders", "network", "offline", "problems", "advice"),
    }
    assert report["usable"] is True
    assert report["network"] is None
    assert report["machine"]["memory"]["total"] >= report["machine"]["memory"]["free"] > 0
    assert report["plan"]["gpu_layers"] == 0
    assert report["plan"]["ram"]["weights"] > 0
    assert report["build"]["version"]
    assert report["speed"]["source"] in ("estimated", "unknown")


def test_it_speaks_chinese(qwen: Run) -> None:
    done = qwen("doctor", "-m", "demo", "--lang", "zh")
    assert done.returncode == 0
    assert "这台电脑" in done.stdout.decode()


def test_a_damaged_model_is_reported_with_a_remedy(qwen: Run, tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"<!DOCTYPE html><html>")
    done = qwen("doctor", "-m", "x.gguf", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert report["plan"] is None
    (problem,) = report["problems"]
    assert problem["code"] == "model_not_usable"
    assert "web page" in problem["message"]
    assert problem["remedy"]


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
def test_a_folder_that_others_can_read_is_reported(qwen: Run, home: Path) -> None:
    home.mkdir()
    home.chmod(0o755)
    report = json.loads(qwen("doctor", "-m", "demo", "--json").stdout)
    (problem,) = report["problems"]
    assert problem["code"] == "folder_not_private"
    assert str(home) in problem["remedy"]
    home.chmod(0o700)
    assert json.loads(qwen("doctor", "-m", "demo", "--json").stdout)["problems"] == []


def test_with_invalid_settings_the_rest_is_reported(qwen: Run, home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text("threads = 'many'\n")
    done = qwen("doctor", "-m", "demo", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert [problem["code"] for problem in report["problems"]] == ["settings"]
    assert report["build"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names of libraries")
def test_an_empty_variable_does_not_name_the_current_folder(
    qwen: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "libllama.so").write_bytes(b"code of a stranger")
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", "")
    assert json.loads(qwen("doctor", "-m", "demo", "--json").stdout)["build"]


def broken_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace llama.cpp by a library that cannot be loaded."""
    folder = tmp_path / "lib"
    folder.mkdir()
    for name in ("libllama", "libggml-cpu", "libggml-cuda"):
        (folder / f"{name}.so").write_bytes(b"no library")
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(folder))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names of libraries")
def test_a_library_that_cannot_be_loaded_is_reported(
    qwen: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_library(tmp_path, monkeypatch)
    done = qwen("doctor", "-m", "demo", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert report["build"] is None
    assert report["problems"][0]["code"] == "engine_not_usable"
    assert "build_engine.py" in report["problems"][0]["remedy"]
    assert qwen("doctor", "-m", "demo").returncode == 1


def test_no_socket_is_opened_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []

    def refuse(*arguments: Any, **_options: Any) -> Any:
        opened.append(arguments)
        raise OSError("no network here")

    # The measurement would raise the memory peak of this process, which other tests look at.
    monkeypatch.setattr("qwen_tui.evaluation.expectation.memory_bandwidth", lambda *_: None)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    assert call("doctor", "-m", "demo").code == 0
    assert not opened
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    done = call("doctor", "-m", "demo", "--network")
    assert done.code == 0
    assert not opened
    assert "not checked, since HF_HUB_OFFLINE is set" in done.out
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example")
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    done = call("doctor", "-m", "demo", "--network")
    assert done.code == 0
    assert opened
    assert "https://mirror.example: it cannot be reached" in " ".join(done.out.split())


def test_looking_changes_nothing(qwen: Run, home: Path) -> None:
    assert qwen("doctor", "-m", "demo").returncode == 0
    left = [path for path in home.rglob("*") if path.is_file()] if home.exists() else []
    assert not left
    assert not home.exists() or not stat.S_IMODE(home.stat().st_mode) & 0o077


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
def test_the_program_s_own_folders_are_private(qwen: Run, home: Path) -> None:
    assert qwen("ask", "-m", "demo", "Hello").returncode == 0
    assert json.loads(qwen("doctor", "-m", "demo", "--json").stdout)["problems"] == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the head of an ELF file tells how long it is")
def test_a_llama_cpp_that_was_not_copied_to_its_end_is_named(
    qwen: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "lib"
    shutil.copytree(library_files()[0].parent, folder)
    cut = folder / "libllama.so"
    content = cut.read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(folder))
    done = qwen("ask", "-m", "demo", "What is HTTP?")
    assert done.returncode == 1
    assert f"{cut}: file too short\nInstall it again with: " in done.stderr.decode()
    (problem,) = json.loads(qwen("doctor", "-m", "demo", "--json").stdout)["problems"]
    assert problem["code"] == "engine_not_usable"
    assert "Install it again" in problem["remedy"]
