"""`qwen pack` and `qwen models import` of the pack, the whole program, from one computer to another."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.conftest import COMMAND, Run
from tests.program import call

SHORT = ("-o", "max_tokens=4", "-o", "temperature=0", "-n")
KINDS = ("pack", "pack.tar", "pack.zip")


@pytest.fixture(autouse=True)
def mine(tiny: Path, tmp_path: Path, qwen: Run) -> Path:
    """A model on this computer."""
    file = tmp_path / "mine.gguf"
    file.write_bytes(tiny.read_bytes())
    assert qwen("models", "import", file).returncode == 0
    return file


@pytest.fixture
def other(tmp_path: Path) -> dict[str, str]:
    """Another computer."""
    return {**os.environ, "QWEN_TUI_HOME": str(tmp_path / "other")}


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if "packing" in path.name or path.name.endswith(".importing")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_packed_model_is_imported_on_another_computer(
    qwen: Run, tmp_path: Path, other: dict[str, str], kind: str
) -> None:
    qwen("config", "set", "model", "mine.gguf")
    qwen("config", "set", "temperature", "0.1")
    made = qwen("pack", kind)
    assert made.returncode == 0, made.stderr
    assert made.stdout.decode() == f"Packed mine.gguf (306 kB) into {kind}.\n"
    taken = qwen("models", "import", tmp_path / kind, "--yes", env=other)
    assert taken.returncode == 0, taken.stderr
    assert b"-m mine.gguf" in taken.stdout
    assert b"The settings in the pack are yours now" in taken.stderr
    # The settings name the model, too.
    assert qwen("ask", *SHORT, "hello", env=other).returncode == 0
    assert b"temperature = 0.1" in qwen("config", "show", env=other).stdout
    again = qwen("models", "import", tmp_path / kind, "--yes", env=other)
    assert b"It is here already" in again.stdout
    assert b"you have your own" in again.stderr
    assert leftovers(tmp_path) == []


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="needs sha256sum")
def test_the_checksums_are_those_of_sha256sum(qwen: Run, tmp_path: Path) -> None:
    qwen("config", "set", "temperature", "0.1")
    qwen("pack", "-m", "mine", "pack")
    # The tool's "OK" differs in other languages.
    done = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"],
        cwd=tmp_path / "pack",
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["mine.gguf: OK", "config.toml: OK", "README.txt: OK"]
    readme = (tmp_path / "pack/README.txt").read_text()
    assert "qwen models import" in readme
    assert "校验" in readme


def test_without_settings(qwen: Run, tmp_path: Path, other: dict[str, str]) -> None:
    qwen("config", "set", "temperature", "0.1")
    assert qwen("pack", "-m", "mine", "--no-config", "pack").returncode == 0
    assert not (tmp_path / "pack/config.toml").exists()
    qwen("models", "import", tmp_path / "pack", "--yes", env=other)
    assert not Path(other["QWEN_TUI_HOME"], "config.toml").exists()


def test_a_model_named_by_its_path_goes_by_its_name_there(qwen: Run, tmp_path: Path, mine: Path) -> None:
    qwen("config", "set", "model", str(mine))
    assert qwen("pack", "pack").returncode == 0
    assert 'model = "mine.gguf"' in (tmp_path / "pack/config.toml").read_text()


@pytest.mark.parametrize("configured", ["", "qwen3-4b-instruct:Q8_0", "somewhere/else.gguf"])
def test_the_settings_name_a_model_that_is_in_the_pack(
    qwen: Run, tmp_path: Path, other: dict[str, str], configured: str
) -> None:
    if configured:
        qwen("config", "set", "model", configured)
    assert qwen("pack", "-m", "mine", "pack").returncode == 0
    qwen("models", "import", tmp_path / "pack", "--yes", env=other)
    # The steps of the README.
    assert qwen("ask", *SHORT, "hello", env=other).returncode == 0


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_overwritten_without_a_question(qwen: Run, tmp_path: Path, kind: str) -> None:
    assert qwen("pack", "-m", "mine", kind).returncode == 0
    refused = qwen("pack", "-m", "mine", kind)
    assert refused.returncode == 2
    assert b"There is already" in refused.stderr
    assert b"--yes" in refused.stderr
    assert qwen("pack", "-m", "mine", kind, "--yes").returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_overwritten_stays_a_link_and_keeps_its_permissions(qwen: Run, tmp_path: Path, kind: str) -> None:
    link = tmp_path / (kind if "." in kind else f"{kind}/mine.gguf")
    link.parent.mkdir(exist_ok=True)
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / "old").write_bytes(b"old")
    (stick / "old").chmod(0o664)
    link.symlink_to(stick / "old")
    assert qwen("pack", "-m", "mine", kind, "--yes").returncode == 0
    assert link.is_symlink()
    assert (stick / "old").stat().st_size > 300_000
    assert (stick / "old").stat().st_mode & 0o777 == 0o664
    assert list(stick.iterdir()) == [stick / "old"]


def test_other_files_on_a_stick_stay(qwen: Run, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / "holiday.jpg").write_bytes(b"a picture")
    assert qwen("pack", "-m", "mine", stick).returncode == 0
    assert {path.name for path in stick.iterdir()} == {
        "holiday.jpg",
        "mine.gguf",
        "README.txt",
        "SHA256SUMS",
        "config.toml",
        "qwen-pack.json",
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_model_is_not_packed_and_nothing_half_is_left(
    qwen: Run, tmp_path: Path, home: Path, kind: str
) -> None:
    file = home / "models/mine.gguf"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    done = qwen("pack", "-m", "mine", kind)
    assert done.returncode == 1
    assert b"damaged" in done.stderr
    assert not (tmp_path / kind).exists()
    assert leftovers(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits")
@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_cannot_have_large_files(qwen: Run, tmp_path: Path, kind: str) -> None:
    import resource

    done = subprocess.run(
        [*COMMAND, "pack", "-m", "mine", kind],
        cwd=tmp_path,
        capture_output=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert done.returncode == 74
    assert b"FAT32" in done.stderr
    assert not (tmp_path / kind).exists()
    assert leftovers(tmp_path) == []


def test_an_invalid_pack_or_target_is_refused(qwen: Run, tmp_path: Path) -> None:
    assert qwen("pack", "-m", "mine", "pack.tar.gz").returncode == 2
    assert qwen("pack", "-m", "nothing", "pack").returncode == 1
    (tmp_path / "file").write_text("")
    assert qwen("pack", "-m", "mine", "file").returncode == 74
    assert qwen("pack", "-m", "demo", "pack").returncode == 1
    for name in ("empty.tar", "empty.zip"):
        (tmp_path / name).write_bytes(b"")
        done = qwen("models", "import", tmp_path / name)
        assert done.returncode == 1
        assert b"Traceback" not in done.stderr
    with tarfile.open(tmp_path / "other.tar", "w") as tar:
        tar.add(tmp_path / "file", "file")
    assert b"qwen-pack.json cannot be read: it is not there." in qwen("models", "import", "other.tar").stderr


def test_links_in_a_pack_are_not_followed(qwen: Run, tmp_path: Path, other: dict[str, str], mine: Path) -> None:
    qwen("pack", "-m", "mine", "pack")
    (tmp_path / "pack/mine.gguf").unlink()
    (tmp_path / "pack/mine.gguf").symlink_to(mine)
    assert b"no plain file" in qwen("models", "import", tmp_path / "pack", env=other).stderr
    with tarfile.open(tmp_path / "links.tar", "w") as tar:
        tar.add(tmp_path / "pack/qwen-pack.json", "pack/qwen-pack.json")
        member = tarfile.TarInfo("pack/mine.gguf")
        member.type, member.linkname = tarfile.SYMTYPE, str(mine)
        tar.addfile(member)
    assert b"no plain file" in qwen("models", "import", tmp_path / "links.tar", env=other).stderr


def test_a_pack_cannot_give_its_model_a_published_name(qwen: Run, tmp_path: Path, other: dict[str, str]) -> None:
    qwen("pack", "-m", "mine", "pack")
    manifest = tmp_path / "pack/qwen-pack.json"
    content = json.loads(manifest.read_bytes())
    content["models"][0].update(name="qwen3-4b-instruct:Q4_K_M", pinned=True)
    manifest.write_text(json.dumps(content))
    done = qwen("models", "import", tmp_path / "pack", env=other)
    assert b"-m mine.gguf" in done.stdout
    assert b"No published hash is known for mine.gguf" in done.stderr


def test_invalid_settings_are_left_out(qwen: Run, tmp_path: Path, other: dict[str, str]) -> None:
    qwen("config", "set", "temperature", "0.1")
    qwen("pack", "-m", "mine", "pack")
    config, manifest = tmp_path / "pack/config.toml", tmp_path / "pack/qwen-pack.json"
    config.write_bytes(b"colour = 1\n")
    content = json.loads(manifest.read_bytes())
    content["config"].update(size=11, sha256=hashlib.sha256(config.read_bytes()).hexdigest())
    manifest.write_text(json.dumps(content))
    done = qwen("models", "import", tmp_path / "pack", "--yes", env=other)
    assert done.returncode == 0
    assert b"The settings in the pack are left out" in done.stderr
    assert qwen("config", "show", env=other).returncode == 0
    without_terminal = qwen("models", "import", tmp_path / "pack", env=other)
    assert b"--yes takes them over" in without_terminal.stderr


def test_the_portable_engine_goes_on_the_stick_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: dict[str, str], qwen: Run
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))
    said = call("pack", tmp_path / "stick", "-m", "mine.gguf", "--with-engine")
    assert said.code == 1
    assert "--kind portable" in said.err

    built = tmp_path / "environment" / "share" / "qwen-tui" / "engine-built"
    built.mkdir(parents=True)
    wheel = built / "llama_cpp_python-0.3.36-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("llama_cpp/lib/libggml-cpu-x64.so", "code")
    said = call("pack", tmp_path / "stick", "-m", "mine.gguf", "--with-engine")
    assert said.code == 0, said.err
    assert f"--no-deps --force-reinstall stick/{wheel.name}" in said.err.replace("\\", "/")
    assert (tmp_path / "stick" / wheel.name).read_bytes() == wheel.read_bytes()
    assert wheel.name in (tmp_path / "stick" / "SHA256SUMS").read_text()
    in_english, in_chinese = (tmp_path / "stick" / "README.txt").read_text(encoding="utf-8").split("供不能联网的电脑")
    for readme in (in_english, in_chinese):
        assert f"pip install --no-index --no-deps --force-reinstall {wheel.name}\n" in readme
    taken = qwen("models", "import", tmp_path / "stick", "--yes", env=other)
    assert taken.returncode == 0, taken.stderr


def test_an_archive_with_an_engine_is_unpacked_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    wheel = tmp_path / "share" / "qwen-tui" / "engine-built" / "llama_cpp_python-0.3.36-py3-none-any.whl"
    wheel.parent.mkdir(parents=True)
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("llama_cpp/lib/libggml-cpu-x64.so", "code")
    monkeypatch.chdir(tmp_path)
    for kind in ("tar", "zip"):
        said = call("pack", f"stick.{kind}", "-m", "mine.gguf", "--with-engine").err
        (unpacking,) = re.findall(r"python (-m .+)", said)
        (installing,) = re.findall(r"pip install --no-index --no-deps --force-reinstall (.+)", said)
        (tmp_path / kind).mkdir()
        shutil.move(f"stick.{kind}", tmp_path / kind)
        subprocess.run([sys.executable, *unpacking.split()], cwd=tmp_path / kind, check=True, timeout=60)
        assert (tmp_path / kind / installing).read_bytes() == wheel.read_bytes()


def test_without_an_engine_the_readme_names_none(tmp_path: Path) -> None:
    assert call("pack", tmp_path / "stick", "-m", "mine.gguf").code == 0
    readme = (tmp_path / "stick" / "README.txt").read_text(encoding="utf-8")
    assert "pip" not in readme
    assert "wheel" not in readme
