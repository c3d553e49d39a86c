"""`qwen models`, the whole program: importing, listing, showing, verifying, removing."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock

from qwen_tui.models import catalogue, disk
from qwen_tui.models.importing import candidates
from qwen_tui.quoting import quoted
from tests.conftest import COMMAND, Run
from tests.program import call
from tests.tiny_model import make_tiny_model

SHORT = ("-o", "max_tokens=4", "-o", "temperature=0", "-n")


@pytest.fixture(autouse=True)
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder in which no other program has left models."""
    folder = tmp_path / "person"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME", "OLLAMA_MODELS", "LLAMA_CACHE"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def mine(tiny: Path, tmp_path: Path) -> Path:
    file = tmp_path / "stick/mine.gguf"
    file.parent.mkdir()
    file.write_bytes(tiny.read_bytes())
    return file


def listed(qwen: Run) -> Any:
    done = qwen("models", "list", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def flip(file: Path, at: int) -> None:
    data = bytearray(file.read_bytes())
    data[at] ^= 16
    file.write_bytes(data)


def test_a_file_is_taken_over_listed_used_and_removed(qwen: Run, mine: Path, home: Path) -> None:
    before = mine.read_bytes()
    done = qwen("models", "import", mine)
    assert done.returncode == 0
    assert done.stdout == b"Imported; use it with: -m mine.gguf\n"
    assert done.stderr.decode().count("No published hash is known for mine.gguf") == 1
    assert mine.read_bytes() == before
    (one,) = listed(qwen)["models"]
    assert (one["name"], one["state"], one["linked"], one["pinned"]) == ("mine.gguf", "verified", False, False)
    assert one["sha256"] == hashlib.sha256(before).hexdigest()
    shown = qwen("models", "list").stdout.decode()
    assert "mine.gguf" in shown
    assert "verified 20" in shown
    assert qwen("models", "path", "mine").stdout.decode() == f"{home / 'models/mine.gguf'}\n"
    assert qwen("models", "path").stdout.decode() == f"{home / 'models'}\n"
    assert qwen("ask", "-m", "mine", *SHORT, "hello").returncode == 0
    refused = qwen("models", "rm", "mine")
    assert refused.returncode == 2
    assert b"--yes" in refused.stderr
    assert qwen("models", "rm", "mine", "--yes").stdout == b"mine.gguf is removed.\n"
    assert listed(qwen)["models"] == []
    assert not (home / "models/mine.gguf").exists()


def test_a_second_import_copies_nothing(qwen: Run, mine: Path, home: Path) -> None:
    qwen("models", "import", mine)
    again = qwen("models", "import", mine)
    assert again.returncode == 0
    assert again.stdout == b"It is here already; use it with: -m mine.gguf\n"
    assert len(list((home / "models").glob("*.gguf"))) == 1


def test_a_link_is_used_where_it_is_and_rm_leaves_the_file(qwen: Run, mine: Path, home: Path) -> None:
    done = qwen("models", "import", mine, "--link")
    assert f"{mine} must stay there" in done.stderr.decode()
    assert list((home / "models").glob("*.gguf")) == []
    assert qwen("ask", "-m", "mine.gguf", *SHORT, "hello").returncode == 0
    assert qwen("models", "rm", "mine", "--yes").stdout == b"mine.gguf is forgotten.\n"
    assert mine.exists()


def test_a_missing_linked_file_is_reported(qwen: Run, mine: Path) -> None:
    qwen("models", "import", mine, "--link")
    mine.unlink()
    for command in (("ask", "-m", "mine", "hello"), ("models", "show", "mine"), ("models", "verify")):
        done = qwen(*command)
        assert done.returncode == 1
        assert f"{mine} is no longer there" in (done.stdout + done.stderr).decode()
    assert b"missing" in qwen("models", "list").stdout
    assert qwen("models", "rm", "mine", "--yes").returncode == 0


def test_the_default_is_marked(qwen: Run, mine: Path) -> None:
    qwen("models", "import", mine)
    qwen("config", "set", "model", "mine")
    assert listed(qwen)["models"][0]["default"]
    assert b"default" in qwen("models", "list").stdout
    assert qwen("models", "show", "--json").returncode == 0


def test_show_describes_the_model(qwen: Run, mine: Path) -> None:
    qwen("models", "import", mine)
    shown = json.loads(qwen("models", "show", "mine", "--json").stdout)
    assert shown["architecture"] == "qwen3"
    assert shown["layers"] == 2
    assert shown["context"] == 32768
    assert shown["vocabulary"] > 300
    assert set(shown["tensors"]) == {"F16", "F32"}
    # Two layers with one KV head of 32 + 32 numbers of two bytes, for 8,192 tokens, beside weights and working memory.
    assert shown["memory"] == shown["size"] + 2 * 64 * 2 * 8192 + (400 << 20)
    text = qwen("models", "show", "mine").stdout.decode()
    assert "parameters" in text
    assert shown["sha256"] in text
    # A model that is not in the folder can be shown, too.
    assert json.loads(qwen("models", "show", "demo", "--json").stdout)["architecture"] == "qwen3"
    assert json.loads(qwen("models", "show", mine, "--json").stdout)["sha256"] is None


def test_damage_is_found_by_verify_and_never_loaded(qwen: Run, mine: Path, home: Path) -> None:
    qwen("models", "import", mine)
    assert qwen("models", "verify").returncode == 0
    file = home / "models/mine.gguf"
    flip(file, 200_000)
    asked = qwen("ask", "-m", "mine", *SHORT, "hello")
    assert asked.returncode == 1
    assert asked.stdout == b""
    assert b"damaged or was replaced" in asked.stderr
    assert b"qwen models import" in asked.stderr
    assert b"changed since" in qwen("models", "list").stdout
    done = qwen("models", "verify", "mine")
    assert done.returncode == 1
    assert b"mine.gguf: DAMAGED" in done.stdout
    # The path names the same file.
    assert qwen("ask", "-m", file, *SHORT, "hello").returncode == 1
    assert qwen("models", "import", mine).returncode == 0
    assert qwen("ask", "-m", "mine", *SHORT, "hello").returncode == 0


def test_a_folder_with_several_models_needs_a_choice(qwen: Run, mine: Path, tmp_path: Path) -> None:
    make_tiny_model(mine.parent / "second.gguf", layers=1)
    (mine.parent / "._mine.gguf").write_bytes(b"what macOS leaves")
    done = qwen("models", "import", mine.parent)
    assert done.returncode == 2
    assert "stick/second.gguf\n" in done.stderr.decode()
    (mine.parent / "second.gguf").unlink()
    assert qwen("models", "import", mine.parent).returncode == 0
    empty = tmp_path / "empty"
    empty.mkdir()
    assert b"no model in" in qwen("models", "import", empty).stderr


@pytest.mark.parametrize("content", [b"", b"<html>sign in</html>", b"PK\x03\x04"])
def test_a_file_that_is_not_a_model_is_refused(qwen: Run, tmp_path: Path, content: bytes, home: Path) -> None:
    file = tmp_path / "some.gguf"
    file.write_bytes(content)
    done = qwen("models", "import", file)
    assert done.returncode == 1
    assert b"some.gguf is not a valid model" in done.stderr
    assert not list(home.glob("models/*"))
    assert qwen("models", "import", "/no/such").returncode == 1


def test_unknown_names_are_answered_with_the_known_ones(qwen: Run, mine: Path) -> None:
    for command in ("verify", "rm"):
        done = qwen("models", command, "nothing", *(["--yes"] if command == "rm" else []))
        assert done.returncode == 1
        assert b"qwen pull" in done.stderr
    qwen("models", "import", mine)
    assert b"Did you mean: mine.gguf?" in qwen("models", "verify", "main").stderr


def test_partial_downloads_are_listed_and_removed(qwen: Run, home: Path) -> None:
    folder = home / "models"
    folder.mkdir(parents=True)
    q4 = "3605803b982cb64aead44f6c1b2ae36e3acdb41d8e46c8a94c6533bc4c67e597"
    (folder / f"{q4}.part").write_bytes(bytes(2_000_000))
    (folder / f"{q4}.part.json").write_bytes(b"{}")
    (partial,) = listed(qwen)["partial"]
    assert (partial["name"], partial["size"], partial["total"]) == ("qwen3-4b-instruct:Q4_K_M", 2_000_000, 2497281120)
    shown = qwen("models", "list").stdout
    assert b"2.0 MB of 2.50 GB  incomplete" in shown
    assert b"go on with: qwen pull qwen3-4b-instruct:Q4_K_M" in shown
    # The partial download from another publisher is resumed by its own name.
    other = catalogue.CATALOGUE[1]
    beside = folder / f"{other.sha256}.part"
    beside.write_bytes(bytes(10))
    assert f"go on with: qwen pull {other.repository}:{other.file}" in qwen("models", "list").stdout.decode()
    beside.unlink()
    assert qwen("models", "rm", "--partial", "--yes").stdout == b"1 incomplete file removed\n"
    assert list(folder.iterdir()) == []


def test_a_download_that_goes_on_is_left_alone(qwen: Run, home: Path) -> None:
    partial = home / "models/abc.part"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"some")
    with FileLock(f"{partial}.lock"):
        done = qwen("models", "rm", "--partial", "--yes")
    assert done.returncode == 1
    assert b"is being fetched just now" in done.stderr
    assert partial.exists()


def test_an_unknown_partial_download_is_shown_with_the_way_to_remove_it(qwen: Run, home: Path) -> None:
    partial = home / "models/abc.part"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"some")
    for notes in (None, b"{", b'{"begun": "an older version", "0123": "mark"}'):
        if notes:
            Path(f"{partial}.json").write_bytes(notes)
        shown = qwen("models", "list").stdout.decode()
        assert "abc.part" in shown
        assert "remove it with: qwen models rm --partial" in shown


@pytest.mark.skipif(sys.platform == "win32", reason="needs links and modes")
def test_an_import_that_goes_on_keeps_its_file(qwen: Run, mine: Path, home: Path) -> None:
    qwen("models", "import", mine)
    arriving = home / "models/tmp123.importing"
    arriving.write_bytes(b"some")
    lock = home / "models/import.lock"
    assert lock.stat().st_mode & 0o777 == 0o600
    with FileLock(lock):
        assert qwen("models", "rm", "--partial", "--yes").returncode == 1
    assert arriving.exists()
    assert qwen("models", "rm", "--partial", "--yes").returncode == 0
    assert not arriving.exists()
    assert lock.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs links")
def test_a_link_to_nothing_does_not_keep_the_file_beside_it_out(qwen: Run, mine: Path) -> None:
    (mine.parent / "gone.gguf").symlink_to("nowhere.gguf")
    done = qwen("models", "import", "--yes", mine.parent)
    assert done.returncode == 0, done.stderr
    assert b"-m mine.gguf" in done.stdout


def test_names_that_no_disk_accepts_are_reported(qwen: Run, mine: Path) -> None:
    long = "a" * 300 + ".gguf"
    imported = qwen("models", "import", long)
    assert imported.returncode == 1
    assert b"cannot be read" in imported.stderr
    qwen("models", "import", mine)
    packed = qwen("pack", "-m", "mine", "a" * 300)
    assert packed.returncode == 74
    assert b"Choose another name" in packed.stderr


def test_a_link_becomes_a_copy_when_it_is_imported_again(qwen: Run, mine: Path, home: Path) -> None:
    qwen("models", "import", "--link", mine)
    assert b"Imported" in qwen("models", "import", mine).stdout
    (one,) = listed(qwen)["models"]
    assert (one["name"], one["linked"]) == ("mine.gguf", False)
    assert (home / "models/mine.gguf").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs names that Windows does not take")
def test_names_of_files_cannot_control_the_terminal(qwen: Run, mine: Path) -> None:
    odd = mine.rename(mine.parent / "it's \x1b[31m red\x9b.gguf")
    make_tiny_model(mine.parent / "second.gguf", layers=1)
    several = qwen("models", "import", mine.parent)
    assert "'it'\"'\"'s" in several.stderr.decode().replace(f"{mine.parent}/", "")
    done = qwen("models", "import", odd)
    assert done.returncode == 0, done.stderr
    assert b"\x1b" not in done.stdout + done.stderr + several.stderr
    assert "\x9b" not in (done.stdout + done.stderr).decode()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX terminal")
def test_ctrl_d_at_a_question_leaves_a_whole_line(qwen: Run, mine: Path) -> None:
    from tests.terminal_screen import CTRL_D, Terminal

    qwen("models", "import", mine)
    terminal = Terminal("/bin/sh", "-c", f"{' '.join(COMMAND)} models rm mine; echo left")
    terminal.wait_for("[y/N]")
    terminal.type(CTRL_D)
    assert terminal.wait_for("left").rstrip().endswith("[y/N]\nleft")


@pytest.mark.parametrize("command", [("pack", "out", "-m"), ("models", "verify"), ("models", "rm", "--yes")])
def test_the_demonstration_model_is_built_in(qwen: Run, command: tuple[str, ...]) -> None:
    done = qwen(*command, "demo")
    assert done.returncode == 1
    assert b"built in" in done.stderr


def test_without_models_the_list_is_empty(qwen: Run, home: Path) -> None:
    done = qwen("models", "list")
    assert done.returncode == 0
    assert b"qwen pull" in done.stderr
    assert listed(qwen) == {"folder": str(home / "models"), "models": [], "partial": [], "elsewhere": []}
    assert qwen("models", "verify").returncode == 0
    assert not (home / "models").exists()


def test_models_of_other_programs_are_offered(qwen: Run, tiny: Path, person: Path) -> None:
    hub = person / ".cache/huggingface/hub/models--Qwen--Qwen3-0.6B-GGUF"
    (hub / "blobs").mkdir(parents=True)
    (hub / "blobs/abc").write_bytes(tiny.read_bytes())
    (hub / "snapshots/main").mkdir(parents=True)
    (hub / "snapshots/main/Qwen3-0.6B-Q8_0.gguf").symlink_to("../../blobs/abc")
    (found,) = listed(qwen)["elsewhere"]
    assert (found["name"], found["program"]) == ("Qwen3-0.6B-Q8_0.gguf", "Hugging Face")
    assert b"1 more model is in the folders of Hugging Face" in qwen("models", "list").stderr
    refused = qwen("models", "import")
    assert refused.returncode == 2
    assert b"Qwen3-0.6B-Q8_0.gguf" in refused.stderr
    assert b"-m Qwen3-0.6B-Q8_0.gguf" in qwen("models", "import", "--link", "--yes").stdout
    assert listed(qwen)["elsewhere"] == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX terminal")
class TestOnATerminal:
    def test_a_choice_is_asked_for_and_a_copy_is_the_default(self, tiny: Path, person: Path, home: Path) -> None:
        from tests.terminal_screen import ENTER, Terminal

        folder = person / ".lmstudio/models/lmstudio-community/Qwen3-4B-GGUF"
        folder.mkdir(parents=True)
        (folder / "Qwen3-4B-Q4_K_M.gguf").write_bytes(tiny.read_bytes())
        terminal = Terminal(*COMMAND, "models", "import")
        terminal.wait_for("1  Qwen3-4B-Q4_K_M.gguf", "LM Studio", "Type numbers")
        terminal.type("3" + ENTER)
        terminal.wait_for("Write numbers")
        terminal.type("1" + ENTER)
        terminal.wait_for("A link takes nothing", "Copy? [Y/n]")
        terminal.type(ENTER)
        terminal.wait_for("-m Qwen3-4B-Q4_K_M.gguf")
        assert terminal.ended() == 0
        assert (home / "models/Qwen3-4B-Q4_K_M.gguf").is_file()

    def test_removing_is_asked_about(self, qwen: Run, mine: Path, home: Path) -> None:
        from tests.terminal_screen import ENTER, Terminal

        qwen("models", "import", mine)
        for answer, code, left in (("", 1, True), ("y", 0, False)):
            terminal = Terminal(*COMMAND, "models", "rm", "mine")
            terminal.wait_for("Remove mine.gguf (306 kB)? [y/N]")
            terminal.type(answer + ENTER)
            assert terminal.ended() == code
            assert (home / "models/mine.gguf").exists() is left

    def test_ctrl_c_while_copying_leaves_nothing_half(self, tiny: Path, tmp_path: Path, home: Path) -> None:
        from tests.terminal_screen import CTRL_C, Terminal

        # Hashing this file takes a while: it is as large as a real one, but sparse, so it takes no space on the disk.
        large = tmp_path / "large.gguf"
        large.write_bytes(tiny.read_bytes())
        with large.open("r+b") as file:
            file.truncate(3 << 30)
        if os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize < 4 << 30:
            pytest.skip("needs 4 GB of disk")
        terminal = Terminal(*COMMAND, "models", "import", str(large))
        terminal.wait_for("Copying large.gguf", "MB/s")
        terminal.type(CTRL_C)
        assert terminal.ended() == 130
        assert [path.name for path in (home / "models").iterdir() if not path.name.endswith(".lock")] == []


def test_two_imports_at_once_end_in_one_file(mine: Path, tmp_path: Path, home: Path) -> None:
    codes: list[int] = []

    def run() -> None:
        codes.append(subprocess.run([*COMMAND, "models", "import", str(mine)], capture_output=True).returncode)

    threads = [threading.Thread(target=run) for _i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0, 0, 0]
    assert [path.name for path in (home / "models").glob("*.gguf")] == ["mine.gguf"]


def test_pull_mentions_a_file_that_another_program_has_fetched(qwen: Run, person: Path, tiny: Path) -> None:
    entry = catalogue.CATALOGUE[0]
    file = person / ".lmstudio/models/unsloth/some" / entry.file
    file.parent.mkdir(parents=True)
    file.write_bytes(tiny.read_bytes())
    # The program recognises the file by its size; the rest of it is a hole.
    os.truncate(file, entry.size)
    done = qwen("pull", "--offline")
    assert done.returncode == 1
    assert f"qwen models import {quoted(file)}" in done.stdout.decode()
    assert b"LM Studio has this model already" in done.stdout


@pytest.fixture
def all_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every file have the size of a published one: real ones are too large for a test."""
    monkeypatch.setattr(candidates, "of_size", lambda _size: catalogue.CATALOGUE[0])


@pytest.mark.usefixtures("all_recognised")
def test_after_a_refused_file_the_next_ones_are_imported(mine: Path, home: Path) -> None:
    for name in ("a-page.gguf", "z-page.gguf"):
        (mine.parent / name).write_bytes(b"<html>sign in</html>")
    done = call("models", "import", "--yes", mine.parent)
    assert done.code == 1
    assert done.out == "Imported; use it with: -m mine.gguf\n"
    said = done.err.splitlines()
    at = said.index("qwen: 2 of 3 files were not taken over:")
    for line, name in zip(said[at + 1 :], ("a-page.gguf", "z-page.gguf"), strict=True):
        assert f"{mine.parent / name} is not a valid model: it is a web page" in line
    assert [path.name for path in (home / "models").glob("*.gguf")] == ["mine.gguf"]


@pytest.mark.usefixtures("all_recognised")
def test_after_a_file_that_is_too_large_for_the_disk_a_smaller_one_is_imported(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    larger = mine.parent / "larger.gguf"
    larger.write_bytes(mine.read_bytes() + bytes(5_000_000))
    room = disk.SPARE + 2_000_000
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=room))
    done = call("models", "import", "--yes", mine.parent)
    assert done.code == 1
    assert "-m mine.gguf" in done.out
    assert "1 of 2 files was not taken over:" in done.err
    assert f"{larger}: There is too little room" in done.err


def test_the_removed_default_is_the_default_no_longer(qwen: Run, mine: Path, tmp_path: Path) -> None:
    other = make_tiny_model(tmp_path / "other.gguf", layers=1)
    for command in (("import", str(other)), ("import", str(mine)), ("use", "mine")):
        assert qwen("models", *command).returncode == 0
    done = qwen("models", "rm", "mine", "--yes")
    assert done.stdout.decode().splitlines() == [
        "mine.gguf is removed.",
        "It was the default; from now on other answers where no other model is named.",
    ]
    assert qwen("ask", "Hi", *SHORT).returncode == 0
    assert qwen("models", "use", "other").returncode == 0
    assert b"Choose another with: qwen models use NAME" in qwen("models", "rm", "other", "--yes").stdout
    assert b"qwen models import PATH" in qwen("ask", "Hi").stderr


def test_a_default_whose_file_is_gone_is_the_default_no_longer_either(qwen: Run, mine: Path) -> None:
    for command in (("import", "--link", str(mine)), ("use", "mine")):
        assert qwen("models", *command).returncode == 0
    mine.unlink()
    assert b"It was the default." in qwen("models", "rm", "mine.gguf", "--yes").stdout
    assert b"qwen models import PATH" in qwen("ask", "Hi").stderr
