"""A worker is killed in the middle of an answer: the answer appears once, and all that is said about it is true."""

import json
import sys
from pathlib import Path

import pytest

from tests.conftest import COMMAND, Run
from tests.faulty_llama import fault, install

if sys.platform == "win32":
    pytest.skip("needs a POSIX terminal", allow_module_level=True)

from tests.terminal_screen import Terminal

QUESTION = "用小学生能听懂的话解释 HTTP"
ASK = ("ask", "-n", "-m", "demo", "-o", "temperature=0")
TOLD = "The engine was killed (SIGKILL). It is started again, and the answer goes on."


@pytest.fixture
def whole(qwen: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the answer of an undisturbed worker; from then on, the first worker is killed after some tokens."""
    answer = signs(qwen(*ASK, QUESTION).stdout.decode())
    install(tmp_path, monkeypatch, fault("decode", "SIGKILL", nth=20, once=True), cards=())
    return answer


def signs(text: str) -> str:
    """Return the characters of a text that do not depend on its layout."""
    return "".join(filter(str.isalnum, text))


@pytest.mark.parametrize("way", [(), ("--raw",)], ids=["painted", "raw"])
def test_a_terminal_shows_the_answer_once(way: tuple[str, ...], whole: str) -> None:
    terminal = Terminal(*COMMAND, *ASK, *way, QUESTION)
    terminal.wait_for("the answer goes on.")
    assert terminal.ended(closing=False) == 0
    before, _told, behind = terminal.text.partition(TOLD)
    assert signs(before + behind) == whole


def test_with_stderr_elsewhere_the_answer_is_in_one_piece(whole: str, tmp_path: Path) -> None:
    words = [*COMMAND, *ASK, "--raw", QUESTION]
    terminal = Terminal("sh", "-c", f'"$@" 2>{tmp_path}/notes', "sh", *words)
    assert terminal.ended(closing=False) == 0
    assert signs(terminal.text) == whole
    assert (tmp_path / "notes").read_text() == TOLD + "\n"


def test_a_conversation_shows_the_answer_once(whole: str) -> None:
    terminal = Terminal(*COMMAND, "chat", "-n", "-m", "demo", "-o", "temperature=0")
    terminal.wait_for("\n>", "Ctrl-D leaves")
    terminal.enter(QUESTION)
    shown = terminal.wait_for("tokens/s", "\n>", "the answer goes on.")
    answer = shown.rpartition(QUESTION)[2].rpartition("\n>")[0]
    before, _told, behind = answer.partition(TOLD)
    assert signs(before + behind) == whole
    assert terminal.leave() == 0


def test_in_a_pipe_the_answer_is_in_one_piece(qwen: Run, whole: str) -> None:
    done = qwen(*ASK, QUESTION)
    assert signs(done.stdout.decode()) == whole
    assert done.stderr.decode() == TOLD + "\n"


def test_in_json_there_is_one_answer(qwen: Run, whole: str) -> None:
    done = qwen(*ASK, "--json", QUESTION)
    assert signs(json.loads(done.stdout)["answer"]) == whole
    assert done.stderr.decode() == TOLD + "\n"
