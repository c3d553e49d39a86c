"""The way `each`: the instruction applied to each part, and the results joined as the parts were."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_tui import cancellation
from qwen_tui.chat.answer import AnswerOptions
from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.fitting.each import EACH
from qwen_tui.chat.fitting.kept_parts import KeptParts
from qwen_tui.chat.fitting.way import Fitted, Work
from qwen_tui.chat.keeping import Keeper
from qwen_tui.chat.question import ask_about, prompt_text
from qwen_tui.chat.turn import Turn
from qwen_tui.engine.protocol import SamplingOptions
from qwen_tui.errors import UsageError
from qwen_tui.messages import Event, Finished, Material, Note, Step, Text
from tests.chat.fitting.part_engine import PartEngine
from tests.scripted_engine import RecordingOutput

CHAPTERS = [f"# Chapter {n}\n\n" + " ".join(f"sentence {n}.{m}." for m in range(60)) for n in range(5)]
BOOK = Material("book.md", "\n\n\n".join(CHAPTERS))
TASK = "Put the text above into capitals."
GREEDY = SamplingOptions(temperature=0)


def capitals(prompt: str) -> str:
    """What a model does that follows the instruction: it works on the part alone, and adds empty lines of its own."""
    text = prompt.removesuffix(f"\n\n{TASK}").rpartition("[The text to work on:]\n")[2]
    return f"\n{text.upper()}\n\n"


def work(engine: PartEngine, *materials: Material, kept: KeptParts | None = None, **options: object) -> Work:
    question = ask_about(materials or [BOOK], TASK)
    return Work(engine, AnswerOptions(fit="each", **options), Conversation("Be exact."), question, kept)  # type: ignore[arg-type]


def fitted_of(work: Work) -> Fitted:
    going = EACH.run(work)
    try:
        while True:
            next(going)
    except StopIteration as ended:
        fitted: Fitted = ended.value
        return fitted


def run_to_answer(work: Work) -> Iterator[Event]:
    answer = fitted_of(work).answer
    assert answer is not None
    return answer


def run(work: Work) -> tuple[str, list[Event], Fitted]:
    fitted = fitted_of(work)
    assert fitted.answer is not None
    events = list(fitted.answer)
    return "".join(event.piece for event in events if isinstance(event, Text)), events, fitted


def last(events: list[Event]) -> Finished:
    (finished,) = (event for event in events if isinstance(event, Finished))
    assert finished is events[-1]
    return finished


def notes(events: list[Event]) -> str:
    return "\n".join(event.sentence for event in events if isinstance(event, Note))


def test_the_results_are_joined_with_what_stood_between_the_parts() -> None:
    engine = PartEngine(capitals)
    text, events, fitted = run(work(engine))
    assert len(engine.requests) > 1
    assert text == BOOK.text.upper()
    n = len(engine.requests)
    assert last(events).reason == "stop"
    assert last(events).usage.completion_tokens > len(text)
    assert last(events).timings.decode_s == 2.0 * n
    given = fitted.question.given
    assert given is not None
    assert (given.way, given.materials, given.read, given.total) == ("each", (), n, n)


def test_each_part_gets_the_whole_instruction_and_the_end_of_the_part_before_as_context() -> None:
    engine = PartEngine(capitals)
    run(work(engine))
    system, first = engine.requests[0].messages
    assert system.content == "Be exact."
    assert first.content.endswith(TASK)
    assert "part before" not in first.content
    second = engine.requests[1].messages[-1].content
    assert "do not work on it" in second
    before = second.split("not repeat it.]\n")[1].split("\n\n[The text to work on:]")[0]
    assert before
    assert first.content.removesuffix(f"\n\n{TASK}").endswith(before)


@pytest.mark.parametrize("parallel", [1, 3])
def test_the_results_come_in_order_however_many_parts_are_answered_at_once(parallel: int) -> None:
    engine = PartEngine(capitals, parallel=parallel)
    text, events, _fitted = run(work(engine))
    assert text == BOOK.text.upper()
    steps = [event for event in events if isinstance(event, Step)]
    assert steps[-1].done == steps[-1].total == len(engine.requests)
    assert [step.done for step in steps] == sorted(step.done for step in steps)


def test_a_failure_in_one_of_several_parts_at_once_is_raised() -> None:
    def fails(prompt: str) -> str:
        if "Chapter 3" in prompt:
            raise UsageError("the server is gone")
        return capitals(prompt)

    with pytest.raises(UsageError, match="the server is gone"):
        run(work(PartEngine(fails, parallel=3)))


def test_ctrl_c_ends_all_parts_that_are_answered_at_once(tmp_path: Path) -> None:
    stopped = threading.Event()

    def waits(prompt: str) -> str:
        # The first part is answered; the others go on until the person stops them.
        if "# Chapter 0" not in prompt:
            assert stopped.wait(30)
        return capitals(prompt)

    answer = run_to_answer(work(PartEngine(waits, parallel=3), kept=KeptParts(tmp_path, "abc")))
    events: list[Event] = []
    with cancellation.operation() as operation:
        for event in answer:
            events.append(event)
            if isinstance(event, Step) and event.done == 1:
                operation.cancel()
                stopped.set()
    assert last(events).reason == "interrupted"
    assert "Stopped in part 2 of" in notes(events)
    assert len(list(tmp_path.glob("*.json"))) == 1, "only the whole one is kept"


def test_several_materials_keep_their_names_in_the_result() -> None:
    text, _events, _fitted = run(work(PartEngine(capitals), Material("a.txt", "one\n"), Material("b.txt", "\ntwo")))
    assert text == "--- a.txt ---\nONE\n\n--- b.txt ---\nTWO"


def test_marks_of_pages_are_not_copied_and_a_sentence_that_a_page_breaks_is_whole() -> None:
    paged = Material("a.pdf", "[p. 1]\nThe first page ends in the middle\n\n[p. 2]\nof a sentence.\n\n[p. 3]\nThe end.")
    text, _events, _fitted = run(work(PartEngine(capitals), paged))
    assert text == "THE FIRST PAGE ENDS IN THE MIDDLE OF A SENTENCE.\n\nTHE END."


def test_the_rows_of_a_table_stay_together_and_a_later_part_sees_its_head() -> None:
    rows = [f"| row {n} | {'x' * 40} |" for n in range(60)]
    table = Material("t.md", "\n".join(["| name | value |", "| --- | --- |", *rows]))
    engine = PartEngine(capitals)
    text, _events, _fitted = run(work(engine, table))
    assert text == table.text.upper()
    second = engine.requests[1].messages[-1].content
    assert "| name | value |\n| --- | --- |\n" in second.split("[The text to work on:]")[0]


def test_the_limit_of_tokens_holds_for_the_whole_answer() -> None:
    engine = PartEngine(capitals, piece=1)
    text, events, _fitted = run(work(engine, max_tokens=1000))
    assert last(events).reason == "length"
    assert last(events).usage.completion_tokens == 1000
    assert 900 < len(text) <= 1000
    assert len(engine.requests) < 4


def test_a_part_that_has_no_room_is_told_and_the_answer_is_not_called_whole() -> None:
    endless = "".join(map(str, range(9000)))
    engine = PartEngine(lambda prompt: endless if "# Chapter 2" in prompt else capitals(prompt))
    _text, events, _fitted = run(work(engine))
    assert "was cut off at its limit: 3." in notes(events)
    assert last(events).reason == "length"


def test_a_text_that_fits_is_worked_on_in_parts_if_its_result_would_have_no_room() -> None:
    for length, is_whole in ((1000, True), (2800, False)):
        engine = PartEngine(capitals)
        question = ask_about([Material("a", "word " * (length // 5))], TASK)
        conversation = Conversation()
        turn = Turn(engine, RecordingOutput(), AnswerOptions(fit="each"), Keeper(None, "scripted", print))
        turn.run(conversation, question)
        assert conversation.exchanges[0].answer.strip() == ("word " * (length // 5)).strip().upper()
        assert (conversation.exchanges[0].question.given is None) is is_whole


class Slowing(PartEngine):
    """Takes as many seconds for a prompt as the square of its length: the end of a long one costs the most."""

    def estimate(self, tokens: int, cached: int = 0, written: int = 0) -> float | None:
        return float(tokens**2 - cached**2 + written)


def test_its_time_is_that_of_many_short_prompts_and_not_of_one_long_one() -> None:
    engine = Slowing(capitals)
    cost, (_text, events, _fitted) = EACH.cost(work(engine)), run(work(engine))
    read = [engine.count(request.messages) for request in engine.requests]
    assert len(read) > 1 and cost.all_s is not None
    assert sum(tokens**2 for tokens in read) < cost.all_s < sum(read) ** 2 / 2
    first = next(event for event in events if isinstance(event, Step))
    assert first.left_s == pytest.approx(cost.all_s)


def test_a_schema_is_refused() -> None:
    engine = PartEngine(capitals)
    with pytest.raises(UsageError, match="schema"):
        run(work(engine, schema="{}"))
    assert "schema" in EACH.cost(work(engine, schema="{}")).obstacle


def test_an_interrupted_run_goes_on_and_joins_the_same_text(tmp_path: Path) -> None:
    asked: list[str] = []

    def second_stops(prompt: str) -> str | None:
        asked.append(prompt)
        return None if len(asked) == 2 else capitals(prompt)

    begun, events, _fitted = run(work(PartEngine(second_stops), kept=KeptParts(tmp_path, "abc"), sampling=GREEDY))
    assert last(events).reason == "interrupted"
    assert BOOK.text.upper().startswith(begun.rstrip())
    assert "Stopped in part 2 of" in notes(events)
    text, events, _fitted = run(work(PartEngine(second_stops), kept=KeptParts(tmp_path, "abc"), sampling=GREEDY))
    assert "Part 1 of" in notes(events)
    assert text == BOOK.text.upper()
    assert len(asked) == len(set(asked)) + 1, "only the part that was stopped is asked again"


def test_what_is_finished_is_drawn_anew_unless_it_would_be_the_same(tmp_path: Path) -> None:
    for sampling, again in ((SamplingOptions(), True), (SamplingOptions(seed=7), False), (GREEDY, False)):
        run(work(PartEngine(capitals), kept=KeptParts(tmp_path, "abc"), sampling=sampling))
        engine = PartEngine(capitals)
        run(work(engine, kept=KeptParts(tmp_path, "abc"), sampling=sampling))
        assert bool(engine.requests) is again


def test_the_next_question_has_the_instruction_and_the_answer_but_not_the_material() -> None:
    _text, _events, fitted = run(work(PartEngine(capitals)))
    assert prompt_text(fitted.question) == TASK


@settings(max_examples=60)
@given(
    st.text(alphabet="ab \n.|#,，鸡。", max_size=4000).filter(lambda text: bool(text.strip())),
    st.integers(1000, 4000),
)
def test_joined_the_parts_are_the_text_and_no_prompt_exceeds_the_context(text: str, ctx_size: int) -> None:
    engine = PartEngine(capitals, ctx_size=ctx_size)
    joined, _events, _fitted = run(work(engine, Material("a", text)))
    assert joined == text.strip().upper()
