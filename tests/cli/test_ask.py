"""`qwen ask`, the whole program: what it prints to stdout and stderr, and its exit code."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import COMMAND, Run

Started = Any  # A Popen with pipes: mypy knows that they are not None.
SHORT = ("-o", "max_tokens=8", "-o", "temperature=0")
DEMO_QUESTION = "Show me some sample Python code"


def test_the_answer_and_nothing_else_is_on_stdout(process: Run, qwen: Run, tiny: Path) -> None:
    done = process("ask", "-m", tiny, *SHORT, "hello")
    assert done.returncode == 0
    assert done.stdout.strip()
    assert done.stdout.endswith(b"\n")
    assert b"\x1b" not in done.stdout
    whole = qwen("ask", "-m", "demo", "-o", "temperature=0", DEMO_QUESTION)
    assert whole.stdout
    assert whole.stderr == b""


def test_stdin_is_the_material_and_comes_first(qwen: Run, tiny: Path) -> None:
    piped = qwen("ask", "-m", tiny, *SHORT, "Summarise this", stdin="今天开会。".encode())
    typed = qwen("ask", "-m", tiny, *SHORT, "今天开会。\n\nSummarise this")
    assert piped.stdout == typed.stdout
    assert piped.returncode == typed.returncode == 0


def test_without_a_prompt_stdin_is_the_prompt(qwen: Run, tiny: Path) -> None:
    assert qwen("ask", "-m", tiny, *SHORT, stdin=b"hello").stdout == qwen("ask", "-m", tiny, *SHORT, "hello").stdout


def test_no_stdin_leaves_stdin_alone(qwen: Run, tiny: Path) -> None:
    alone = qwen("ask", "-m", tiny, *SHORT, "hello")
    assert qwen("ask", "-m", tiny, *SHORT, "--no-stdin", "hello", stdin=b"material").stdout == alone.stdout


def test_a_file_is_material_whatever_its_encoding(qwen: Run, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes("今天开会。".encode("gb18030"))
    given = qwen("ask", "-m", tiny, *SHORT, "-f", "notes.txt", "Summarise this")
    assert given.stdout == qwen("ask", "-m", tiny, *SHORT, "今天开会。\n\nSummarise this").stdout
    assert b"notes.txt was read as GB18030" in given.stderr
    # Without a prompt, the file is the question, like stdin.
    assert qwen("ask", "-m", tiny, *SHORT, "-q", "-f", "notes.txt").returncode == 0


def test_files_come_in_their_order_and_before_stdin_each_under_its_name(
    qwen: Run, tiny: Path, tmp_path: Path, home: Path
) -> None:
    (tmp_path / "b.txt").write_text("bee\n")
    (tmp_path / "a.txt").write_text("ay\n")

    def asked(*options: str, stdin: bytes | None = None) -> str:
        done = qwen(
            "ask",
            "-m",
            tiny,
            *SHORT,
            "--json",
            *options,
            "Compare",
            stdin=stdin,
            env={**os.environ, "HOME": str(tmp_path)},
        )
        kept = qwen("logs", "export", json.loads(done.stdout)["conversation_id"], "--format", "json").stdout
        return str(json.loads(kept)["messages"][0]["content"])

    assert asked("-f", "~/b.txt", "--file", "a.txt") == "--- ~/b.txt ---\nbee\n\n--- a.txt ---\nay\n\nCompare"
    assert asked("-f", "a.txt", stdin=b"piped") == "--- a.txt ---\nay\n\n--- the input ---\npiped\n\nCompare"
    assert asked("-f", "-", "-f", "a.txt", stdin=b"piped").startswith("--- the input ---\npiped\n\n--- a.txt")
    assert asked("-f", "a.txt", "--no-stdin", stdin=b"piped") == "ay\n\nCompare"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("none.txt", None, "No such file"),
        ("photo.png", b"\x89PNG\r\n\x1a\n\0\0", "is not text"),
        ("paper.pdf", b"%PDF-1.7 endstream", "is damaged"),
        ("letter.docx", b"PK\3\4 word/document.xml", "Fetch or export it once more"),
        ("large.txt", b"x" * (8 * 2**20 + 1), "larger than 8 MB"),
    ],
)
def test_a_file_that_cannot_be_material_is_refused(
    qwen: Run, tiny: Path, tmp_path: Path, name: str, content: bytes | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = qwen("ask", "-m", tiny, "-f", name, "x")
    assert done.returncode == 1
    assert done.stdout == b""
    lines = done.stderr.decode().splitlines()
    assert reason in " ".join(lines)
    assert name in lines[0]
    assert len(lines) == 2


def test_a_silent_stdin_is_explained(tiny: Path) -> None:
    with started("ask", "-m", tiny, *SHORT, stdin=subprocess.PIPE) as process:
        assert b"stdin" in process.stderr.readline()
        stdout, _ = process.communicate(b"hello", timeout=60)
    assert stdout.strip()


def test_json_is_one_object_with_everything_scripts_need(qwen: Run, tiny: Path) -> None:
    printed = json.loads(qwen("ask", "-m", tiny, *SHORT, "--json", "hello").stdout)
    assert printed["finish_reason"] == "length"
    assert printed["model"] == str(tiny)
    assert printed.keys() >= {"answer", "model", "finish_reason", "conversation_id", "usage", "timings"}
    assert printed["usage"]["completion_tokens"] == 8
    assert set(printed["usage"]) == {
        "prompt_tokens", "cached_tokens", "completion_tokens", "drafted_tokens", "accepted_tokens",
    }  # fmt: skip
    assert set(printed["timings"]) == {"load_s", "prefill_s", "decode_s", "ttft_s", "prefill_tps", "decode_tps"}


def test_usage_is_on_stderr(qwen: Run, tiny: Path) -> None:
    done = qwen("ask", "-m", tiny, *SHORT, "-u", "hello")
    assert b"8 in the answer" in done.stderr


@pytest.mark.parametrize("way", [(), ("-q",), ("-x",), ("-x", "-q"), ("-r",), ("-n",)], ids=" ".join)
def test_an_answer_that_was_cut_says_so_on_stderr_in_every_way(qwen: Run, tiny: Path, way: tuple[str, ...]) -> None:
    done = qwen("ask", "-m", tiny, *SHORT, *way, "hello")
    errors = done.stderr.decode().splitlines()
    assert done.returncode == 0
    assert errors[-2] == "The answer was cut off at 8 tokens: max_tokens allows no more."
    assert errors[-1].startswith("Allow more with -o max_tokens=N.")
    assert ("qwen ask -c" in errors[-1]) == ("-n" not in way)


def test_the_help_of_quiet_says_that_what_is_lost_is_told_all_the_same(qwen: Run) -> None:
    shown = " ".join(qwen("ask", "--help").stdout.decode().split())
    assert "No progress; of the notes, only what was lost or left out." in shown


def test_json_says_in_itself_that_the_answer_was_cut(qwen: Run, tiny: Path) -> None:
    done = qwen("ask", "-m", tiny, *SHORT, "--json", "-q", "hello")
    assert json.loads(done.stdout)["finish_reason"] == "length"
    assert done.stderr == b""
    assert b"max_tokens" in qwen("ask", "-m", tiny, *SHORT, "--json", "hello").stderr


def test_a_full_context_is_named_as_the_reason(qwen: Run, tiny: Path) -> None:
    done = qwen("ask", "-m", tiny, "--ctx-size", "256", "-o", "temperature=0", "-o", "max_tokens=5000", "hello")
    assert done.returncode == 0
    assert b"the context of 256 tokens is full.\nAsk again with a larger one: --ctx-size 512" in done.stderr


def test_unclosed_code_is_printed_and_the_command_fails(qwen: Run) -> None:
    asked = ("ask", "-m", "demo", "-o", "temperature=0", "-x", "-q", DEMO_QUESTION)
    whole = qwen(*asked)
    assert whole.returncode == 0
    cut = qwen(*asked, "-o", "max_tokens=60")
    assert cut.returncode == 1
    assert cut.stdout.strip()
    assert whole.stdout.startswith(cut.stdout.rstrip())
    assert b"cut off at 60 tokens" in cut.stderr
    assert b"The code block is not closed" in cut.stderr


def test_extract_without_a_code_block_gives_all_and_says_so(qwen: Run, tiny: Path) -> None:
    whole = qwen("ask", "-m", tiny, *SHORT, "hello")
    done = qwen("ask", "-m", tiny, *SHORT, "-x", "hello")
    assert done.stdout == whole.stdout
    assert b"no code block" in done.stderr
    assert b"code block" not in qwen("ask", "-m", tiny, *SHORT, "-x", "-q", "hello").stderr


@pytest.mark.parametrize("limit", ['"maxLength": 60', '"pattern": "^.{60}$"'])
def test_text_under_a_schema_is_json_too(qwen: Run, limit: str) -> None:
    # The demonstration model writes line breaks and quotes wherever the grammar allows them.
    schema = (
        f'{{"type": "object", "properties": {{"city": {{"type": "string", {limit}}}}},'
        ' "required": ["city"], "additionalProperties": false}'
    )
    for seed in (1, 2):
        done = qwen("ask", "-m", "demo", "--schema", schema, "-o", f"seed={seed}", "-o", "temperature=9", "x")
        assert isinstance(json.loads(done.stdout)["city"], str)


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_ends_ask_with_the_answer_so_far(
    tiny: Path, name: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With prompt lookup, a repetitive answer may be finished before the signal.
    monkeypatch.setenv("QWEN_TUI_LOOKUP", "false")
    with started("ask", "-m", tiny, "-o", "temperature=0", "--ctx-size", "32000", "hello") as process:
        # Read without the buffer: `communicate` does not see what a buffer has read ahead.
        first = os.read(process.stdout.fileno(), 1)
        process.send_signal(getattr(signal, name))
        rest, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert (first + rest).endswith(b"\n")
    # By the time of the signal, it may have said that the answer repeats itself.
    assert errors.splitlines()[-1] == b"The answer was stopped."
    assert b"Traceback" not in errors


def test_a_closed_pipe_ends_quietly(tiny: Path) -> None:
    with started("ask", "-m", tiny, "--ctx-size", "16384", "hello") as process:
        process.stdout.read(1)
        process.stdout.close()
        assert process.wait(timeout=60) == 0
        assert process.stderr.read() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_one_error(qwen: Run, tiny: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = qwen("ask", "-m", tiny, *SHORT, "hello", stdout=full, capture_output=False, stderr=subprocess.PIPE)
    assert done.returncode == 74
    assert done.stderr.startswith(b"qwen: The answer could not be written")
    with Path("/dev/full").open("wb") as full:
        done = qwen("config", "show", stdout=full, capture_output=False, stderr=subprocess.PIPE)
    assert done.returncode == 74
    assert b"ask again" not in done.stderr, "it was no answer"


def test_a_module_of_the_users_does_not_get_in_the_way(process: Run, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "types.py").write_text("raise SystemExit('imported')")
    assert process("ask", "-m", tiny, *SHORT, "hello").returncode == 0


def test_debug_shows_llama_cpps_log(process: Run, tiny: Path) -> None:
    done = process("ask", "-m", tiny, *SHORT, "hello", env={**os.environ, "QWEN_TUI_DEBUG": "1"})
    assert b"llama_model_load" in done.stderr


def test_the_language_can_be_chosen(qwen: Run, tiny: Path) -> None:
    assert "没有" in qwen("ask", "-m", "nothing", "--lang", "zh", "x").stderr.decode()


def test_a_non_utf8_locale_loses_nothing(process: Run, tiny: Path) -> None:
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert process("ask", "-m", tiny, *SHORT, "你好", env=environment).returncode == 0


def test_settings_come_from_file_environment_and_flags(qwen: Run, tiny: Path) -> None:
    qwen("config", "set", "model", tiny)
    qwen("config", "set", "max_tokens", "3")
    assert json.loads(qwen("ask", "--json", "hello").stdout)["usage"]["completion_tokens"] == 3
    environment = {**os.environ, "QWEN_TUI_MAX_TOKENS": "5"}
    asked = qwen("ask", "--json", "hello", env=environment)
    assert json.loads(asked.stdout)["usage"]["completion_tokens"] == 5
    asked = qwen("ask", "--json", "-o", "max_tokens=7", "hello", env=environment)
    assert json.loads(asked.stdout)["usage"]["completion_tokens"] == 7


def test_the_command_is_also_a_module() -> None:
    assert subprocess.run([sys.executable, "-m", "qwen_tui.cli.main", "--version"], check=True).returncode == 0


def started(*arguments: str | Path, stdin: int = subprocess.DEVNULL) -> Started:
    """Return the program as a running process."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_drafting_can_be_switched_off(qwen: Run, tiny: Path) -> None:
    words = ("ask", "-m", tiny, "--json", "-o", "temperature=0", "-o", "max_tokens=100", "count count count count")
    drafted = [
        json.loads(qwen(*words, env={**os.environ, "QWEN_TUI_LOOKUP": setting}).stdout)["usage"]["drafted_tokens"]
        for setting in ("true", "false")
    ]
    assert drafted[0] > 0
    assert drafted[1] == 0
