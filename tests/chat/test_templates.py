"""Templates: how their files are read, and how they are filled in."""

from pathlib import Path

import pytest

from qwen_tui import files
from qwen_tui.chat import templates
from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.from_template import compose, draft, parameters
from qwen_tui.chat.question import prompt_text
from qwen_tui.chat.templates import Template
from qwen_tui.errors import TemplateError, UsageError
from qwen_tui.messages import Material
from qwen_tui.terminal.width import Ruler

BUILT_IN = {
    "email", "email-tone", "python-script", "video-script", "meeting-minutes", "tech-rewrite", "weekly-report",
    "summary", "translate", "explain-simply", "lesson-plan", "proofread", "slogan", "code-review", "shell-command",
    "table",
}  # fmt: skip
LETTER = """---
description: A letter
system: |
  You write letters.
variables:
  to:
    description: who gets it
  tone:
    default: kind
    choices: [kind, firm]
---
Write to {{to}}, {{ tone }}.
"""


def template(tmp_path: Path, text: str = LETTER) -> Template:
    file = tmp_path / "letter.md"
    file.write_text(text, encoding="utf-8")
    return templates.read(file)


def filled(template: Template, values: dict[str, str], text: str) -> str:
    """Return the message that a template makes of a text in a new conversation."""
    return prompt_text(compose(Conversation(), [Material("text", text)] if text else [], "", template, values))


def test_values_and_defaults_fill_the_body(tmp_path: Path) -> None:
    letter = template(tmp_path)
    assert letter.description == "A letter"
    assert filled(letter, {"to": "Ms Lee"}, "") == "Write to Ms Lee, kind."
    assert filled(letter, {"to": "Ms Lee", "tone": "firm"}, "They wrote this.") == (
        "They wrote this.\n\nWrite to Ms Lee, firm."
    )


def test_braces_in_a_filled_in_value_stay(tmp_path: Path) -> None:
    assert filled(template(tmp_path), {"to": "{{tone}} {{input}}"}, "{{to}}") == (
        "{{to}}\n\nWrite to {{tone}} {{input}}, kind."
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "needs: to"),
        ({"to": "x", "tone": "rude"}, "tone cannot be “rude”"),
        ({"to": "x", "colour": "red"}, "no variable “colour”"),
    ],
)
def test_invalid_values_are_refused(tmp_path: Path, values: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        filled(template(tmp_path), values, "")


def test_a_template_about_a_text_needs_one(tmp_path: Path) -> None:
    about = template(tmp_path, "---\ndescription: x\n---\n{{input}}\n\nShorten it.")
    assert filled(about, {}, "long text\n") == "long text\n\nShorten it."
    with pytest.raises(UsageError, match="about a text"):
        filled(about, {}, " ")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("no front matter", 1, "front matter"),
        ("---\ndescription: x\nvariables: [\n---\nbody", 4, "expected"),
        ("---\ndescription: x\ncolour: red\n---\nbody", 3, "colour"),
        ("---\nfit: cut\n---\nbody", 2, "context, select, map, each"),
        ("---\ndescription: [1]\n---\nbody", 2, "description"),
        ("---\n- a\n---\nbody", 2, "name: value"),
        ("---\nvariables:\n  x:\n    type: int\n---\n{{x}}", 2, "“x” may have"),
        ("---\ndescription: x\n---\n\n", 5, "no text"),
        ("---\nx: !!python/object/apply:os.system [ls]\n---\nbody", 2, "python"),
    ],
)
def test_a_mistake_in_a_template_is_reported_with_file_and_line(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    with pytest.raises(TemplateError, match=words) as raised:
        template(tmp_path, text)
    assert f"letter.md, line {line}:" in raised.value.message


def test_the_users_folder_wins_and_names_cannot_leave_the_folders(tmp_path: Path) -> None:
    own, built_in = tmp_path / "own", tmp_path / "built-in"
    for folder in (own, built_in):
        folder.mkdir()
        (folder / "letter.md").write_text(f"---\ndescription: x\n---\n{folder.name}")
    assert templates.find("letter", [own, built_in]).body == "own"
    (tmp_path / "secret.md").write_text(LETTER)
    with pytest.raises(TemplateError, match="no template"):
        templates.find("../secret", [own])
    with pytest.raises(TemplateError, match="no template") as raised:
        templates.find("leter", [own])
    assert "letter" in raised.value.remedy


def test_the_words_are_the_value_of_the_only_missing_variable() -> None:
    shell = templates.find("shell-command", [files.packaged("templates") / "en"])
    conversation = Conversation()
    assert "Task: find big files" in prompt_text(compose(conversation, [], "find big files", shell, {}))
    assert conversation.system == shell.system


def test_in_a_running_conversation_the_system_prompt_goes_into_the_message(tmp_path: Path) -> None:
    conversation = Conversation("Be brief.")
    question = compose(conversation, [], "", template(tmp_path), parameters(["to=Ms Lee"]))
    assert prompt_text(question) == "You write letters.\n\nWrite to Ms Lee, kind."
    assert conversation.system == "Be brief."


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_built_in_templates_are_valid(language: str) -> None:
    folder = files.packaged("templates") / language
    assert set(templates.names([folder])) == BUILT_IN
    for name in BUILT_IN:
        built_in = templates.find(name, [folder])
        assert built_in.description
        assert built_in.system
        assert "{{" not in built_in.system
        values = {v.name: "x" for v in built_in.variables if v.default is None}
        assert "text at hand" in filled(built_in, values, "text at hand")


def test_the_built_in_templates_are_the_same_in_both_languages() -> None:
    for name in BUILT_IN:
        zh, en = (templates.find(name, [files.packaged("templates") / language]) for language in ("zh", "en"))
        assert {v.name for v in zh.variables} == {v.name for v in en.variables}
        assert {v.name for v in zh.variables if v.default is None} == {
            v.name for v in en.variables if v.default is None
        }
        assert zh.names_input == en.names_input


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_hints_of_the_built_in_templates_fit_a_terminal_of_80_columns(language: str) -> None:
    for name in BUILT_IN:
        for slot in draft(templates.find(name, [files.packaged("templates") / language]), {}).slots:
            assert Ruler().cells(f"{slot.name}: {slot.hint}") < 80, f"{name}: {slot.name}"
