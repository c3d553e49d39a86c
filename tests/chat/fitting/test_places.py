"""While a document is read, the progress says at which page that is."""

import io
from collections.abc import Sequence

from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.fitting.places import placed
from qwen_tui.chat.question import ask_about, prompt_text
from qwen_tui.messages import Exchange, Material, Message, Place, Prefill, Question
from qwen_tui.terminal.progress import StatusLine
from tests.streams import Clock

REPORT = Material("report.pdf", "\n\n".join(f"[p. {n}]\n" + "x" * 994 for n in range(1, 11)))
SLIDES = Material("talk.pptx", "\n\n".join(f"[slide {n}]\n" + "y" * 988 for n in range(1, 5)))


def places(question: Question, *shares: float) -> list[Place | None]:
    messages = (Message("user", prompt_text(question)),)
    return placed_in(messages, question.materials, *shares)


def placed_in(messages: Sequence[Message], materials: Sequence[Material], *shares: float) -> list[Place | None]:
    events = placed(iter([Prefill(int(1000 * share), 1000) for share in shares]), messages, materials)
    return [event.place for event in events if isinstance(event, Prefill)]


def test_the_progress_names_the_page() -> None:
    assert places(ask_about([REPORT], "Sum it up"), 0, 0.35, 0.95) == [
        Place("page", number, 10) for number in (1, 4, 10)
    ]


def test_of_several_documents_it_names_the_one_and_behind_them_none() -> None:
    found = places(ask_about([REPORT, Material("a.txt", "plain " * 100), SLIDES], "w" * 1000), 0.1, 0.65, 0.76, 0.99)
    assert found == [Place("page", 2, 10, "report.pdf"), None, Place("slide", 2, 4, "talk.pptx"), None]


def test_a_document_whose_turn_has_left_the_prompt_is_read_page_by_page_too() -> None:
    turns = [Exchange(ask_about([REPORT], "Sum it up"), "A report."), Exchange(ask_about([], "And?"), "No more.")]
    conversation, asked = Conversation(exchanges=turns, left_out=1), ask_about([SLIDES], "Compare")
    prompt = conversation.prompt(asked)
    assert [message.role for message in prompt] == ["user", "assistant", "user"]
    found = placed_in(prompt, conversation.whole_materials(asked), 0.3, 0.8)
    assert found == [Place("page", 5, 10, "report.pdf"), Place("slide", 2, 4, "talk.pptx")]


def test_the_line_shows_page_and_tokens_and_long_waits_in_minutes() -> None:
    screen, clock = io.StringIO(), Clock()
    line = StatusLine(screen, enabled=True, clock=clock)
    for done in (0, 4100):
        line.show(Prefill(done, 12_480, left_s=130, place=Place("page", 7, 21)))
        clock.now += 60
    line.show(Prefill(4100, 12_480, left_s=130, place=Place("page", 7, 21)))
    assert "Reading … page 7 of 21 (4,100 of 12,480 tokens), 2 min left" in screen.getvalue()
