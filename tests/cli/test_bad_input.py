"""For every kind of wrong input: one or two lines that say what to do, the right exit code, and no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.tiny_model import make_broken_models

# Longer than the name of a file may be on any system.
LONG = "x" * 300


def refused(done: "subprocess.CompletedProcess[bytes]", code: int, *words: str) -> None:
    message = done.stderr.decode()
    assert done.returncode == code, message
    assert "Traceback" not in message
    assert message.startswith("qwen: ")
    assert done.stdout == b""
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["ask", "-m", "qwen3-4b-instuct", "x"], 1, ["Did you mean", "qwen3-4b-instruct"]),
        (["ask", "-m", "qwen3-4b-instruct:Q9", "x"], 1, ["Did you mean", "qwen3-4b-instruct:Q"]),
        (["ask", "x"], 1, ["not on this computer", "-m demo"]),
        (["ask", "-m", "missing.gguf", "x"], 1, ["no file", "missing.gguf"]),
        (["ask", "-m", ".", "x"], 1, ["is a folder"]),
        (["ask", "--bogus", "x"], 2, ["--bogus"]),
        (["bogus"], 2, ["bogus"]),
        (["ask", "-m", "demo", "-o", "colour=red", "x"], 2, ["colour=red", "temperature"]),
        (["ask", "-m", "demo", "-o", "top_p=7", "x"], 2, ["between 0 and 1"]),
        (["ask", "-m", "demo", "-o", "temperature", "x"], 2, ["NAME=VALUE"]),
        (["ask", "-m", "demo", "--ctx-size", "1", "x"], 2, ["256"]),
        (["ask", "-m", "demo", "--ctx-size", "big", "x"], 2, ["--ctx-size", "whole number"]),
        (["ask", "-m", "demo", "--threads", "0", "x"], 2, ["--threads"]),
        (["ask", "-m", "demo", "--gpu-layers", "some", "x"], 2, ["auto"]),
        (["ask", "-m", "demo", "--lang", "fr", "x"], 2, ["zh, en"]),
        (["ask", "-m", "demo", "--schema", "{", "x"], 2, ["not valid JSON"]),
        (["ask", "-m", "demo", "--schema", "none.json", "x"], 2, ["none.json"]),
        (["ask", "-m", "demo"], 2, ["no question"]),
        (["chat", "-m", "demo"], 2, ["terminal", "qwen ask"]),
        (["config", "set", "nothing", "1"], 1, ["no setting", "temperature"]),
    ],
)
def test_wrong_words(qwen: Run, arguments: list[str], code: int, words: list[str]) -> None:
    refused(qwen(*arguments), code, *words)


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("empty", "empty"),
        ("garbage", "not a valid model"),
        ("html", "web page"),
        ("truncated_header", "not a valid model"),
        ("truncated_tensors", "bytes"),
        ("block_count_zero", "engine gave up"),
        ("duplicate_token", "engine gave up"),
    ],
)
def test_wrong_models(qwen: Run, tmp_path: Path, fault: str, word: str) -> None:
    refused(qwen("ask", "-m", make_broken_models(tmp_path)[fault], "x"), 1, fault, word)


def test_a_prompt_longer_than_the_context_says_both_numbers(qwen: Run, tiny: Path) -> None:
    done = qwen("ask", "-m", tiny, "--ctx-size", "256", "summarise", stdin=b"hello world " * 500)
    refused(done, 1, " tokens", "holds 256", "--fit context")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process's own peak")
def test_100_mb_on_stdin_are_refused_fast_and_small(tiny: Path) -> None:
    # What `getrusage` tells is no less than what the process that started this one had taken.
    program = (
        "import sys; from qwen_tui.cli.main import main; code = main();"
        "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'));"
        "print(peak.split()[1], file=sys.stderr); sys.exit(code)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, "ask", "-m", str(tiny), "x"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    _, errors = process.communicate(b"x" * 100_000_000, timeout=60)
    assert process.returncode == 1
    assert b"larger than 8 MB" in errors
    assert int(errors.split()[-1]) < 200_000


@pytest.mark.parametrize("data", [b"\x00\x01\x02binary", bytes(range(256)) * 50])
def test_binary_stdin_is_refused(qwen: Run, tiny: Path, data: bytes) -> None:
    refused(qwen("ask", "-m", tiny, "x", stdin=data), 1, "not text")


def test_empty_stdin_without_a_prompt_is_no_question(qwen: Run, tiny: Path) -> None:
    refused(qwen("ask", "-m", tiny, stdin=b"\n"), 2, "no question")


@pytest.mark.parametrize(
    ("data", "note"),
    [
        ("你好，世界".encode("gb18030"), b"GB18030"),
        (b"caf\xe9 con le\xf1a", b"read as Windows-1252."),
        ("Zürich ".encode() * 9 + b"Don\x92t", b"1 byte of it is not"),
        (b"\x1b[31mred\x1b[0m", b"escape sequences were taken out"),
    ],
)
def test_other_encodings_are_read_with_a_note(qwen: Run, tiny: Path, data: bytes, note: bytes) -> None:
    done = qwen("ask", "-m", tiny, "-o", "max_tokens=3", "x", stdin=data)
    assert done.returncode == 0
    assert note in done.stderr


def test_a_missing_library_is_one_error(qwen: Run, tiny: Path, tmp_path: Path) -> None:
    done = qwen("ask", "-m", tiny, "x", env=unusable(tmp_path, "libllama.so: cannot open shared object file"))
    refused(done, 1, "llama.cpp cannot be loaded", "libllama.so", "pip install")


@pytest.mark.parametrize("missing", ["libcuda.so.1", "libcudart.so.13", "nvcuda.dll", "cublas64_12.dll"])
def test_a_cuda_build_without_a_driver_says_what_to_install(
    qwen: Run, tiny: Path, tmp_path: Path, missing: str
) -> None:
    reason = f"Failed to load 'libllama.so': {missing}: cannot open shared object file"
    done = qwen("ask", "-m", tiny, "x", env=unusable(tmp_path, reason))
    refused(done, 1, missing, "driver", "for the CPU: ", "pip install")


def test_a_damaged_cuda_build_is_not_taken_for_a_missing_driver(qwen: Run, tiny: Path, tmp_path: Path) -> None:
    done = qwen("ask", "-m", tiny, "x", env=unusable(tmp_path, "libggml-cuda.so: undefined symbol: ggml_abort"))
    refused(done, 1, "undefined symbol", "Install it again with")


def unusable(folder: Path, reason: str) -> dict[str, str]:
    """Return an environment in which llama.cpp cannot be loaded, because the worker finds another binding first."""
    package = folder / "site" / "llama_cpp"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "llama_cpp.py").write_text(f"raise RuntimeError({reason!r})")
    return {**os.environ, "PYTHONPATH": str(package.parent)}


def test_an_unwritable_home_does_not_stop_an_answer(qwen: Run, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = qwen(
        "ask", "-m", tiny, "-o", "max_tokens=3", "x", env={**os.environ, "QWEN_TUI_HOME": str(tmp_path / "file")}
    )
    assert done.returncode == 0


def test_a_broken_configuration_names_file_and_remedy(qwen: Run, home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("temperature = [")
    refused(qwen("ask", "-m", "demo", "x"), 1, "config.toml", "qwen config edit")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["ask", "-m", "demo", "-f", LONG, "x"], 1),
        (["ask", "-m", "demo", "-f", f"{LONG}/a.txt", "x"], 1),
        (["ask", "-m", "demo", "-f", "loop", "x"], 1),
        (["ask", "-m", "demo", "-f", "file/a.txt", "x"], 1),
        (["ask", "-m", LONG, "x"], 1),
        (["ask", "-m", f"{LONG}.gguf", "x"], 1),
        (["ask", "-m", "loop", "x"], 1),
        (["ask", "-m", "demo", "-t", LONG, "x"], 1),
        (["ask", "-m", "demo", "--schema", LONG, "x"], 2),
        (["templates", "show", LONG], 1),
        (["templates", "edit", LONG], 1),
        (["templates", "new", LONG], 74),
        (["models", "import", LONG], 1),
        (["models", "import", "loop"], 1),
        (["models", "show", LONG], 1),
        (["pack", f"{LONG}.tar", "-m", LONG], 1),
    ],
)
def test_no_path_ends_in_more_than_two_lines(qwen: Run, tmp_path: Path, arguments: list[str], code: int) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    done = qwen(*arguments)
    refused(done, code)
    assert len(done.stderr.decode().strip().splitlines()) <= 2
    assert "Free some space" not in done.stderr.decode()


def test_a_folder_that_was_removed_is_named(qwen: Run, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    program = "import os, sys; os.rmdir(os.getcwd()); from qwen_tui.cli.main import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, "ask", "-m", "demo", "x"],
        capture_output=True, stdin=subprocess.DEVNULL, cwd=tmp_path / "gone", timeout=60,
    )  # fmt: skip
    refused(done, 1, "The folder that you are in was removed.", "cd")


def test_an_encoding_is_named_on_the_command_line(qwen: Run, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "tree.txt").write_bytes("für €".encode("cp1252"))
    done = qwen("ask", "-m", tiny, "-o", "max_tokens=3", "-f", "tree.txt", "--encoding", "cp1252", "x", stdin=b"\x80")
    assert done.returncode == 0
    assert b"read as" not in done.stderr
    refused(qwen("ask", "-m", tiny, "--encoding", "gbkk", "x"), 2, "“gbkk”", "gb18030")
    refused(qwen("ask", "-m", tiny, "--encoding", "rot13", "x"), 2, "“rot13”", "windows-1252")
