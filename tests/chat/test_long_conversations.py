"""Conversations that are longer than the context: what leaves the prompt, what stays in it, and /compact."""

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_tui import cancellation
from qwen_tui.chat.answer import AnswerOptions
from qwen_tui.chat.conversation import Conversation, room_for_answer
from qwen_tui.chat.export import export
from qwen_tui.chat.keeping import Keeper, resume
from qwen_tui.chat.question import ask_about
from qwen_tui.chat.reading_ahead import NextPrompt
from qwen_tui.chat.turn import Turn
from qwen_tui.errors import QwenError
from qwen_tui.history.store import History
from qwen_tui.messages import Exchange, Material, Question
from tests.chat.test_repl import Person, Talk
from tests.scripted_engine import Cut, RecordingOutput, ScriptedEngine

REPORT = Material("report.txt", "The harbour opened in 1874. " * 8)


class Asking:
    """A conversation in a context of so many words."""

    def __init__(self, ctx_size: int = 200, answer: str = "word " * 29) -> None:
        self.engine = ScriptedEngine(*[answer] * 60, ctx_size=ctx_size)
        self.output = RecordingOutput()
        self.conversation = Conversation()

    def ask(self, words: str, *materials: Material) -> list[str]:
        """Return the messages of the prompt."""
        options = AnswerOptions(fit="select")
        self.output.notes.clear()
        self.output.events.clear()
        keeper = Keeper(None, "scripted", self.output.note)
        Turn(self.engine, self.output, options, keeper).run(self.conversation, ask_about(materials, words))
        size = self.engine.info().ctx_size
        assert self.engine.count(self.engine.requests[-1].messages) + room_for_answer(size) <= size
        return [message.content for message in self.engine.requests[-1].messages]

    @property
    def said(self) -> str:
        sentences = [event.sentence for event in self.output.events if hasattr(event, "sentence")]
        return "\n".join([*self.output.notes, *sentences])


def test_the_material_of_a_turn_that_leaves_stands_before_the_next_message() -> None:
    asking = Asking()
    first = asking.ask("When did it open?", REPORT)
    while not asking.conversation.left_out:
        prompt = asking.ask("And then?")
    assert "The context is full" in asking.said and "Still in the prompt: report.txt." in asking.said
    # The engine has computed the beginning of the first prompt, and so it need not read the report again.
    assert prompt[0].startswith(REPORT.text.strip("\n")) and first[0].startswith(REPORT.text.strip("\n"))
    assert "When did it open?" not in "".join(prompt)
    assert sum(REPORT.text.strip() in message for message in prompt) == 1
    assert asking.ask("And now?")[: len(prompt)] == prompt, "the same prompt goes on"


def test_material_that_does_not_fit_any_more_is_read_as_passages_and_that_is_said() -> None:
    asking = Asking(answer="word " * 20)
    text = "\n\n".join(f"Chapter {n} tells of topic{n}. " + "And so on. " * 5 for n in range(7))
    asking.ask("Sum it up", Material("book.txt", text))
    prompt = asking.ask("What does it tell of topic5, " + "please " * 50)
    assert "No longer whole in the prompt: book.txt." in asking.said
    assert "topic5" in prompt[-1] and "topic2" not in prompt[-1]
    assert "read: " in asking.said
    assert "topic3" in asking.ask("And topic3?")[-1]


def test_material_that_is_attached_again_stands_there_once() -> None:
    asking = Asking()
    asking.ask("When did it open?", REPORT)
    asking.ask("Something else")
    asking.ask("And then?")
    prompt = asking.ask("Once more: when?", REPORT)
    assert sum(message.count(REPORT.text.strip()) for message in prompt) == 1


def test_what_is_read_ahead_is_the_beginning_of_the_next_prompt() -> None:
    talk = Talk(ScriptedEngine(*["word " * 29] * 9, ctx_size=200), Person())
    session = talk.session
    session.attached = [REPORT]
    for words in ("When?", *["And then?"] * 5):
        session.answer(words)
    assert session.conversation.left_out
    session.conversation.summarise(session.conversation.left_out, "They spoke of the harbour.")
    NextPrompt(session, 200, lambda: True).typing("What now", paused=True)
    session.answer("What now?")
    read, sent = session.engine.requests_ahead[-1].messages, session.engine.requests[-1].messages  # type: ignore[attr-defined]
    assert read[:-1] == sent[:-1] and sent[-1].content.startswith(read[-1].content)
    assert "They spoke of the harbour." in sent[0].content and REPORT.text.strip() in sent[0].content


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 3).map(lambda n: 25 * n), st.booleans()), max_size=12),
    st.integers(100, 300),
)
def test_no_prompt_exceeds_the_context_and_nothing_is_dropped_unsaid(
    turns: list[tuple[int, int, bool]], ctx_size: int
) -> None:
    asking = Asking(ctx_size, "word " * 9)
    given: dict[str, Material] = {}
    told: set[str] = set()
    for number, (words, size, compacts) in enumerate(turns):
        name = f"file{number}.txt"
        materials = [Material(name, f"topic{number} text{number} " * size)] if size else []
        given |= {one.name: one for one in materials}
        before = asking.conversation.out
        try:
            prompt = asking.ask(f"topic{number} " + "word " * words, *materials)
        except QwenError:
            given.pop(name, None)
            continue
        left = asking.conversation.out - before
        assert (left > 0) == ("The context is full" in asking.said)
        told |= {one for one in given if one in asking.said or (one == name and "read: " in asking.said)}
        for one in given.values():
            assert one.name in told or any(one.text.strip() in message for message in prompt)
        if compacts and len(asking.conversation.exchanges) > asking.conversation.summarised + 1:
            asking.conversation.summarise(len(asking.conversation.exchanges) - 1, f"summary{number}")
            assert f"summary{number}" in "".join(m.content for m in asking.conversation.prompt(Question("?")))


def compacted(*lines: str, history: History | None = None, summary: str = "They met.") -> Talk:
    engine = ScriptedEngine("one.", "two.", "three.", summary, *["more."] * 9)
    return Talk(engine, Person("first", "second", "third", "/compact", *lines), history)


def test_compact_puts_a_summary_in_the_place_of_the_oldest_turns(tmp_path: Path) -> None:
    history = History(tmp_path / "history.db")
    talk = compacted("fourth", "/context", history=history)
    assert talk.errors == []
    asked, sent = talk.prompts[3], talk.prompts[4]
    assert asked[0].startswith("User: first\n\nAssistant: one.\n\nUser: second") and "third" not in asked[0]
    assert sent == ["A summary of the conversation before this:\nThey met.\n\nthird", "three. ", "fourth"]
    assert "the oldest 2 turns" in talk.shown[0] and talk.shown[0].endswith("They met.")
    assert "summary of the oldest 2 turns" in talk.shown[1]
    stored = history.read(talk.session.conversation.id or "")
    assert [one.answer for one in stored.exchanges] == ["one. ", "two. ", "three. ", "more. "]
    for form in ("md", "html", "json"):
        text = export(stored, form)
        assert text.index("two.") < text.index("They met.") < text.index("third")
        assert "first" in text
    assert json.loads(export(stored, "json"))["messages"][3]["summary"] == "They met."
    again = resume(history, talk.session.conversation.id or "")
    assert again.prompt(Question("fourth")) == talk.session.conversation.prompt(Question("fourth"))


def test_undo_goes_back_beyond_a_summary_and_redo_brings_it_back() -> None:
    talk = compacted("/undo", "/undo", "again", "/undo", "/redo")
    assert talk.prompts[4] == ["first", "one. ", "again"]
    talk = compacted("/undo", "/undo", "/redo", "/redo", "fourth")
    assert talk.prompts[4][0].startswith("A summary of the conversation before this:\nThey met.")


def test_a_second_compact_takes_up_the_first_summary() -> None:
    talk = compacted("fourth", "fifth", "/compact", "sixth")
    assert talk.errors == []
    assert "They met." in talk.prompts[6][0] and "User: third" in talk.prompts[6][0]
    assert talk.prompts[7][0] == "A summary of the conversation before this:\nmore.\n\nfifth"


def test_an_empty_or_short_conversation_is_not_summarised() -> None:
    talk = Talk(ScriptedEngine("a", "b"), Person("/compact", "one", "/compact", "two", "/compact"))
    assert [error.message for error in talk.errors] == [
        "There is nothing to summarise yet.",
        *["The conversation is too short to summarise."] * 2,
    ]
    assert "too short" in compacted("/compact").errors[0].message


def test_a_summary_that_is_stopped_or_empty_changes_nothing() -> None:
    for answer in (Cut("They", "interrupted"), " "):
        engine = ScriptedEngine("one.", "two.", "three.", answer, "four.")
        talk = Talk(engine, Person("first", "second", "third", "/compact", "fourth"))
        assert talk.prompts[-1] == ["first", "one. ", "second", "two. ", "third", "three. ", "fourth"]
        assert "Stopped." in talk.shown or talk.errors[0].message == "The model wrote no summary."


def test_a_conversation_longer_than_the_context_is_summarised_in_parts() -> None:
    engine = ScriptedEngine(*[f"summary{n}" for n in range(9)], "An answer.", ctx_size=300)
    talk = Talk(engine, Person())
    talk.session.conversation.exchanges = [Exchange(Question(f"question{n} " * 50), "yes " * 40) for n in range(5)]
    talk.session.conversation.left_out = 3
    from qwen_tui.chat.slash_commands import run

    with cancellation.operation():
        run(talk.session, "/compact")
    prompts = [prompt[0] for prompt in talk.prompts]
    assert len(prompts) > 1 and all(len(prompt.split()) < 300 for prompt in prompts)
    assert all(any(f"question{n}" in prompt for prompt in prompts) for n in range(4))
    assert all(f"summary{n}" in prompt for n, prompt in enumerate(prompts[1:]))
    assert talk.session.conversation.summarised == 4


def test_material_of_summarised_turns_stays() -> None:
    engine = ScriptedEngine("one.", "two.", "three.", "They met.", "four.")
    talk = Talk(engine, Person("first", "second", "third", "/compact", "fourth"), attached=REPORT.text)
    assert "Still in the prompt: attached." in talk.shown[0]
    assert talk.prompts[-1][0] == (
        f"{REPORT.text.strip()} \n\nA summary of the conversation before this:\nThey met.\n\nthird"
    )


def test_chinese_is_summarised_in_chinese() -> None:
    engine = ScriptedEngine("一。", "二。", "三。", "他们见了面。", "四。")
    talk = Talk(engine, Person("第一个问题", "第二个问题", "第三个问题", "/compact", "第四个问题"))
    assert talk.prompts[3][0].startswith("用户：第一个问题")
    assert talk.prompts[-1][0] == "此前对话的摘要：\n他们见了面。\n\n第三个问题"
