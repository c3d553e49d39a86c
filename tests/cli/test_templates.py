"""Templates through the command line."""

import json
import os
from pathlib import Path

import pytest

from tests.conftest import Run

SHORT = ("-o", "max_tokens=4", "-o", "temperature=0")


def test_ask_fills_a_template_with_material_and_values(qwen: Run, tiny: Path) -> None:
    done = qwen("ask", "-m", tiny, *SHORT, "-t", "summary", "-p", "length=one line", "--json", stdin=b"The notes.")
    kept = json.loads(done.stdout)["conversation_id"]
    conversation = json.loads(qwen("logs", "export", kept, "--format", "json").stdout)
    assert conversation["system"].strip()
    assert conversation["messages"][0]["content"].startswith("The notes.")
    assert "one line" in conversation["messages"][0]["content"]


def test_missing_values_of_a_template_are_named(qwen: Run, tiny: Path) -> None:
    missing = qwen("ask", "-m", tiny, "-t", "email")
    assert missing.returncode == 2
    assert b"-p recipient" in missing.stderr
    unknown = qwen("ask", "-m", tiny, "-t", "emial", "x")
    assert unknown.returncode == 1
    assert b"email" in unknown.stderr


def test_templates_are_listed_in_the_language_in_use(qwen: Run) -> None:
    assert "Draft an email" in qwen("templates", "list").stdout.decode()
    assert "邮件" in qwen("templates", "list", env={**os.environ, "QWEN_TUI_LANG": "zh"}).stdout.decode()
    assert qwen("templates", "show", "email").stdout.startswith(b"---\ndescription:")


def test_templates_with_chinese_names_are_listed_in_straight_columns(qwen: Run, home: Path) -> None:
    qwen("templates", "new", "周报", env={**os.environ, "EDITOR": "true", "VISUAL": ""})
    lines = qwen("templates", "list").stdout.decode().splitlines()
    mine, email = (next(line for line in lines if line.startswith(name)) for name in ("周报", "email"))
    # The two characters of the name take four columns.
    assert mine.index("What it does") + 2 == email.index("Draft an email")


def test_the_persons_own_template_wins(qwen: Run, home: Path) -> None:
    environment = {**os.environ, "EDITOR": "true", "VISUAL": ""}
    assert qwen("templates", "new", "mine", env=environment).returncode == 0
    assert "mine" in qwen("templates", "list").stdout.decode()
    assert qwen("templates", "new", "mine", env=environment).returncode == 2
    assert qwen("templates", "edit", "email", env=environment).returncode == 0
    own = home / "templates" / "email.md"
    own.write_text("---\ndescription: my own\n---\nWrite a letter.")
    assert b"my own" in qwen("templates", "list").stdout
    own.write_text("no front matter")
    assert b"line 1" in qwen("templates", "edit", "email", env=environment).stderr
    assert b"! " in qwen("templates", "list").stdout
    assert qwen("templates", "new", "../x", env=environment).returncode == 2


@pytest.mark.parametrize("words", [("models", "list", "--lang", "zh"), ("--lang=zh", "models", "list")])
def test_every_command_speaks_the_language_that_is_named(qwen: Run, words: tuple[str, ...]) -> None:
    assert "还没有模型" in qwen(*words).stderr.decode()


@pytest.mark.parametrize("command", ["templates list", "ask -m demo -t slogan -p product=tea"])
def test_no_built_in_template_stands_in_for_one_that_cannot_be_seen(qwen: Run, home: Path, command: str) -> None:
    home.mkdir(exist_ok=True)
    (home / "templates").touch()
    done = qwen(*command.split())
    assert (done.returncode, done.stdout) == (1, b"")
    assert f"{home / 'templates'} cannot be used: Not a directory" in done.stderr.decode()
