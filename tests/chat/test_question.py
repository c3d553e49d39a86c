"""The parts of a question: the prompt made of them, and how they are stored, shown and edited."""

import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwen_tui import files
from qwen_tui.chat import templates
from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.export import export
from qwen_tui.chat.from_template import compose
from qwen_tui.chat.keeping import resume
from qwen_tui.chat.question import parts, prompt_text, to_edit
from qwen_tui.chat.templates import Template
from qwen_tui.errors import UsageError, WorkerDiedError
from qwen_tui.history.store import History
from qwen_tui.messages import Exchange, Filled, Material, Question
from tests.chat.test_repl import Board, Person, Talk
from tests.scripted_engine import ScriptedEngine

ZH, EN = (files.packaged("templates") / language for language in ("zh", "en"))
MATERIALS = (
    Material("notes.txt", "\n  会议记录\n\nFriday it is. \n\n"),
    Material("two\nlines.md", "# {{input}}\n\n```\n--- x ---\n```"),
    Material("blank", " \n\n"),
)
WORDS = ("", "  \n", "Shorten it.", "\n  do {{tone}} \nthis ", "短一点。")


class AsItWas:
    """How older versions made one text of a question, before it had parts: the prompt must not differ by a byte."""

    @staticmethod
    def labelled(materials: tuple[Material, ...]) -> list[str]:
        if len(materials) < 2:
            return [material.text for material in materials]
        return ["--- {} ---\n{}".format(" ".join(one.name.split()), one.text.strip("\n")) for one in materials]

    @staticmethod
    def ask_about(material: list[str], instruction: str) -> str:
        return "\n\n".join(part.strip("\n") for part in (*material, instruction) if part.strip())

    @staticmethod
    def fill(template: Template, values: dict[str, str], text: str) -> str:
        template.check(values)
        complete = {v.name: values.get(v.name, v.default) for v in template.variables}
        if None in complete.values() or (template.names_input and not text.strip()):
            raise UsageError("", "")
        given = {**complete, "input": text.strip("\n")}
        filled = re.sub(r"\{\{\s*([\w-]+)\s*\}\}", lambda slot: str(given[slot[1]]), template.body)
        return filled if template.names_input or not text.strip() else f"{text.strip()}\n\n{filled}"

    @classmethod
    def compose(
        cls,
        conversation: Conversation,
        materials: tuple[Material, ...],
        words: str,
        template: Template | None,
        values: dict[str, str],
    ) -> str:
        if template is None:
            return cls.ask_about(cls.labelled(materials), words)
        if words.strip() and (name := template.only_missing(values)):
            values, words = {**values, name: words}, ""
        message = cls.fill(template, values, cls.ask_about(cls.labelled(materials), words))
        if template.system and template.system != conversation.system and (conversation.turns or conversation.system):
            return f"{template.system}\n\n{message}"
        return message


def of_ones_own(folder: Path) -> Iterator[Template]:
    """Templates as people write them: with the text in the middle, twice, at the end or nowhere; with one variable."""
    for number, body in enumerate(
        (
            "Before {{input}} after.",
            "{{input}}\n{{tone}}\n{{input}}",
            "{{tone}}: {{input}}",
            "Do it {{tone}}.",
            "{{what}} and {{what}}, {{tone}}",
            "Then:\n{{what}}",
        )
    ):
        file = folder / f"own{number}.md"
        file.write_text(
            f"---\nsystem: Be kind.\nvariables: {{tone: {{default: softly}}}}\n---\n{body}", encoding="utf-8"
        )
        yield templates.read(file)


def outcome(conversation: Conversation, make: object, *arguments: object) -> object:
    """Return the message and the new system prompt, or that something is missing."""
    try:
        made = make(conversation, *arguments)  # type: ignore[operator]
    except UsageError:
        return UsageError
    return made if isinstance(made, str) else prompt_text(made)


def test_the_prompt_is_the_same_as_before_to_the_byte(tmp_path: Path) -> None:
    built_in = [templates.find(name, [folder]) for folder in (ZH, EN) for name in templates.names([folder])]
    answered = [Exchange(Question("Hello?"), "Hello.")]
    compared = 0
    for template in (None, *built_in, *of_ones_own(tmp_path)):
        missing = [v.name for v in template.variables if v.default is None] if template else []
        for values in ({}, dict.fromkeys(missing, "给 {{input}}\n"), dict.fromkeys(missing[1:], "x")):
            for materials in ((), MATERIALS[:1], MATERIALS[:2], MATERIALS[2:], MATERIALS):
                for words in WORDS:
                    for system, exchanges in ((None, []), ("Be brief.", []), (None, answered), ("Be brief.", answered)):
                        then = outcome(
                            Conversation(system, list(exchanges)), AsItWas.compose, materials, words, template, values
                        )
                        now = outcome(
                            Conversation(system, list(exchanges)), compose, materials, words, template, values
                        )
                        assert now == then
                        compared += now is not UsageError
    assert compared > 1000


SYSTEM_TEMPLATE = "---\ndescription: x\nsystem: You are a proofreader.\n---\n{{input}}\n\nMend it."
NOTES = Material("notes.txt", "Friday it is.\n")
FULL = Question(
    "shorter",
    (NOTES, Material("the clipboard", "<b>Saturday</b>\n```\ncode", "clipboard")),
    Filled("mend", "You are a proofreader.", ("", "\n\nMend it.")),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "history.db"


@pytest.mark.parametrize(
    "question",
    [
        Question("alone"),
        Question("", (NOTES,)),
        FULL,
        Question("find", (NOTES,), Filled("shell", "", ("Task: ", "!"), "words")),
        Question("find", template=Filled("shell", "Only one line.")),
        Question("then", template=Filled("own", "", ("the body",))),
    ],
)
def test_a_question_comes_back_from_the_history_in_its_parts(path: Path, question: Question) -> None:
    turn = History(path).begin(None, question, model="m", system=None)
    turn.update("yes", "stop")
    (exchange,) = resume(History(path), turn.conversation).exchanges
    assert exchange.question == question


def test_a_file_is_in_the_database_once_and_found_by_its_words(path: Path) -> None:
    text = "".join(f"Zanzibar{number} " for number in range(20_000))
    history = History(path)
    turn = history.begin(None, Question("Summarise", (Material("long.txt", text),)), model="m", system=None)
    turn.update("yes", "stop")
    connection = sqlite3.connect(path)
    held = connection.execute("SELECT sum(length(content)) FROM messages").fetchone()[0]
    assert held + connection.execute("SELECT sum(length(text)) FROM parts").fetchone()[0] < len(text) + 100
    (found,) = history.search("Zanzibar777")
    assert found.title == "Summarise"
    assert found.hit is not None
    assert (found.hit.kind, found.hit.name) == ("file", "long.txt")
    assert "Zanzibar777" in found.hit.line
    assert [summary.id for summary in history.search("summarise")] == [found.id]
    assert history.questions() == ["Summarise"]


def test_removing_a_conversation_removes_its_parts_from_the_files_too(path: Path) -> None:
    history = History(path)
    history.begin(None, Question("keep", (Material("a.txt", "treasure"),)), model="m", system=None).update("y", "stop")
    turn = history.begin(None, Question("gone", (Material("b.txt", "Zanzibar island"),)), model="m", system=None)
    turn.update("yes", "stop")
    history.remove(turn.conversation)
    assert sqlite3.connect(path).execute("SELECT name FROM parts").fetchall() == [("a.txt",)]
    assert not any(b"anzibar" in file.read_bytes() for file in path.parent.iterdir())


def test_an_older_program_that_removes_a_message_also_removes_its_parts(path: Path) -> None:
    history = History(path)
    turn = history.begin(None, Question("gone", (NOTES,)), model="m", system=None)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("UPDATE conversations SET head = NULL")
    for message in (turn.answer, turn.answer - 1):
        connection.execute("DELETE FROM messages WHERE id = ?", (message,))
    assert connection.execute("SELECT count(*) FROM parts").fetchone() == (0,)


def test_edit_brings_back_the_words_and_attaches_the_materials_again(path: Path) -> None:
    person = Person("/paste", "Summarise", "/edit", "Translate")
    talk = Talk(ScriptedEngine("1", "2"), person, History(path), board=Board("Friday"))
    assert person.drafts[3].text == "Summarise"  # type: ignore[union-attr]
    assert talk.shown[1:] == [
        "Attached again: the clipboard, 6 characters.",
        "Write /drop in place of the message to ask without it.",
    ]
    assert talk.prompts == [["Friday\n\nSummarise"], ["Friday\n\nTranslate"]]
    assert talk.session.attached == []


def test_leaving_an_edit_leaves_nothing_attached(tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("other")
    person = Person("/paste", "Summarise", f"/file {tmp_path / 'other.txt'}", "/edit", "", "next")
    talk = Talk(ScriptedEngine("1", "2"), person, board=Board("Friday"))
    assert talk.prompts[1] == ["Friday\n\nSummarise", "1 ", "other\n\nnext"]


def test_drop_in_place_of_an_edited_message_sends_it_without_materials(tmp_path: Path) -> None:
    for name in ("one.txt", "two.txt"):
        (tmp_path / name).write_text(name)
    files_of_it = (f"/file {tmp_path / 'one.txt'}", f"/file {tmp_path / 'two.txt'}")
    lines = ("/drop none", f"/drop {tmp_path / 'one.txt'}", "Translate", "next")
    person = Person(*files_of_it, "Summarise", "/edit", *lines)
    talk = Talk(ScriptedEngine("1", "2", "3"), person)
    assert [draft.text for draft in person.drafts[4:7]] == ["Summarise"] * 3  # type: ignore[union-attr]
    assert talk.contents == ["two.txt\n\nTranslate", "2 ", "next", "3 "]
    assert talk.errors[0].message == "“none” is not attached."
    assert "two.txt" in talk.errors[0].remedy


def test_drop_alone_leaves_out_everything_or_says_that_nothing_is_attached() -> None:
    talk = Talk(ScriptedEngine("1"), Person("/drop", "/paste", "/drop", "Hello"), board=Board("Friday"))
    assert talk.errors[0].message == "Nothing is attached."
    assert talk.shown[-1] == "Left out of the next message: the clipboard."
    assert talk.contents[0] == "Hello"


def test_retry_uses_the_same_parts_and_keeps_new_materials_for_the_next_message(path: Path) -> None:
    person = Person("/paste", "Summarise", "/paste", "/retry", "next")
    talk = Talk(ScriptedEngine("1", "2", "3"), person, History(path), board=Board("Friday"))
    assert talk.prompts[1] == talk.prompts[0] == ["Friday\n\nSummarise"]
    assert talk.prompts[2][-1] == "Friday\n\nnext"


def test_a_failed_retry_gives_back_the_words_and_the_materials() -> None:
    person = Person("/paste", "Summarise", "/retry", "Summarise")
    talk = Talk(ScriptedEngine("1", WorkerDiedError("gone"), "2"), person, board=Board("Friday"))
    assert person.drafts[3].text == "Summarise"  # type: ignore[union-attr]
    assert talk.contents == ["Friday\n\nSummarise", "2 "]


def test_the_system_text_of_a_template_is_not_shown_as_the_persons_words(tmp_path: Path, path: Path) -> None:
    (tmp_path / "mend.md").write_text(SYSTEM_TEMPLATE)
    person = Person("Hello", "/template mend", "teh\n\nMend it.", "/edit", "tteh\n\nMend it.")
    talk = Talk(ScriptedEngine("1", "2", "3"), person, History(path), templates=tmp_path)
    assert person.drafts[4].text == "teh\n\nMend it."  # type: ignore[union-attr]
    assert talk.contents[2] == "You are a proofreader.\n\ntteh\n\nMend it.", "the edited message has it, too"
    resumed = Talk(ScriptedEngine(), Person(f"/resume {talk.session.conversation.id}"), History(path))
    shown = "\n".join(resumed.notes)
    assert "> [What the template “mend” says to the model]\n> tteh" in shown
    assert "proofreader" not in shown


def test_resume_names_the_materials_of_the_last_question(path: Path) -> None:
    turn = History(path).begin(None, FULL, model="scripted", system=None)
    turn.update("yes", "stop")
    shown = Talk(ScriptedEngine(), Person(f"/resume {turn.conversation}"), History(path)).notes[0]
    assert "> [notes.txt, 14 characters]\n> [the clipboard, 24 characters]\n> shorter\n> \n> Mend it." in shown
    assert "Friday" not in shown
    assert shown.splitlines()[0].split(" · ")[1] == "shorter"


def test_exports_show_material_apart_from_words(path: Path) -> None:
    history = History(path)
    turn = history.begin(None, FULL, model="m", system=None)
    turn.update("yes", "stop")
    record = history.read(turn.conversation)
    markdown = export(record, "md")
    assert "> **notes.txt, 14 characters**\n>\n> ```\n> Friday it is.\n> ```\n" in markdown
    assert "> ````\n> <b>Saturday</b>\n> ```\n> code\n> ````\n\nshorter\n\nMend it.\n" in markdown
    page = export(record, "html")
    assert "<details><summary>notes.txt, 14 characters</summary><pre>Friday it is.</pre></details>" in page
    assert "<pre>&lt;b&gt;Saturday" in page
    asked = json.loads(export(record, "json"))["messages"][0]
    assert f"{FULL.template.system}\n\n{asked['content']}" == prompt_text(FULL), "a template's system text is a part"
    assert [(part["kind"], part["name"]) for part in asked["parts"]] == [
        ("system", "mend"), ("file", "notes.txt"), ("clipboard", "the clipboard"), ("words", ""), ("template", "mend"),
    ]  # fmt: skip
    assert [part.text for part in parts(FULL)] == [part["text"] for part in asked["parts"]]


@pytest.mark.parametrize("language", [ZH, EN])
def test_an_edited_template_message_asks_the_same_again(language: Path) -> None:
    for name in templates.names([language]):
        template = templates.find(name, [language])
        values = {v.name: "x" for v in template.variables if v.default is None}
        for words in ("", "short"):
            question = compose(Conversation("Be brief."), [NOTES], words, template, values)
            line, materials = to_edit(question)
            assert "Friday" not in line
            assert prompt_text(Question(line, materials, Filled(name, template.system))) == prompt_text(question)
