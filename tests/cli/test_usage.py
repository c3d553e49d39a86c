"""Wrong command lines: the message says what is wrong, and what the person probably meant to type."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Run


def refused(done: "subprocess.CompletedProcess[bytes]") -> str:
    assert done.returncode == 2
    assert done.stdout == b""
    return done.stderr.decode()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        # A question without a command.
        (["is it's so?"], """qwen ask 'is it'"'"'s so?'"""),
        (["what", "is", "this"], "qwen ask 'what is this'"),
        (["你好吗？"], "qwen ask '你好吗？'"),
        (["-m", "demo", "hi there"], "qwen ask -m demo 'hi there'"),
        (["-5 + 3 = ?"], "qwen ask -- '-5 + 3 = ?'"),
        (["chat", "hi", "there"], "qwen ask 'hi there'"),
        # A question that begins with a dash.
        (["ask", "-5 + 3 = ?"], "qwen ask -- '-5 + 3 = ?'"),
        (["ask", "-5", "+", "3", "-m", "demo"], "qwen ask -m demo -- '-5 + 3'"),
        (["ask", "-f is what?"], "qwen ask -- '-f is what?'"),
        (["ask", "-m", "demo", "--help means what?"], "qwen ask -m demo -- '--help means what?'"),
        (["ask", "- 买牛奶\n- 卖"], "qwen ask -- '- 买牛奶\n- 卖'"),
        (["config", "set", "presence_penalty", "-1"], "qwen config set -- presence_penalty -1"),
        # Typing errors.
        (["modls"], "qwen models"),
        (["modls", "list"], "qwen models list"),
        (["help", "pul"], "qwen pull --help"),
        (["help", "nosuch"], "qwen --help"),
        # Names that other programs use. “get” is similar to “set”, but “config set NAME” removes a value.
        (["config", "get", "temperature"], "qwen config show temperature"),
        (["models", "remove", "a b"], "qwen models rm 'a b'"),
        (["models", "improt", "my model.gguf"], "qwen models import 'my model.gguf'"),
        (["-m", "demo", "ask", "hi there"], "qwen ask -m demo 'hi there'"),
        (["-m", "demo"], "qwen chat -m demo"),
        (["ask", "--modle", "demo", "hi"], "--model? See: qwen ask --help"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="quoted as POSIX shells take it")
def test_the_probable_command_is_named(typed: list[str], meant: str, qwen: Run) -> None:
    said = refused(qwen(*typed))
    assert said.rstrip("\n").endswith(meant)


def test_a_word_similar_to_no_command_is_a_question_and_an_ambiguous_one_gets_both_hints(qwen: Run) -> None:
    assert "qwen ask hello\nSee: qwen --help" in refused(qwen("hello"))
    assert "qwen chat" not in refused(qwen("what", "is", "this")), "“what” is no slip of “chat”"
    both = refused(qwen("tone", "down", "this"))
    assert "qwen tune down this" in both
    assert "qwen ask 'tone down this'" in both


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["pull", "--foo"], "qwen: There is no option --foo.\nSee: qwen pull --help\n"),
        (["pull", "a", "b"], "qwen: “b” is more than qwen pull takes.\nSee: qwen pull --help\n"),
        (["templates", "show"], "qwen: NAME is missing.\nSee: qwen templates show --help\n"),
        (["ask", "-m"], "qwen: -m needs a value.\nSee: qwen ask --help\n"),
        (["bench", "--json=1"], "qwen: --json takes no value.\nSee: qwen bench --help\n"),
        (
            ["logs", "list", "-n", "x"],
            "qwen: -n cannot be “x”: it has to be a whole number\nSee: qwen logs list --help\n",
        ),
        (["models", "--foo"], "qwen: There is no option --foo.\nSee: qwen models --help\n"),
    ],
)
def test_the_help_of_the_command_that_was_used_is_named(typed: list[str], said: str, qwen: Run) -> None:
    assert refused(qwen(*typed)) == said


def test_the_message_is_in_chinese_too(qwen: Run) -> None:
    chinese = {**os.environ, "QWEN_TUI_LANG": "zh"}
    for typed in (
        ["pull", "--foo"],
        ["ask", "-m"],
        ["templates", "show"],
        ["什么是", "熵"],
        ["models"],
        ["ask", "-1 是"],
    ):
        said = refused(qwen(*typed, env=chinese))
        assert not any(english in said for english in ("There", "See", "needs", "missing", "question", "begins"))


def test_a_hint_runs_when_it_is_pasted(qwen: Run, tiny: Path) -> None:
    said = refused(qwen("ask", "-m", tiny, "-o", "max_tokens=3", "-5 + 3 = ?"))
    program, *words = shlex.split(said.rpartition(": ")[2])
    assert program == "qwen"
    assert qwen(*words).returncode == 0


def test_help_is_a_command_too(qwen: Run) -> None:
    assert qwen("help").stdout == qwen("--help").stdout
    assert qwen("help", "models", "import").stdout == qwen("models", "import", "--help").stdout
    assert qwen("-V").stdout == qwen("--version").stdout


ENGLISH = re.compile(r"[A-Za-z]{2,}[,:]? [a-z]{2,} [a-z]{2,}")


@pytest.mark.parametrize(
    ("typed", "files"),
    [
        (["ask", "--help"], {}),
        (["bench", "--help"], {}),
        (["logs", "list", "--help"], {}),
        (["bench", "--rounds", "0"], {}),
        (["tune", "--seconds", "x"], {}),
        (["tune", "--seconds", "nan"], {}),
        (["logs", "list", "-n", "0"], {}),
        (["config", "set", "theme", "blue"], {}),
        (["config", "show"], {"home/config.toml": "top_k = [\n"}),
        (["config", "show"], {"home/config.toml": "top_k = 'many'\n"}),
        (["templates", "show", "mine"], {"home/templates/mine.md": "---\na: b: c\n---\nWrite.\n"}),
        (["ask", "--schema", "[1,", "hi"], {}),
        (["models", "import", "empty.zip"], {"empty.zip": "no archive"}),
        (["models", "show", "bad.gguf"], {"bad.gguf": "no model"}),
        (["logs", "list"], {"home/history.db": "no database" * 50}),
    ],
)
def test_no_english_sentence_is_left_in_the_chinese_program(
    typed: list[str], files: dict[str, str], process: Run, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    # A process of its own: help texts stay in the language in which their commands were imported.
    done = process(*typed, env={**os.environ, "QWEN_TUI_LANG": "zh"})
    said = (done.stdout + done.stderr).decode()
    assert re.search("[\u4e00-\u9fff]", said)
    # Commands that a person types stay English.
    assert not [line for line in said.splitlines() if ENGLISH.search(re.sub(r"qwen( -?-?[a-z]+)+", "", line))], said
    assert not re.search(r"[\u4e00-\u9fff][,;:!?]", said), said
