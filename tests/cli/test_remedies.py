"""The remedy of an error: it helps against the cause, and uses the names that the person used."""

import errno
import os
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.program import call

UNKNOWN = "which the llama.cpp installed here does not know"


@pytest.mark.parametrize(
    ("there", "instead", "words"),
    [
        # Both names have the same length, so the rest of the file stays valid.
        (b"qwen3", b"qwex9", ["architecture “qwex9”", UNKNOWN, "may well be whole", "-m"]),
        (b"qwen2", b"qwex9", ["tokenizer “qwex9”", UNKNOWN, "may well be whole", "-m"]),
        (b"<|im_start|>", b"<|xx_start|>", ["does not know ChatML", "may well be whole", "-m"]),
    ],
)
def test_a_complete_model_of_another_kind_is_not_fetched_again(
    there: bytes, instead: bytes, words: list[str], qwen: Run, tiny: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(tiny.read_bytes().replace(there, instead))
    done = qwen("ask", "-m", other, "Hello")
    told = done.stderr.decode()
    assert done.returncode == 1
    assert all(word in told for word in words), told
    assert "ownload" not in told
    assert len(told.splitlines()) == 2


@pytest.mark.parametrize("command", ["ask", "pull", "doctor", "tune", "bench"])
def test_a_wrong_option_is_named_as_it_was_typed_with_the_help_of_its_command(command: str, qwen: Run) -> None:
    done = qwen(command, "--lang", "fr")
    assert done.returncode == 2
    told = done.stderr.decode()
    assert "--lang: language cannot be “fr”" in told
    assert "--language" not in told
    assert told.endswith(f"See: qwen {command} --help\n")


@pytest.mark.skipif(os.name == "nt", reason="as POSIX shells take it")
def test_an_invalid_variable_is_named_with_the_command_that_removes_it(qwen: Run) -> None:
    for name, value in (("TEMPERATURE", "warm"), ("CTX_SIZE", "3"), ("LANG", "fr"), ("GPU_LAYERS", "x")):
        told = qwen(
            "ask", "-m", "demo", "Hello", env={**os.environ, "LC_ALL": "C.UTF-8", f"QWEN_TUI_{name}": value}
        ).stderr.decode()
        assert told.startswith(f"qwen: QWEN_TUI_{name}: ")
        assert f"cannot be “{value}”" in told
        assert told.endswith(f"unset QWEN_TUI_{name}\n")
        assert "config set" not in told


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "Free some space"),
        (errno.EACCES, "Check its permissions"),
        (errno.EROFS, "Check its permissions"),
        (errno.EIO, "Check the disk"),
    ],
)
@pytest.mark.parametrize("arguments", [["config", "set", "theme", "dark"], ["config", "edit"]])
def test_a_failed_write_of_settings_has_a_remedy(
    arguments: list[str],
    number: int,
    remedy: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    code, _out, told = call(*arguments)
    assert code == 74
    assert "config.toml could not be written: " in told
    assert remedy in told
    if number == errno.ENOSPC:
        assert "permissions" not in told


def test_a_template_that_finds_no_room_is_not_sent_to_another_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    done = call("templates", "new", "mine")
    assert done.code == 74
    assert "Free some space, or set QWEN_TUI_HOME" in done.err


@pytest.mark.parametrize(
    ("arguments", "whole"),
    [
        (("models", "rm", "nonsense"), "qwen models import PATH."),
        (("servers", "test", "nonsense"), "qwen servers add NAME URL"),
        (("ask", "-m", "demo", "--fit", "all", "Hello"), "qwen ask --help"),
    ],
    ids=" ".join,
)
def test_on_a_narrow_terminal_an_error_breaks_between_words_and_not_in_its_commands(
    arguments: tuple[str, ...], whole: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    wide = call(*arguments).err
    narrow = call(*arguments, typed="").err
    rows = narrow.splitlines()
    assert whole in wide and any(whole in row for row in rows)
    assert max(map(len, rows)) <= 40 < max(map(len, wide.splitlines()))
    # Only blanks became newlines.
    assert narrow.split() == wide.split()
