"""What the Tab key of a shell offers, and how the shell gets it from the program."""

import io
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from qwen_tui import files
from qwen_tui.cli.environment import Environment
from qwen_tui.cli.main import main
from qwen_tui.history.store import History
from qwen_tui.messages import Question
from qwen_tui.quoting import command_line, quoted
from tests.conftest import COMMAND, Run


def offered(*words: str, shell: str = "fish", **variables: str) -> dict[str, str]:
    """Return the completions of the last of `words`, which follow `qwen`, with their descriptions."""
    stdout = io.StringIO()
    asked = {"_QWEN_TUI_COMPLETE": shell, "_QWEN_TUI_WORDS": "\x1f".join(words)}
    assert main([], Environment(None, stdout, io.StringIO(), {**os.environ, **asked, **variables})) == 0
    lines = [line.partition("\t") for line in stdout.getvalue().splitlines()]
    return {word: said for word, _tab, said in lines}


@pytest.mark.parametrize(
    ("words", "some", "none"),
    [
        ([""], {"ask", "chat", "help"}, {"list"}),
        (["mo"], {"models"}, {"ask"}),
        (["--v"], {"--version"}, {"--help"}),
        (["--lang", "zh", "te"], {"templates"}, {"ask"}),
        (["help", "lo"], {"logs"}, set()),
        (["help", "logs", ""], {"list", "rm"}, {"logs"}),
        (["logs", "s"], {"show", "search"}, {"list"}),
        (["logs", "rm", "--o"], {"--older-than"}, {"--all"}),
        (["ask", "--c"], {"--continue", "--cid", "--ctx-size"}, {"-c", "--model"}),
        (["ask", "-q", "--no-"], {"--no-log", "--no-stdin"}, set()),
        (["ask", "-m", ""], {"demo", "qwen3-4b-instruct", "qwen3-4b-instruct:Q8_0"}, set()),
        (["ask", "--model=qwen3-4b-instruct:Q8"], {"--model=qwen3-4b-instruct:Q8_0"}, {"demo"}),
        (["ask", "-mde"], {"-mdemo"}, set()),
        (["pull", "qw"], {"qwen3-4b-instruct"}, {"demo"}),
        (["ask", "-o", "te"], {"temperature="}, {"seed="}),
        (["ask", "--gpu-layers", ""], {"auto", "all"}, set()),
        (["ask", "--lang", ""], {"zh", "en"}, set()),
        (["chat", "-t", "email"], {"email", "email-tone"}, {"summary"}),
        (["ask", "-t", "email", "-p", "to"], {"tone=", "tone=friendly"}, set()),
        (["templates", "show", "sum"], {"summary"}, set()),
        (["config", "set", "the"], {"theme"}, {"model"}),
        (["config", "set", "theme", ""], {"auto", "dark", "light"}, set()),
        (["config", "set", "history", ""], {"true", "false"}, set()),
        (["config", "set", "model", "de"], {"demo"}, set()),
        (["config", "show", "temp"], {"temperature"}, set()),
        (["logs", "export", "--format", ""], {"md", "html", "json"}, set()),
        (["compare", "--a", "d"], {"device=cpu", "device=gpu"}, {"threads="}),
        (["compare", "--f", "t"], {"threads=", "template=task"}, {"device=cpu"}),
        (["compare", "--tasks", ""], {"ages", "http", "all"}, {"summary.en"}),
    ],
)
def test_the_words_that_can_follow_are_offered(words: list[str], some: set[str], none: set[str]) -> None:
    found = offered(*words).keys()
    assert some <= found
    assert not none & found


@pytest.mark.parametrize("words", [["ask", "-f", ""], ["ask", "-m", "./"], ["models", "import", ""], ["pack", "o"]])
def test_files_are_left_to_the_shell(words: list[str]) -> None:
    assert list(offered(*words)) == [":files"]


@pytest.mark.parametrize(
    "words", [["nosuch", ""], ["ask", "--threads", ""], ["logs", "path", ""], ["ask", "-t", "x", "-p", ""]]
)
def test_nothing_is_offered_where_nothing_is_known(words: list[str]) -> None:
    assert offered(*words) == {}


def test_conversations_are_offered_by_their_ids_with_what_they_are_about(home: Path) -> None:
    assert offered("logs", "show", "") == {}
    assert not home.exists(), "looking makes no file"
    turn = History(files.folders().history).begin(None, Question("请发邮件"), model="m", system=None)
    for words in (["logs", "show", ""], ["logs", "rm", "x", ""], ["ask", "--cid", ""]):
        found = offered(*words)
        assert list(found) == [turn.conversation]
        assert "请发邮件" in found[turn.conversation]


def test_what_is_said_of_each_is_in_the_language_in_use() -> None:
    assert "对话" in offered("logs", "sh", QWEN_TUI_LANG="zh")["show"]


def test_bash_gets_what_stands_behind_its_break_and_quotes_where_they_are_needed(home: Path) -> None:
    (home / "templates").mkdir(parents=True)
    (home / "templates" / "my mail.md").write_text("---\ndescription: x\n---\nWrite.\n")

    def for_bash(line: str) -> list[str]:
        return list(offered(line, shell="bash", _QWEN_TUI_BREAKS=" =:"))

    assert for_bash("qwen ask -m qwen3-4b-instruct:Q8") == ["Q8_0"]
    assert for_bash("qwen ask --model=dem") == ["demo"]
    assert for_bash("qwen ask -s 'It is' -m dem") == ["demo"]
    assert for_bash('qwen ask -m "dem') == ["demo"]
    assert for_bash("qwen ask -t my") == [quoted("my mail")]
    assert "chat" in for_bash("qwen ")
    assert for_bash("qwen ask -f ") == [], "bash then offers files by itself"


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the command `qwen`, which is the first on the PATH, with a new home folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("qwen", "qwen-tui"):
        (folder / name).write_text(f'#!/bin/sh\nexec {command_line(*COMMAND)} "$@"\n')
        (folder / name).chmod(0o700)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("ZDOTDIR", raising=False)
    return folder


_ASK_BASH = """
. ~/.bashrc
COMP_LINE='qwen-tui ask -o temp' COMP_POINT=20 COMP_WORDBREAKS=' =:'
_qwen_tui qwen-tui
printf '%s\\n' "${COMPREPLY[@]}"
"""
_ASK_ZSH = """
zmodload zsh/zpty
zpty -b shell zsh -i
zpty -w shell 'PS1=; bindkey -e; unset zle_bracketed_paste; print begun'
zpty -r shell seen '*begun*begun*'
zpty -w -n shell $'qwen-tui ask -o temp\\t'
zpty -r shell seen '*temperature=*'
print $seen
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX shells")
@pytest.mark.parametrize(
    ("shell", "asks"),
    [("bash", _ASK_BASH), ("zsh", _ASK_ZSH), ("fish", "complete -C 'qwen-tui ask -o temp'")],
)
def test_a_shell_completes_once_it_is_installed(shell: str, asks: str, command: Path, qwen: Run) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    Path.home().mkdir()
    start = Path.home() / f".{shell}rc"
    start.write_bytes(b"# mine \xff\x0c\r\n# no end")
    for _twice in range(2):
        assert qwen("--install-completion", shell).returncode == 0
    before, *added = start.read_bytes().split(b"# no end")[1].split(b"\n")
    assert start.read_bytes().startswith(b"# mine \xff\x0c\r\n# no end")
    assert (before, len(added)) == (b"", 0 if shell == "fish" else 2), "a shell's own file is added to once"
    said = subprocess.run([shell, "-c", asks], capture_output=True, timeout=60)
    assert b"temperature=" in said.stdout


def test_a_script_is_printed_and_an_unknown_shell_is_refused(qwen: Run) -> None:
    for shell in ("bash", "zsh", "fish", "powershell"):
        assert b"qwen-tui" in qwen("--show-completion", shell).stdout
    refused = qwen("--show-completion=csh")
    assert refused.returncode == 2
    assert b"bash, zsh, fish, powershell" in refused.stderr
    assert b"--install-completion" in qwen("--help").stdout


def test_the_package_is_the_command(tmp_path: Path, qwen: Run) -> None:
    import sys

    said = subprocess.run([sys.executable, "-P", "-m", "qwen_tui", "-V"], capture_output=True, check=True)
    assert said.stdout == qwen("--version").stdout
