"""Templates in the input line: what is inserted, and what is sent."""

from pathlib import Path

import pytest

from qwen_tui.chat import templates
from qwen_tui.chat.from_template import draft
from qwen_tui.errors import UsageError, WorkerDiedError
from qwen_tui.messages import Draft, Message, Slot
from tests.chat.test_repl import Clearing, Person, Talk
from tests.scripted_engine import ScriptedEngine

LETTER = """---
description: A letter
system: You write letters.
variables:
  to:
    description: who gets it
  tone:
    description: tone
    default: kind
    choices: [kind, firm]
---
Write to {{to}}, {{ tone }}, {{to}}!
"""
SHORTER = "---\ndescription: Make it short\nsystem: You cut.\n---\n{{input}}\n\nShorten the text above.\n"
AROUND = "---\ndescription: In the middle\n---\nHere: {{input}} - what is it?\n"
COMMAND = "---\ndescription: A command\n---\nWrite a command for {{task}}.\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "templates"
    folder.mkdir()
    for name, text in {"letter": LETTER, "shorter": SHORTER, "around": AROUND, "command": COMMAND}.items():
        (folder / f"{name}.md").write_text(text)
    return folder


def drafted(
    folder: Path, name: str, values: dict[str, str] | None = None, text: str = "", *, text_precedes: bool = False
) -> Draft:
    return draft(templates.find(name, [folder]), values or {}, text, text_precedes=text_precedes)


def test_variables_are_slots_and_given_values_are_text(folder: Path) -> None:
    assert drafted(folder, "letter") == Draft(
        "Write to [who gets it], kind, [who gets it]!",
        (Slot(9, "to", "[who gets it]", None, "who gets it"), Slot(24, "tone", "kind", "kind", "tone (kind, firm)"),
         Slot(30, "to", "[who gets it]", None, "who gets it")),
    )  # fmt: skip
    assert drafted(folder, "letter", {"to": "{{tone}}", "tone": "firm"}) == Draft("Write to {{tone}}, firm, {{tone}}!")
    with pytest.raises(UsageError, match="tone cannot be"):
        drafted(folder, "letter", {"tone": "rude"})


def test_the_text_goes_to_its_place_in_the_body(folder: Path) -> None:
    assert drafted(folder, "shorter", text="Long\n").text == "Long\n\nShorten the text above."
    before = drafted(folder, "letter", {"to": "Lee"}, "They wrote.")
    assert before.text == "They wrote.\n\nWrite to Lee, kind, Lee!"
    assert before.text[before.slots[0].start :].startswith("kind")
    assert drafted(folder, "command", text="big files") == Draft("Write a command for big files.")
    (slot,) = drafted(folder, "shorter").slots
    assert (slot.start, slot.name, slot.default) == (0, "input", None)


def test_what_is_attached_is_the_text(folder: Path) -> None:
    person = Person("/template shorter", "Shorten the text above.", "/template shorter")
    talk = Talk(ScriptedEngine("ok"), person, templates=folder, attached="Long.")
    assert person.texts[1] == "Shorten the text above."
    assert talk.prompts == [["You cut.", "Long.\n\nShorten the text above."]]
    assert person.texts[3].startswith("[the text it is about]")
    inserted = Person("/template around")
    talk = Talk(ScriptedEngine(), inserted, templates=folder, attached="a cat")
    assert inserted.texts[1] == "Here: a cat - what is it?"
    assert talk.session.attached == []


def test_a_template_applies_to_one_message(folder: Path) -> None:
    person = Person("/template letter", "Write!", "thanks", "/template shorter", "x", "/clear", "hello")
    talk = Talk(ScriptedEngine("1", "2", "3", "4"), person, templates=folder)
    assert talk.prompts[0] == ["You write letters.", "Write!"]
    assert talk.prompts[1][-1] == "thanks"
    assert talk.prompts[2][-1] == "You cut.\n\nx", "in a running talk its rules go into the message"
    assert talk.prompts[3] == ["hello"], "a new conversation does not inherit them"


def test_a_message_that_failed_keeps_its_template_and_may_be_undone_and_retried(folder: Path) -> None:
    engine = ScriptedEngine(WorkerDiedError("gone"), "1", "2", "3")
    person = Person(
        "/template letter", "Write!", "Write!", "/retry", "/template letter", "/etc is a path", "/undo", "/undo"
    )
    talk = Talk(engine, person, templates=folder)
    assert [error.message for error in talk.errors[:1]] == ["gone"]
    assert person.texts[2] == "Write!"
    assert talk.prompts == [["You write letters.", "Write!"]] * 3 + [
        ["You write letters.", "Write!", "2 ", "/etc is a path"]
    ]
    assert len(talk.errors) == 1


def test_clearing_the_line_drops_the_template(folder: Path) -> None:
    talk = Talk(ScriptedEngine("hi"), Clearing("/template letter", "hello"), templates=folder)
    assert talk.session.conversation.turns[0] == Message("user", "hello")
    assert talk.prompts == [["hello"]]


def test_slash_template_alone_lists_templates_and_an_unknown_name_gets_similar_ones(folder: Path) -> None:
    (folder / "broken.md").write_text("no front matter")
    talk = Talk(ScriptedEngine(), Person("/template", "/template leter"), templates=folder)
    assert "letter   A letter" in talk.shown[0]
    assert "broken   ! " in talk.shown[0]
    assert "letter" in talk.errors[0].remedy
