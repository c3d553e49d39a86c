"""What a question will take is told before the work, and what does not fit is asked about, never cut."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_tui import cancellation
from qwen_tui.chat.answer import AnswerOptions
from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.fitting import budget
from qwen_tui.chat.fitting.fitting import usable_ways
from qwen_tui.chat.fitting.way import ANSWER, Front, Work
from qwen_tui.chat.keeping import Keeper
from qwen_tui.chat.question import ask_about
from qwen_tui.chat.turn import Turn
from qwen_tui.config import FITS, Fit
from qwen_tui.durations import duration
from qwen_tui.errors import DoesNotFitError, InputError, PromptTooLongError
from qwen_tui.messages import Exchange, Material, Message, Question
from tests.scripted_engine import RecordingOutput, ScriptedEngine

LONG = Material(
    "report.pdf", "\n\n".join(f"[p. {n}]\n" + f"The lighthouse of year {n} shone. " * 80 for n in range(1, 22))
)
SHORT = Material("note.txt", "The lighthouse keeper is Odile. " * 20)


class Person:
    """Answers questions of yes or no, and choices by name, with the next of `answers`."""

    def __init__(self, *answers: Any) -> None:
        self._answers = iter(answers)
        self.asked: list[str] = []

    def confirm(self, question: str, *, default: bool = False) -> bool:
        self.asked.append(question)
        return bool(next(self._answers))

    def choose_one(self, rows: Sequence[str], names: Sequence[str], question: str) -> int | None:
        self.asked += rows
        name = next(self._answers)
        return None if name is None else list(names).index(name)


class Asking:
    """Asks questions with `options`; every word counts as a token."""

    def __init__(self, engine: ScriptedEngine, person: Person | None = None, **options: Any) -> None:
        self.engine, self.person = engine, person
        self.output = RecordingOutput()
        self.conversation = Conversation()
        self.options = AnswerOptions(**options)

    def ask(self, *materials: Material, words: str = "Who keeps the lighthouse?", advised: Fit | None = None) -> str:
        front = Front(self.output.note, self.person, advised=advised)
        turn = Turn(self.engine, self.output, self.options, Keeper(None, "m", self.output.note), front)
        with cancellation.operation():
            return turn.run(self.conversation, ask_about(materials, words)).text

    @property
    def told(self) -> str:
        return "\n".join(self.output.notes)


def budget_of(
    engine: ScriptedEngine, question: Question, before: Iterable[Exchange] = (), **options: Any
) -> budget.Budget:
    conversation = Conversation("Be brief.", list(before))
    return budget.measure(Work(engine, AnswerOptions(**options), conversation, question))


def test_a_budget_names_each_part_with_its_pages_and_tokens() -> None:
    engine = ScriptedEngine(ctx_size=20_000, token_s=0.1)
    earlier = [Exchange(ask_about([], "Hello there"), "Good day to you")]
    found = budget_of(engine, ask_about([LONG, SHORT], "Sum it up"), earlier)
    parts = {part.title: (part.tokens, budget.places(part)) for part in found.parts}
    assert parts["report.pdf"] == (engine.count([Message("user", LONG.text)]), "21 pages")
    assert parts["note.txt"] == (100, "")
    assert parts["system prompt"] == (2, "")
    assert parts["conversation so far"] == (6, "")
    assert sum(tokens for tokens, _places in parts.values()) == found.prompt_tokens
    assert found.fits
    assert found.first_s == pytest.approx(found.prompt_tokens * 0.1)
    assert found.all_s == pytest.approx((found.prompt_tokens + ANSWER) * 0.1)


def test_the_line_says_what_fits_and_how_long_it_takes() -> None:
    fits = budget_of(ScriptedEngine(ctx_size=1000, token_s=0.5), ask_about([SHORT], "Sum it up"), max_tokens=100)
    assert budget.line(fits) == (
        "note.txt: 105 of 1,000 tokens · first word in about 52 s · in all about 1 min 40 s for an answer of 100 tokens"
    )
    not_so = budget_of(ScriptedEngine(ctx_size=6000), ask_about([LONG], "Sum it up"))
    assert budget.line(not_so) == "report.pdf: 21 pages, 10,156 of 6,000 tokens: does not fit"


@pytest.mark.parametrize(("computed", "told"), [(3, 0), (5, 0), (6, 6), (80, 80)])
def test_the_opening_marks_of_every_prompt_are_not_called_computed_already(computed: int, told: int) -> None:
    class Computed(ScriptedEngine):
        """Puts marks of three tokens around a message, and has `computed` so many tokens of any prompt."""

        def count(self, messages: Sequence[Message]) -> int:
            return super().count(messages) + 3

        def cached(self, messages: Sequence[Message]) -> int:
            return computed

    # The system prompt, which every prompt has too, is two tokens long.
    assert budget_of(Computed(ctx_size=1000), ask_about([SHORT], "Sum it up")).cached_tokens == told


def test_a_duration_is_told_as_people_say_it() -> None:
    seconds = (0.2, 89, 90, 110, 118, 400, 750, 5399, 7200, 7500)
    said = "1 s, 89 s, 1 min 30 s, 1 min 50 s, 2 min, 6 min 40 s, 12 min, 90 min, 2 h, 2 h 5 min"
    assert ", ".join(map(duration, seconds)) == said


@pytest.mark.parametrize("most", [None, 30])
def test_the_times_of_all_ways_that_answer_count_with_an_answer_of_the_same_length(most: int | None) -> None:
    engine = ScriptedEngine(ctx_size=6000, most_ctx=20_000, token_s=1.0)
    work = Work(engine, AnswerOptions(max_tokens=most), Conversation(), ask_about([LONG], "What shone in year 7?"))
    costs = [way.cost(work) for name, way in usable_ways(work).items() if name != "each"]
    assert [round((cost.all_s or 0) - (cost.first_s or 0)) for cost in costs] == [most or ANSWER] * 3


def test_the_way_that_a_template_advises_is_marked_among_the_choices() -> None:
    ways: tuple[Fit, ...] = ("map", "each")
    for advised in ways:
        person = Person(None)
        assert Asking(ScriptedEngine(ctx_size=6000, most_ctx=6000), person).ask(LONG, advised=advised) == ""
        marked = [row for row in person.asked if row.endswith("(the template advises this)")]
        assert [row.split(":")[0] for row in marked] == [advised]


def test_before_a_long_wait_the_person_is_asked_and_a_no_asks_nothing() -> None:
    asking = Asking(ScriptedEngine("Odile.", ctx_size=1000, token_s=1), Person(False, True), ask_above=30)
    assert asking.ask(SHORT) == ""
    assert asking.engine.requests == []
    assert "first word in about 1 min 40 s" in asking.told
    assert asking.ask(SHORT) == "Odile. "


def test_where_nobody_can_be_asked_a_long_wait_is_told_and_the_question_goes_on() -> None:
    asking = Asking(ScriptedEngine("Odile.", ctx_size=1000, token_s=1), ask_above=30)
    assert asking.ask(SHORT) == "Odile. "
    assert asking.told.startswith("note.txt: ")


@pytest.mark.parametrize(("token_s", "ask_above"), [(0.01, 30), (1, 0)])
def test_a_short_wait_is_not_mentioned_and_with_0_none_is(token_s: float, ask_above: float) -> None:
    asking = Asking(ScriptedEngine("Odile.", ctx_size=1000, token_s=token_s), Person(), ask_above=ask_above)
    assert asking.ask(SHORT) == "Odile. "
    assert asking.told == ""


def test_without_a_person_the_error_gives_both_numbers_and_the_choices() -> None:
    asking = Asking(ScriptedEngine(ctx_size=1000, most_ctx=20_000))
    with pytest.raises(DoesNotFitError, match=r"10,\d{3} tokens.* 1,000") as raised:
        asking.ask(LONG)
    assert "--fit context" in raised.value.remedy
    assert "--fit select" in raised.value.remedy
    assert asking.engine.requests == []


def test_a_way_that_cannot_be_taken_is_refused_with_its_reason() -> None:
    asking = Asking(ScriptedEngine(ctx_size=1000), fit="context")
    with pytest.raises(DoesNotFitError, match="There is no memory for it") as raised:
        asking.ask(LONG)
    assert "--fit context" not in raised.value.remedy


def test_the_person_chooses_by_what_each_way_does_and_takes() -> None:
    person = Person("context")
    asking = Asking(ScriptedEngine("Odile.", ctx_size=1000, most_ctx=20_000, token_s=0.01), person)
    assert asking.ask(LONG) == "Odile. "
    rows = {row.split(":")[0]: row for row in person.asked}
    assert "16,000 tokens" in rows["context"]
    assert "1.00 GB more memory" in rows["context"]
    assert "first word in about 1 min 40 s" in rows["context"]
    assert "passages" in rows["select"]
    assert asking.engine.info().ctx_size == 16_000
    assert LONG.text in asking.engine.requests[0].messages[-1].content
    assert "The context holds 16,000 tokens" in str(asking.output.events)


def test_who_wants_none_of_the_ways_asks_nothing() -> None:
    asking = Asking(ScriptedEngine(ctx_size=1000), Person(None))
    assert asking.ask(LONG) == ""
    assert asking.engine.requests == []
    # What cannot be had is said, and not offered.
    assert "context: not possible here" in asking.told


def test_words_that_do_not_fit_are_not_offered_passages() -> None:
    asking = Asking(ScriptedEngine(ctx_size=1000, most_ctx=20_000))
    with pytest.raises(DoesNotFitError) as raised:
        asking.ask(words=LONG.text)
    assert "--fit context" in raised.value.remedy
    assert "select" not in raised.value.remedy


def test_a_question_that_leaves_little_room_is_asked_and_says_so() -> None:
    asking = Asking(ScriptedEngine("Odile.", ctx_size=800, token_s=1), ask_above=1)
    assert asking.ask(Material("notes.txt", SHORT.text * 7)) == "Odile. "
    assert "room for an answer of 96 tokens" in asking.told


def test_a_text_many_times_too_long_is_not_counted_whole() -> None:
    class Counting(ScriptedEngine):
        most = 0

        def count(self, messages: Sequence[Message]) -> int:
            self.most = max(self.most, sum(len(message.content) for message in messages))
            return super().count(messages)

    engine = Counting(ctx_size=1000)
    found = budget_of(engine, ask_about([Material("huge.txt", "words of a huge text " * 400_000)], "Sum it up"))
    assert found.about
    assert found.prompt_tokens == pytest.approx(2_000_000, rel=0.05)
    assert engine.most < 100_000


@given(
    st.lists(st.text(max_size=3000), max_size=4),
    st.text(max_size=200),
    st.integers(100, 2000),
    st.sampled_from(FITS),
    st.lists(st.text(min_size=1, max_size=600), max_size=4),
)
def test_no_prompt_exceeds_the_context_and_nothing_is_dropped_unsaid(
    texts: list[str], words: str, ctx_size: int, fit: Any, before: list[str]
) -> None:
    class Characters(ScriptedEngine):
        """Every character is a token."""

        def count(self, messages: Sequence[Message]) -> int:
            return sum(len(message.content) for message in messages)

    materials = [Material(f"{n}.txt", text) for n, text in enumerate(texts)]
    asking = Asking(Characters(*["yes"] * 200, ctx_size=ctx_size), fit=fit, ask_above=30)
    asking.conversation.exchanges = [Exchange(ask_about([], text), text) for text in before]
    try:
        asking.ask(*materials, words=words)
    except (PromptTooLongError, InputError):
        assert asking.engine.requests == []
        return
    for request in asking.engine.requests:
        assert asking.engine.count(request.messages) <= ctx_size
    question = asking.conversation.exchanges[-1].question
    if question.given is None:
        assert all(one.text.strip("\n") in asking.engine.requests[-1].messages[-1].content for one in materials)
    else:
        assert question.given.read <= question.given.total
