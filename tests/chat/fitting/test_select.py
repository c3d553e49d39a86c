"""Material that does not fit: the passages that bear on the question, and those for the next one."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_tui.chat.answer import AnswerOptions
from qwen_tui.chat.conversation import Conversation, room_for_answer
from qwen_tui.chat.keeping import Keeper, resume
from qwen_tui.chat.question import ask_about
from qwen_tui.chat.turn import Turn
from qwen_tui.errors import InputError
from qwen_tui.history.store import History
from qwen_tui.messages import Material, Message, Note, Question, Text
from tests.scripted_engine import RecordingOutput, ScriptedEngine

TOPICS = ("harbour", "library", "orchard", "railway", "school", "theatre", "bakery", "museum", "market", "bridge")
FACTS = {3: "The lighthouse keeper is named Odile Marchand.", 8: "Ferries to the islands were cancelled on nine days."}


def page(number: int) -> str:
    topic = TOPICS[number % len(TOPICS)]
    filler = " ".join(
        f"The {topic} has seen its visitors come and go in month {month} of that year." for month in range(9)
    )
    return f"[p. {number}]\n{filler} {FACTS.get(number, '')}\n\nMore was said of the {topic} by those who run it."


REPORT = Material("report.pdf", "\n\n".join(page(number) for number in range(1, 21)))
CHINESE = Material(
    "报告.pdf",
    "\n\n".join(
        f"[p. {number}]\n"
        + "这一年来往的客人很多，各处都照常开放，大家都说不错。" * 12
        + ("灯塔的看守人叫马晓兰。" if number == 5 else "")
        for number in range(1, 13)
    ),
)


class Engine(ScriptedEngine):
    """Counts tokens by bytes, so that Chinese has some, too."""

    def count(self, messages: Sequence[Message]) -> int:
        return sum(4 + len(message.content.encode()) // 4 for message in messages)


class Asking:
    """A conversation in which questions are asked with the way `select`."""

    def __init__(
        self, conversation: Conversation | None = None, *, ctx_size: int = 1500, history: History | None = None
    ) -> None:
        self.engine = Engine(*["An answer."] * 10, ctx_size=ctx_size)
        self.output = RecordingOutput()
        self.conversation = conversation or Conversation()
        self.keeper = Keeper(history, "scripted", self.output.notes.append)

    def ask(self, words: str, *materials: Material, instead: bool = False) -> str:
        """Return the prompt of the question."""
        self.run(ask_about(materials, words), instead=instead)
        return self.engine.requests[-1].messages[-1].content

    def run(self, question: Question, *, instead: bool = False) -> None:
        self.output.notes.clear()
        self.output.events.clear()
        options = AnswerOptions(fit="select")
        Turn(self.engine, self.output, options, self.keeper).run(self.conversation, question, instead=instead)
        size = self.engine.info().ctx_size
        assert self.engine.count(self.engine.requests[-1].messages) + room_for_answer(size) <= size

    @property
    def said(self) -> list[str]:
        return [note for note in self.output.notes if "context is full" not in note] + [
            event.sentence for event in self.output.events if hasattr(event, "sentence")
        ]


def test_the_passage_with_the_answer_is_given_with_its_page() -> None:
    asking = Asking()
    prompt = asking.ask("Who keeps the lighthouse?", REPORT)
    assert FACTS[3] in prompt and FACTS[8] not in prompt
    # The beginning of the document says what it is; signs stand where something is left out.
    assert prompt.startswith("[p. 1]\n") and "\n\n[…]\n\n[p. 3]\n" in prompt and "\n\n[p. 4]\n" in prompt
    assert "[…]\n\nWho keeps the lighthouse?\n\n(Behind each statement" in prompt and "such as [p. 1]." in prompt
    assert asking.said == ["read: 3 of 20 passages (pages 1, 3–4)"]


@pytest.mark.parametrize(
    "question",
    [
        "keeping lighthouses",
        "I would like to know, if you happen to have it at hand, the names of all lighthouse keepers that work there",
        "What is said on page 3?",
        "Compare pages 7, 11 and 2–4",
        "第3页讲了什么？",
        "请比较第十二页和第二页到第四页",
    ],
)
def test_inflected_words_long_questions_and_pages_find_it_as_well(question: str) -> None:
    assert FACTS[3] in Asking().ask(question, REPORT)


@pytest.mark.parametrize(
    "question", ["灯塔由谁看守？", "请问一下，这份材料里面有没有提到那座灯塔的看守人究竟叫做什么名字呢？", "看守人"]
)
def test_chinese_finds_it_as_well(question: str) -> None:
    asking = Asking()
    prompt = asking.ask(question, CHINESE)
    assert "马晓兰" in prompt
    assert any("5" in note for note in asking.said)


def test_particles_between_chinese_words_bring_no_passages() -> None:
    asking = Asking(ctx_size=4000)
    other = Material(
        "x.txt",
        "\n\n".join(f"这里的人说第{number}号的事是真的，信里的话也是。" * 14 for number in range(20))
        + "水样里的锰超标了。",
    )
    assert "锰超标" in asking.ask("水样里的锰有多少？", other)
    assert asking.said[-1].startswith("read: 2 of ")


def test_nothing_is_taken_at_random_where_nothing_bears_on_the_question() -> None:
    asking = Asking()
    for words in ("Are there any submarines?", "有没有潜水艇？", "Summary of 1987"):
        with pytest.raises(InputError, match=r"Nothing in report\.pdf has the words of the question\.") as error:
            asking.ask(words, REPORT)
        assert "--fit map" in error.value.remedy
    assert asking.engine.requests == [] and asking.conversation.exchanges == []


@pytest.mark.parametrize(
    "words",
    [
        *("Sum it up", "Summarise this document in 3 sentences.", "What is this about?", "TL;DR", ""),
        *("总结一下", "请用三句话概括这份文件的主要内容", "用100字以内写个摘要", "这份报告讲了什么？"),
    ],
)
def test_a_question_that_names_nothing_gets_the_beginnings_of_sections_and_says_so_before(words: str) -> None:
    asking = Asking(ctx_size=3000)
    asking.ask(words, REPORT)
    told = [event for event in asking.output.events if isinstance(event, Note | Text)]
    before, after = told[0], asking.output.notes[-1]
    assert isinstance(before, Note) and before.sentence == (
        "The question names nothing to find passages by. The beginnings of sections are read, 10 of 20 passages, from "
        "everywhere in the text. To have all of it read, part by part: --fit map"
    )
    assert after == "read: 10 of 20 passages (pages 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)"


def test_of_several_documents_each_has_its_share_where_nothing_can_be_found() -> None:
    asking = Asking(ctx_size=3000)
    asking.ask("Sum it up", REPORT, Material("other.pdf", REPORT.text))
    assert asking.output.notes[-1].startswith("read: 11 of 40 passages (report.pdf: pages 1, ")
    assert "; other.pdf: pages 1, " in asking.output.notes[-1]


def test_a_summary_of_a_document_of_which_the_model_has_passages_says_what_it_is_made_from() -> None:
    asking = Asking(ctx_size=3000)
    asking.ask("Who keeps the lighthouse?", REPORT)
    assert asking.ask("Now sum it up.") == "Now sum it up."
    assert asking.said == [
        "The question names nothing to find passages by: the model answers from what it has of report.pdf. To have all "
        "of it read, name it with the question, and the way --fit map"
    ]


def test_a_small_material_stays_whole_beside_a_large_one() -> None:
    letter = Material("letter.txt", "Dear council,\n\nplease answer my question soon.\n\nYours, A. Reader")
    prompt = Asking().ask("Who keeps the lighthouse?", letter, REPORT)
    assert f"--- letter.txt ---\n{letter.text}\n\n--- report.pdf ---\n[p. 1]" in prompt
    assert FACTS[3] in prompt


def test_of_two_large_materials_each_is_named_and_the_one_without_a_passage_too() -> None:
    other = Material("other.pdf", REPORT.text.replace("lighthouse", "windmill"))
    asking = Asking()
    prompt = asking.ask("Who keeps the windmill?", REPORT, other)
    assert "windmill" in prompt and FACTS[3] not in prompt
    assert "Nothing in report.pdf has the words of the question." in asking.said
    asking = Asking(ctx_size=3000)
    asking.ask("lighthouse or windmill?", REPORT, other)
    assert any("report.pdf: pages" in note and "other.pdf: pages" in note for note in asking.said)


def test_the_next_question_gets_other_passages_behind_those_of_the_first() -> None:
    asking = Asking(ctx_size=3000)
    first = asking.ask("Who keeps the lighthouse?", REPORT)
    second = asking.ask("How many days without ferries to the islands?")
    assert FACTS[8] in second and FACTS[3] not in second
    assert "[…]\n\nHow many days without ferries to the islands?\n\n(Behind each statement" in second
    # What was computed for the first question is the beginning of the second prompt.
    assert [one.content for one in asking.engine.requests[-1].messages] == [first, "An answer. ", second]
    assert asking.said[-1].startswith("read: 2 of ")


def test_the_next_question_gets_no_passage_twice_and_none_where_it_is_about_something_else() -> None:
    asking = Asking(ctx_size=3000)
    asking.ask("Who keeps the lighthouse?", REPORT)
    assert asking.ask("And the lighthouse keeper is named how?") == "And the lighthouse keeper is named how?"
    assert (
        asking.said
        == ["read: 3 of 20 passages (pages 1, 3–4)", "The passages that bear on this were given before."][1:]
    )
    assert asking.ask("Write me a poem about the sea!") == "Write me a poem about the sea!"
    assert asking.said == ["Nothing in report.pdf has the words of the question. The model answers without it."]
    assert asking.ask("Why?") == "Why?"
    assert asking.said == []


def test_the_next_question_may_name_a_page() -> None:
    asking = Asking(ctx_size=3000)
    asking.ask("Who visits the orchard?", REPORT)
    assert FACTS[8] in asking.ask("第八页讲了什么？")


def test_a_long_next_question_needs_only_two_words_of_the_document() -> None:
    asking = Asking(ctx_size=3000)
    asking.ask("Who visits the orchard?", REPORT)
    assert FACTS[8] in asking.ask(
        "My cousin travels a great deal and was quite angry last winter because so many ferries did not run, cancelled "
        "without warning, she said, which made her late at work again and again; what numbers can I show her?"
    )
    assert "马晓兰" in Asking(ctx_size=3000).ask(
        "我表姐上次说她在海边散步，碰见了灯塔里面那位看守，聊得挺高兴，可她记不起对方姓甚名谁", CHINESE
    )


def test_in_a_crowded_context_the_oldest_turns_make_room_for_passages() -> None:
    asking = Asking(ctx_size=1200)
    asking.ask("Who keeps the lighthouse?", REPORT)
    asking.ask("Write a long poem about " + "the sea and " * 150)
    prompt = asking.ask("Who keeps the lighthouse?")
    assert FACTS[3] in prompt
    assert asking.conversation.left_out > 0


def test_a_larger_context_gets_the_whole_document(tmp_path: Path) -> None:
    with_history = History(tmp_path / "history.db")
    Asking(history=with_history).ask("Who keeps the lighthouse?", REPORT)
    last = with_history.last()
    assert last is not None
    kept = resume(with_history, last)
    assert kept.exchanges[0].question.materials == (REPORT,)
    assert kept.exchanges[0].question.given is not None
    asking = Asking(kept, ctx_size=20_000)
    assert REPORT.text in asking.ask("Summarise it.")
    assert asking.said == ["read: all 20 passages"]
    # Once is enough.
    assert asking.ask("How many days without ferries?") == "How many days without ferries?"
    with_history.close()


def test_a_conversation_read_back_selects_for_its_next_question(tmp_path: Path) -> None:
    with_history = History(tmp_path / "history.db")
    Asking(history=with_history, ctx_size=3000).ask("Who keeps the lighthouse?", REPORT)
    for _more in range(2):
        last = with_history.last()
        assert last is not None
        asking = Asking(resume(with_history, last), history=with_history, ctx_size=3000)
        prompt = asking.ask("How many days without ferries?")
    assert prompt == "How many days without ferries?"
    assert FACTS[8] in asking.conversation.turns[2].content
    with_history.close()


def test_steps_back_take_the_document_along() -> None:
    asking = Asking(ctx_size=3000)
    first = asking.ask("Who keeps the lighthouse?", REPORT)
    second = asking.ask("How many days without ferries?")
    # /retry
    asking.run(asking.conversation.exchanges[-1].question, instead=True)
    assert [one.content for one in asking.engine.requests[-1].messages] == [first, "An answer. ", second]
    # /edit of the second question
    assert "orchard" in asking.ask("Who visits the orchard?", instead=True)
    while asking.conversation.exchanges:
        asking.conversation.undo()
    assert asking.ask("How many days without ferries?") == "How many days without ferries?"


@settings(max_examples=40)
@given(
    st.lists(
        st.text() | st.sampled_from(["ferry", "灯塔", "\n\n", "[p. 2]", "word " * 60, "长句子。" * 60]),
        min_size=5,
        max_size=60,
    ),
    st.integers(160, 900),
)
def test_no_prompt_exceeds_the_context(texts: list[str], ctx_size: int) -> None:
    asking = Asking(ctx_size=ctx_size)
    material = Material("x", "\n\n".join(texts) + "The ferry and its 灯塔. " * 100)
    # `run` looks at the size of the prompt.
    for words in ("ferry", "灯塔"):
        assert words in asking.ask(words, material)
