"""The way `map`: all of the material is read, noted, merged, and the question is asked with the notes."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_tui.chat.answer import AnswerOptions
from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.fitting.kept_parts import KeptParts
from qwen_tui.chat.fitting.map import MAP
from qwen_tui.chat.fitting.way import Fitted, Work
from qwen_tui.chat.question import ask_about, prompt_text
from qwen_tui.engine.protocol import Request
from qwen_tui.errors import CancelledError, PromptTooLongError
from qwen_tui.messages import Event, Filled, Material, Note, Prefill, Question, Step, Text
from tests.chat.fitting.part_engine import PartEngine

SENTENCE = "The harbour of Vell has forty ships and one light. "
REPORT = Material("report.txt", "\n\n".join(f"# Chapter {n}\n\n{SENTENCE * 12}" for n in range(12)))
ABOUT = ask_about([REPORT], "How many ships are there?")


def run(work: Work) -> tuple[list[Event], Fitted]:
    events: list[Event] = []
    going = MAP.run(work)
    while True:
        try:
            events.append(next(going))
        except StopIteration as ended:
            return events, ended.value


def work(engine: PartEngine, question: Question = ABOUT, kept: KeptParts | None = None) -> Work:
    return Work(engine, AnswerOptions(fit="map"), Conversation(), question, kept)


def notes(events: list[Event]) -> str:
    return "\n".join(event.sentence for event in events if isinstance(event, Note))


def test_each_part_is_asked_for_notes_and_the_question_gets_them_in_the_place_of_the_material() -> None:
    engine = PartEngine(lambda prompt: f"ships: {prompt.count('forty')} [p. 7]")
    _events, fitted = run(work(engine))
    n = len(engine.requests)
    assert n > 2
    assert all("How many ships are there?" in request.messages[-1].content for request in engine.requests)
    assert f"part 2 of {n} of the material" in engine.requests[1].messages[-1].content
    given = fitted.question.given
    assert given is not None
    assert (given.way, given.read, given.total) == ("map", n, n)
    asked = prompt_text(fitted.question)
    assert asked.count("[p. 7]") == n
    assert f"cover all of its {n} parts" in asked
    assert asked.endswith("How many ships are there?")
    assert SENTENCE not in asked
    assert fitted.answer is None, "the turn asks it as any question"
    assert fitted.question.materials == (REPORT,), "the history keeps the material"


def test_what_happens_in_the_parts_is_told_but_the_notes_are_no_answer() -> None:
    events, _fitted = run(work(PartEngine(lambda _prompt: "a note " * 10)))
    assert not [event for event in events if isinstance(event, Text)]
    steps = [event for event in events if isinstance(event, Step)]
    total = steps[0].total
    assert sorted({step.done for step in steps}) == list(range(total + 1))
    assert max(step.written for step in steps) > 0
    assert sum(isinstance(event, Prefill) for event in events) == total


def test_the_notes_are_drawn_alike_and_bounded() -> None:
    engine = PartEngine(lambda _prompt: "note")
    run(work(engine))
    assert all(request.sampler.temperature == 0 for request in engine.requests)  # type: ignore[union-attr]
    assert {request.max_tokens for request in engine.requests} == {4000 // 16}
    assert {request.conversation for request in engine.requests} == {None}, "no state of a part is stored"


def test_parts_that_say_nothing_on_the_question_are_left_out_and_told() -> None:
    answers = iter(["Nothing.", "forty ships"] + ["nothing"] * 50)
    events, fitted = run(work(PartEngine(lambda _prompt: next(answers))))
    assert fitted.question.given is not None
    (given,) = fitted.question.given.materials
    assert "Part 2:\nforty ships" in given.text
    assert "Part 1:" not in given.text
    assert "parts say nothing on the question." in notes(events)


def test_a_material_without_anything_on_the_question_is_asked_all_the_same() -> None:
    _events, fitted = run(work(PartEngine(lambda _prompt: "nothing")))
    assert "Nothing in the material bears on the task." in prompt_text(fitted.question)


def test_notes_that_are_cut_off_or_empty_are_told() -> None:
    answers = iter(["", "x" * 999] + ["a note"] * 50)
    events, _fitted = run(work(PartEngine(lambda _prompt: next(answers))))
    assert "was cut off at its limit: 2." in notes(events)
    assert "wrote nothing on some parts: 1." in notes(events)


def test_several_materials_keep_their_names_and_small_ones_share_a_part() -> None:
    small = [Material(f"{name}.txt", f"{name} has a boat.") for name in "abc"]
    engine = PartEngine(lambda prompt: "a note on " + ", ".join(n for n in "abc" if f"--- {n}.txt ---" in prompt))
    _events, fitted = run(work(engine, ask_about([*small, REPORT], "Who has a boat?")))
    first = engine.requests[0].messages[-1].content
    assert all(f"--- {name}.txt ---\n{name} has a boat." in first for name in "abc")
    assert "--- report.txt ---" in engine.requests[1].messages[-1].content
    assert fitted.question.given is not None
    names = [material.name for material in fitted.question.given.materials]
    assert names[-1] == "report.txt"
    assert names[0] in ("a.txt, b.txt, c.txt", "a.txt … report.txt")


def test_a_template_takes_part_with_its_system_text_and_its_body() -> None:
    engine = PartEngine(lambda _prompt: "note")
    filled = Filled("summary", "You write summaries.", ("", "\n\nSummarise the text above."))
    _events, fitted = run(work(engine, Question("", (REPORT,), filled)))
    prompt = engine.requests[0].messages[-1].content
    assert "You write summaries." in prompt
    assert "Summarise the text above." in prompt
    assert prompt_text(fitted.question).endswith("Summarise the text above.")


def test_a_chinese_question_gets_chinese_instructions_whatever_the_language_of_the_program() -> None:
    engine = PartEngine(lambda _prompt: "无")
    _events, fitted = run(work(engine, ask_about([REPORT], "港口里一共有多少艘船？")))
    assert "以上是材料" in engine.requests[0].messages[-1].content
    assert "材料中没有" in prompt_text(fitted.question)


def test_an_interrupted_run_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    asked: list[str] = []

    def third_stops(prompt: str) -> str | None:
        asked.append(prompt)
        return None if len(asked) == 3 else f"note {len(prompt)}"

    kept = KeptParts(tmp_path / "parts", "abc")
    events: list[Event] = []
    with pytest.raises(CancelledError):
        events.extend(iter(MAP.run(work(PartEngine(third_stops), kept=kept))))
    assert "Stopped in part 3 of" in notes(events)
    assert "ask the same again" in notes(events)
    again, fitted = run(work(PartEngine(third_stops), kept=KeptParts(tmp_path / "parts", "def")))
    assert "Parts 1 to 2 of" in notes(again)
    assert len(asked) == len(set(asked)) + 1, "only the part that was stopped is asked again"
    undisturbed = run(work(PartEngine(lambda prompt: f"note {len(prompt)}")))[1]
    assert fitted.question == undisturbed.question


def test_without_a_place_to_keep_them_the_parts_begin_anew() -> None:
    events: list[Event] = []
    answers = iter(["note", None])
    with pytest.raises(CancelledError):
        events.extend(iter(MAP.run(work(PartEngine(lambda _prompt: next(answers))))))
    assert "Nothing is kept of this conversation" in notes(events)


def test_a_context_too_small_for_the_task_is_told_before_the_work() -> None:
    engine = PartEngine(lambda _prompt: "note", ctx_size=600)
    with pytest.raises(PromptTooLongError) as raised:
        run(work(engine))
    assert "--ctx-size" in raised.value.remedy
    assert engine.requests == []
    assert MAP.cost(work(engine)).obstacle == raised.value.message


@settings(max_examples=60)
@given(
    st.lists(st.text(alphabet="ab \n.#|鸡。", max_size=3000), min_size=1, max_size=4),
    st.integers(1500, 6000),
)
def test_every_character_is_read_once_and_merging_ends_however_much_the_model_writes(
    texts: list[str], ctx_size: int
) -> None:
    materials = [Material(f"{n}.txt", text * 3) for n, text in enumerate(texts)]
    engine = PartEngine(lambda _prompt: "x" * 9999, ctx_size=ctx_size)
    question = ask_about(materials, "Why?")
    try:
        _events, fitted = run(work(engine, question))
    except PromptTooLongError:
        assert engine.requests == [], "it is said before the work"
        return
    assert work(engine, question).fits(fitted.question)
    read = [text for request in engine.requests if (text := part_in(request)) is not None]
    assert "".join("".join(read).split()) == "".join("".join(material.text for material in materials).split())


def part_in(request: Request) -> str | None:
    """The text of the part in a prompt for notes; None for the prompt that merges notes."""
    text, sign, _instruction = request.messages[-1].content.rpartition("\n\nThe text above is part ")
    return re.sub(r"--- \d\.txt ---", "", text) if sign else None
