"""What is said below an answer about its material: on stderr, in JSON and in exports."""

import json
from pathlib import Path

import pytest

from qwen_tui.chat.export import export
from qwen_tui.cli import wiring
from qwen_tui.history.records import StoredConversation, Summary
from qwen_tui.messages import Exchange, Given, Material, Question
from tests.program import Done, call
from tests.scripted_engine import ScriptedEngine

REPORT = "[p. 1]\nThe harbour opened in 1874.\n\n[p. 2]\nIts keeper was Odile Marchand."
ANSWER = "It opened in 1874 [p. 1], burned down [p. 9], and “the keeper was never seen again”, as they say."
CITED = "Cited, but not given to the model: [p. 9]"
QUOTED = "Quoted, but not in the material: “the keeper was never seen again”"


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QWEN_TUI_HOME", str(tmp_path / "home"))
    file = tmp_path / "report.txt"
    file.write_text(REPORT, encoding="utf-8")
    return file


def ask(monkeypatch: pytest.MonkeyPatch, answer: str, *arguments: str | Path, ctx_size: int = 1000) -> Done:
    engine = ScriptedEngine(answer, ctx_size=ctx_size)
    monkeypatch.setattr(wiring, "engine", lambda *_settings, **_options: engine)
    return call("ask", "-m", "demo", *arguments)


def test_doubts_are_told_on_stderr_and_the_answer_stays_as_it_is(monkeypatch: pytest.MonkeyPatch, report: Path) -> None:
    done = ask(monkeypatch, ANSWER, "-f", report, "What happened?")
    assert done.out.strip() == ANSWER
    assert done.err.splitlines() == [CITED, QUOTED]
    again = ask(monkeypatch, "As said [p. 2], not [p. 3].", "-c", "Really?")
    assert again.err.splitlines() == ["Cited, but not given to the model: [p. 3]"]


def test_in_chinese(monkeypatch: pytest.MonkeyPatch, report: Path) -> None:
    done = ask(
        monkeypatch, "一八七四年开放（第1页），后来烧毁［第9页］。", "-f", report, "--lang", "zh", "发生了什么？"
    )
    assert "引用了出处，但模型没有读到：［第9页］" in done.err


def test_json_has_them_as_fields(monkeypatch: pytest.MonkeyPatch, report: Path) -> None:
    printed = json.loads(ask(monkeypatch, ANSWER, "--json", "-f", report, "What happened?").out)
    assert printed["answer"].strip() == ANSWER
    assert printed["read"] is None
    assert printed["not_in_material"] == {
        "citations": ["[p. 9]"],
        "quotations": ["the keeper was never seen again"],
    }
    assert json.loads(ask(monkeypatch, ANSWER, "--json", "Hello").out)["not_in_material"] is None
    report.write_text("\n\n".join(f"[p. {n}]\n" + f"harbour number {n} " * 60 for n in range(1, 20)), encoding="utf-8")
    arguments = ("--json", "--fit", "select", "-f", report, "What is said of number 7?")
    printed = json.loads(ask(monkeypatch, "Seven [p. 18].", *arguments, ctx_size=800).out)
    assert printed["read"]["way"] == "select"
    assert printed["read"]["said"].startswith(f"read: {printed['read']['read']} of {printed['read']['total']} passages")
    assert printed["not_in_material"]["citations"] == ["[p. 18]"]


def test_logs_and_exports_find_them_anew(monkeypatch: pytest.MonkeyPatch, report: Path) -> None:
    ask(monkeypatch, ANSWER, "-f", report, "What happened?")
    for text in (call("logs", "show").out, call("logs", "export", "--format", "html").out):
        assert "burned down [p. 9]" in text
        for sentence in (CITED, QUOTED):
            assert sentence in text.replace("\\[", "[").replace("\\]", "]")
    exported = json.loads(call("logs", "export", "--format", "json").out)["messages"][1]
    assert exported["not_in_material"]["citations"] == ["[p. 9]"]
    assert "read" not in exported


def test_exports_say_what_was_read() -> None:
    pages = Material("report.pdf", REPORT)
    passage = Material("report.pdf", "[p. 1]\nThe harbour opened in 1874.\n\n[…]")
    asked = Question("When?", (pages,), given=Given("select", (passage,), 1, 2))
    stored = StoredConversation(
        Summary("bcdfgh", "Talk", "demo", 0.0, 0.0),
        None,
        (Exchange(asked, "1874 [p. 1]."), Exchange(Question("And who?"), "Odile [p. 2].")),
    )
    for form in ("md", "html", "json"):
        text = export(stored, form)
        assert "read: 1 of 2 passages (page 1)" in text
    messages = json.loads(export(stored, "json"))["messages"]
    assert messages[1]["read"] == {"way": "select", "read": 1, "total": 2, "said": "read: 1 of 2 passages (page 1)"}
    assert messages[1]["not_in_material"] == {"citations": [], "quotations": []}
    assert messages[3]["not_in_material"]["citations"] == ["[p. 2]"]


def test_the_request_to_cite_is_part_of_the_prompt_where_there_are_marks_alone(
    monkeypatch: pytest.MonkeyPatch, report: Path
) -> None:
    engine = ScriptedEngine(*["Yes."] * 4)
    monkeypatch.setattr(wiring, "engine", lambda *_settings, **_options: engine)
    call("ask", "-m", "demo", "-f", report, "What happened?")
    call("ask", "-m", "demo", "-f", report, "发生了什么？")
    call("ask", "-m", "demo", "-f", report, "--schema", '{"type": "string"}', "What happened?")
    report.write_text("No marks here, but see [p. 1] of the other one.", encoding="utf-8")
    call("ask", "-m", "demo", "-f", report, "What happened?")
    prompts = [request.messages[-1].content for request in engine.requests]
    assert prompts[0] == (
        f"{REPORT}\n\nWhat happened?\n\n(Behind each statement from the material, here and in later answers, put the "
        "mark of its place, such as [p. 1]. A translation or correction gets no further marks.)"
    )
    assert prompts[1].startswith(f"{REPORT}\n\n发生了什么？\n\n（") and "[p. 1]" in prompts[1][-60:]
    assert prompts[2] == f"{REPORT}\n\nWhat happened?"
    assert prompts[3] == "No marks here, but see [p. 1] of the other one.\n\nWhat happened?"
