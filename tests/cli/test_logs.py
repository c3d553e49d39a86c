"""`qwen logs`, and going on with stored conversations."""

import json
import os
from pathlib import Path

import pytest

from tests.conftest import Run

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


def test_exports_are_what_their_names_say(qwen: Run, kept: str, tmp_path: Path) -> None:
    for name in ("talk.md", "talk.html", "talk.json"):
        assert qwen("logs", "export", kept, tmp_path / name).returncode == 0
    assert json.loads((tmp_path / "talk.json").read_bytes())["id"] == kept
    page = (tmp_path / "talk.html").read_text(encoding="utf-8")
    assert "<b>" not in page
    assert "&lt;b&gt;现在" in page
    assert "prefers-color-scheme" in page
    assert b".docx" in qwen("logs", "export", kept, tmp_path / "talk.docx").stderr


def test_an_export_replaces_no_file(qwen: Run, kept: str, tmp_path: Path) -> None:
    talk = tmp_path / "talk.md"
    talk.write_text("mine")
    refused = qwen("logs", "export", kept, talk)
    assert refused.returncode == 2
    assert b"talk-2.md" in refused.stderr
    assert talk.read_text() == "mine"


def test_removing_is_for_good(qwen: Run, kept: str) -> None:
    assert qwen("logs", "rm", kept).returncode == 0
    assert qwen("logs", "list").stdout == b""
    refused = qwen("logs", "show", kept)
    assert refused.returncode == 1
    assert b"no conversation" in refused.stderr


def test_a_history_that_cannot_be_used_does_not_stop_an_answer(qwen: Run, tiny: Path, home: Path) -> None:
    home.mkdir()
    (home / "history.db").write_bytes(b"no database " * 50)
    done = qwen("ask", "-m", tiny, *SHORT, "x")
    assert done.returncode == 0
    assert done.stdout.strip()
    assert b"history.db" in done.stderr
    assert (home / "history.db").read_bytes() == b"no database " * 50
    assert qwen("logs", "list").returncode == 1


def test_there_is_nothing_to_go_on_with_at_first(qwen: Run, tiny: Path) -> None:
    done = qwen("ask", "-m", tiny, "-c", "x")
    assert done.returncode == 1
    assert b"qwen chat" in done.stderr


def test_a_conversation_about_a_file_is_called_by_its_question(qwen: Run, tiny: Path) -> None:
    qwen("ask", "-m", tiny, "-o", "max_tokens=3", "何时开会？", stdin="会议记录\n周五".encode())
    listed = qwen("logs", "list").stdout.decode()
    assert "何时开会？" in listed
    assert "会议记录" not in listed
