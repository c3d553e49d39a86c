"""`qwen logs`, and going on with stored conversations."""

import json
import os
import sqlite3
import sys
import time
from pathlib import Path

import pytest

from qwen_tui.history.store import History
from qwen_tui.messages import Material, Question
from tests.conftest import COMMAND, Run
from tests.program import call

SHORT = ("-o", "max_tokens=4", "-o", "temperature=0")


@pytest.fixture
def kept(qwen: Run, tiny: Path) -> str:
    """Return the id of a conversation with one turn."""
    done = qwen("ask", "-m", tiny, *SHORT, "--json", "-s", "Be brief.", "请发邮件给我\n<b>现在</b>")
    return str(json.loads(done.stdout)["conversation_id"])


def test_a_question_asked_is_listed_found_and_shown(qwen: Run, kept: str) -> None:
    assert f"{kept}  20" in qwen("logs", "list").stdout.decode()
    found = qwen("logs", "search", "邮件")
    assert kept in found.stdout.decode()
    assert found.returncode == 0
    assert qwen("logs", "search", "发票").returncode == 1
    shown = qwen("logs", "show", kept[:4]).stdout.decode()
    assert "# 请发邮件给我" in shown
    assert "Be brief." in shown


def test_continuing_goes_on_with_the_last_conversation_or_a_named_one(qwen: Run, kept: str, tiny: Path) -> None:
    again = json.loads(qwen("ask", "-m", tiny, *SHORT, "--json", "-c", "more").stdout)
    assert again["conversation_id"] == kept
    other = json.loads(qwen("ask", "-m", tiny, *SHORT, "--json", "something else").stdout)
    assert other["conversation_id"] != kept
    named = json.loads(qwen("ask", "-m", tiny, *SHORT, "--json", "--cid", kept, "and more").stdout)
    assert named["conversation_id"] == kept
    assert len(json.loads(qwen("logs", "export", kept, "--format", "json").stdout)["messages"]) == 6


def test_nothing_is_kept_when_nothing_should_be(qwen: Run, tiny: Path, home: Path) -> None:
    assert json.loads(qwen("ask", "-m", tiny, *SHORT, "--json", "-n", "x").stdout)["conversation_id"] is None
    environment = {**os.environ, "QWEN_TUI_HISTORY": "false"}
    assert qwen("ask", "-m", tiny, *SHORT, "x", env=environment).returncode == 0
    assert not home.exists()


def test_the_ending_of_the_name_decides_on_the_export(qwen: Run, kept: str, tmp_path: Path) -> None:
    for name in ("talk.md", "talk.html", "talk.json"):
        assert qwen("logs", "export", kept, tmp_path / name).returncode == 0
    assert json.loads((tmp_path / "talk.json").read_bytes())["id"] == kept
    page = (tmp_path / "talk.html").read_text(encoding="utf-8")
    assert "<b>" not in page
    assert "&lt;b&gt;现在" in page
    assert "prefers-color-scheme" in page
    assert b".docx" in qwen("logs", "export", kept, tmp_path / "talk.docx").stderr


def test_a_model_that_was_named_by_its_path_has_only_its_own_name_in_what_is_handed_on(qwen: Run, tiny: Path) -> None:
    folder = str(tiny.parent)
    assert qwen("ask", "-m", tiny, "-o", "max_tokens=2", "Hello").returncode == 0
    for form in ("md", "html", "json"):
        exported = qwen("logs", "export", "--format", form).stdout.decode()
        assert "tiny.gguf" in exported and folder not in exported
    for shown in (("show",), ("list", "--json"), ("search", "Hello", "--json")):
        printed = qwen("logs", *shown).stdout.decode()
        assert "tiny.gguf" in printed and folder not in printed
    # The conversation still knows where its model is.
    assert qwen("ask", "-c", "-o", "max_tokens=2", "Again").returncode == 0


def test_an_export_replaces_no_file(qwen: Run, kept: str, tmp_path: Path) -> None:
    talk = tmp_path / "talk.md"
    talk.write_text("mine")
    refused = qwen("logs", "export", kept, talk)
    assert refused.returncode == 2
    assert b"talk-2.md" in refused.stderr
    assert talk.read_text() == "mine"


def test_removing_is_for_good_and_says_what_it_removed(qwen: Run, kept: str) -> None:
    refused = qwen("logs", "rm", kept)
    assert (refused.returncode, refused.stdout) == (2, b"")
    assert b"--yes" in refused.stderr, "nobody can be asked"
    wrong = qwen("logs", "rm", kept, "aeiou", "--yes")
    assert wrong.returncode == 1
    assert "“aeiou”. Nothing was removed." in wrong.stderr.decode()
    done = qwen("logs", "rm", kept[:4], kept, "--yes").stdout.decode()
    assert f"{kept}  20" in done
    assert done.endswith("请发邮件给我\n1 conversation removed.\n")
    refused = qwen("logs", "show", kept)
    assert refused.returncode == 1
    assert b"no conversation" in refused.stderr


@pytest.fixture
def talks(home: Path) -> list[str]:
    """Three conversations: of today, of 40 days ago, and of two years ago."""
    history, ids = History(home / "history.db"), []
    for days, words in ((0, "a budget for May"), (40, "für die Küche"), (730, "邮件怎么写？")):
        turn = history.begin(None, Question(words), model="m", system=None)
        turn.update(f"The answer to {words}", "length", "context")
        ids.append(turn.conversation)
        written = time.time() - days * 86_400
        with sqlite3.connect(home / "history.db") as connection:
            connection.execute("UPDATE conversations SET written = ? WHERE id = ?", (written, turn.conversation))
    return ids


def test_old_conversations_or_all_are_removed(qwen: Run, talks: list[str]) -> None:
    for wrong in ([], ["--all", talks[0]], ["--all", "--older-than", "3d"], ["--older-than", "soon"]):
        refused = qwen("logs", "rm", "--yes", *wrong)
        assert (refused.returncode, refused.stdout) == (2, b""), wrong
    done = qwen("logs", "rm", "--older-than", "30d", "--yes").stdout.decode()
    assert done.endswith("2 conversations removed.\n")
    assert "Küche" in done
    assert talks[0] not in done
    none = qwen("logs", "rm", "--older-than", "30d", "--yes")
    assert (none.returncode, none.stdout) == (0, b"")
    assert b"no conversation to remove" in none.stderr
    assert qwen("logs", "rm", "--all", "--yes").returncode == 0
    assert "There is no conversation yet." in qwen("logs", "list").stderr.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX terminal")
def test_on_a_terminal_removing_is_asked_and_what_was_found_is_bold(talks: list[str]) -> None:
    from tests.terminal_screen import ENTER, Terminal

    terminal = Terminal(*COMMAND, "logs", "rm", "--older-than", "1y")
    terminal.wait_for(talks[2], "Remove this conversation for good? [y/N]")
    terminal.type("n" + ENTER)
    assert terminal.ended() in (0, 1)
    terminal = Terminal(*COMMAND, "logs", "search", "budget")
    terminal.wait_for_written("a \x1b[1mbudget\x1b[22m for May")
    assert terminal.ended() in (0, 1)


def test_where_there_is_nothing_it_is_said_and_no_file_is_made(qwen: Run, home: Path) -> None:
    for words, code in ((["list"], 0), (["search", "x"], 1), (["show"], 1), (["export"], 1), (["rm", "--all"], 0)):
        done = qwen("logs", *words)
        assert (done.returncode, done.stdout) == (code, b""), words
        assert b"o conversation" in done.stderr, words
    assert json.loads(qwen("logs", "list", "--json").stdout) == {"conversations": []}
    assert not home.exists()


def test_a_search_shows_who_said_what(qwen: Run, talks: list[str], home: Path) -> None:
    turn = History(home / "history.db").begin(
        None,
        Question("Summarise", (Material("long.txt", "word " * 40 + "budget " + "more " * 40),)),
        model="m",
        system=None,
    )
    turn.update("ok", "stop")
    lines = qwen("logs", "search", "budget").stdout.decode().splitlines()
    assert [line.split()[0] for line in lines[::2]] == [turn.conversation, talks[0]], "the last written first"
    assert lines[1].startswith("        long.txt: word word")
    assert lines[3] in ("        You: a budget for May", "        Assistant: The answer to a budget for May")
    found = json.loads(qwen("logs", "search", "Kuche", "--json").stdout)["conversations"]
    assert [(one["id"], one["match"]["kind"]) for one in found] in ([(talks[1], "words")], [(talks[1], "answer")])
    nothing = qwen("logs", "search", "Zanzibar")
    assert (nothing.returncode, nothing.stdout) == (1, b"")
    assert "“Zanzibar”" in nothing.stderr.decode()


def test_without_an_id_the_latest_is_shown_and_exported(qwen: Run, talks: list[str], tmp_path: Path) -> None:
    assert qwen("logs", "show").stdout == qwen("logs", "show", talks[2]).stdout
    assert qwen("logs", "export", tmp_path / "talk.json").returncode == 0
    latest = json.loads((tmp_path / "talk.json").read_text(encoding="utf-8"))
    assert latest["id"] == talks[2]
    assert latest["messages"][1]["limit"] == "context"


def test_a_history_that_cannot_be_used_does_not_stop_an_answer(qwen: Run, tiny: Path, home: Path) -> None:
    home.mkdir()
    (home / "history.db").write_bytes(b"no database " * 50)
    done = qwen("ask", "-m", tiny, *SHORT, "x")
    assert done.returncode == 0
    assert done.stdout.strip()
    assert b"history.db" in done.stderr
    assert (home / "history.db").read_bytes() == b"no database " * 50
    assert qwen("logs", "list").returncode == 1


def test_without_a_conversation_continuing_is_refused(qwen: Run, tiny: Path) -> None:
    done = qwen("ask", "-m", tiny, "-c", "x")
    assert done.returncode == 1
    assert b"qwen chat" in done.stderr


def test_a_conversation_about_a_file_is_called_by_its_question(qwen: Run, tiny: Path) -> None:
    qwen("ask", "-m", tiny, "-o", "max_tokens=3", "何时开会？", stdin="会议记录\n周五".encode())
    listed = qwen("logs", "list").stdout.decode()
    assert "何时开会？" in listed
    assert "会议记录" not in listed


def test_older_conversations_are_mentioned_on_a_terminal(qwen: Run, kept: str, tiny: Path) -> None:
    assert qwen("ask", "-m", tiny, *SHORT, "another").returncode == 0
    assert "There are older ones, too: qwen logs list -n 10" in call("logs", "list", "-n", "1", typed="").err
    assert not call("logs", "list", "-n", "2", typed="").err
