"""A question and its answer, whatever the engine does."""

import pytest

from qwen_tui import cancellation
from qwen_tui.chat.answer import AnswerOptions
from qwen_tui.chat.conversation import Conversation, Left
from qwen_tui.chat.keeping import Keeper
from qwen_tui.chat.question import ask_about, prompt_text
from qwen_tui.chat.turn import Turn
from qwen_tui.errors import WorkerDiedError
from qwen_tui.messages import Finished, Material, Message, Prefill, Question, Text
from tests.scripted_engine import RecordingOutput, ScriptedEngine


def turn(engine: ScriptedEngine, output: RecordingOutput | None = None) -> Turn:
    return Turn(engine, output or RecordingOutput(), AnswerOptions(), Keeper(None, "scripted", print))


def test_events_reach_the_output_in_order_and_the_turn_is_stored() -> None:
    engine, output, conversation = ScriptedEngine("It is blue."), RecordingOutput(), Conversation("Be brief.")
    answer = turn(engine, output).run(conversation, Question("And the sky?"))
    assert answer.text == "It is blue. "
    assert [type(event) for event in output.events][1:] == [Prefill, Text, Text, Text, Finished]
    assert conversation.turns == [Message("user", "And the sky?"), Message("assistant", "It is blue. ")]
    assert engine.requests[0].messages == (Message("system", "Be brief."), Message("user", "And the sky?"))


def test_the_answer_before_the_engines_death_is_kept() -> None:
    conversation = Conversation()
    with pytest.raises(WorkerDiedError):
        turn(ScriptedEngine(("It is", WorkerDiedError("gone")))).run(conversation, Question("And the sky?"))
    assert conversation.turns[-1] == Message("assistant", "It is ")


def test_a_question_without_an_answer_is_not_a_turn() -> None:
    engine, conversation = ScriptedEngine("never said"), Conversation()
    with cancellation.operation() as operation:
        operation.cancel()
        answer = turn(engine).run(conversation, Question("And the sky?"))
    assert answer.reason == "interrupted"
    assert conversation.turns == []
    assert engine.requests == []


def test_the_next_question_brings_the_conversation_along() -> None:
    engine, conversation = ScriptedEngine("one", "two"), Conversation()
    turn(engine).run(conversation, Question("first"))
    turn(engine).run(conversation, Question("second"))
    assert [m.content for m in engine.requests[1].messages] == ["first", "one ", "second"]


def test_a_full_context_leaves_out_the_oldest_turns_and_says_so() -> None:
    engine = ScriptedEngine(*["word " * 29 for _ in range(5)], ctx_size=100)
    output, conversation = RecordingOutput(), Conversation("system stays")
    for number in range(3):
        turn(engine, output).run(conversation, Question(f"question {number}"))
    assert output.notes == []
    turn(engine, output).run(conversation, Question("question 3"))
    assert len(output.notes) == 1
    assert "2 turns" in output.notes[0]
    sent = [m.content for m in engine.requests[-1].messages]
    assert sent[0] == "system stays"
    assert sent[-1] == "question 3"
    assert "question 0" not in sent
    assert len(conversation.turns) == 8, "what is left out of the prompt is not lost"
    turn(engine, output).run(conversation, Question("question 4"))
    assert len(output.notes) == 1, "leaving out half of the context makes it rare"


def test_a_question_that_cannot_fit_leaves_the_conversation_as_it_was() -> None:
    engine, conversation = ScriptedEngine("one", "two", ctx_size=100), Conversation()
    turn(engine).run(conversation, Question("first"))
    assert conversation.make_room(engine, Question("word " * 200)) == Left()
    assert conversation.left_out == 0


def test_below_an_answer_from_parts_stands_what_was_read() -> None:
    pages = Material("a.pdf", "\n\n".join(f"[p. {n}]\n" + "word " * 300 for n in range(1, 9)))
    for way in ("map", "each"):
        output, conversation = RecordingOutput(), Conversation()
        options = AnswerOptions(fit=way)
        engine = ScriptedEngine(*["the 40 ships [p. 7]"] * 20, ctx_size=1000)
        Turn(engine, output, options, Keeper(None, "scripted", print)).run(conversation, ask_about([pages], "Ships?"))
        assert output.notes[-1].startswith("read: all 8 pages in ")
        assert conversation.exchanges[0].question.materials == (pages,)
        assert (conversation.tokens is None) is (way == "each"), "the parts had a context each"


def test_material_comes_before_the_instruction() -> None:
    assert prompt_text(ask_about([Material("a", "\nnotes\n")], "Summarise")) == "notes\n\nSummarise"
    assert prompt_text(ask_about([], "Summarise")) == "Summarise"
    assert prompt_text(ask_about([Material("a", "notes")], "")) == "notes"
