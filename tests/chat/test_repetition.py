"""The program notices an answer that repeats itself without end, but not one that repeats itself for a reason."""

from pathlib import Path

import pytest
import yaml

from qwen_tui.chat.repetition import Repetition
from tests.chat.test_repl import Person, Talk
from tests.scripted_engine import Cut, RecordingOutput, ScriptedEngine

CONVERSATIONS = Path(__file__).parents[2] / "scripts" / "models" / "demo_model" / "conversations"
NOTE = "The answer repeats itself. Ctrl-C stops it; what has come is kept."


def noticed(text: str) -> bool:
    repetition = Repetition()
    return any(repetition.feed(text[start : start + 5]) for start in range(0, len(text), 5))


@pytest.mark.parametrize(
    "block",
    [
        "I'm sorry, but I can't do that. ",
        "我是一个人工智能助手，我可以帮助你。",
        "ha",
        "- [ ] Buy milk and bread\n- [ ] Call the office\n",
        "The fox ran over the hill. Nobody saw it, because it was late, and the moon was behind the clouds that "
        "had come up from the sea in the evening. Only the old owl in the oak heard how it ran, and said nothing.\n\n",
    ],
)
def test_endless_repetition_is_noticed_once(block: str) -> None:
    repetition = Repetition()
    text = "Of course. " + block * (6000 // len(block))
    told = [repetition.feed(text[start : start + 5]) for start in range(0, len(text), 5)]
    assert told.count(True) == 1


@pytest.mark.parametrize(
    "line",
    [
        "{n}. The fox jumps over the dog, and runs away.\n",
        "第 {n} 步：请先保存文件，然后重新启动电脑，再试一次，看看是否可以。\n",
    ],
)
def test_repetition_with_other_numbers_is_noticed(line: str) -> None:
    assert noticed("".join(line.format(n=n) for n in range(500)))


@pytest.mark.parametrize(
    "text",
    [
        ("-" * 80 + "\n") * 30,
        "| a | b |\n|---|---|\n" + "|   |   |\n" * 100,
        "| day | sum |\n|---|---|\n" + "".join(f"| 2024-01-{day:02} | 0 |\n" for day in range(1, 32)) * 4,
        "```python\n[" + ",\n ".join("[" + ", ".join("0" * 32) + "]" for _row in range(32)) + "]\n```\n",
        "```html\n" + "  <tr><td></td><td></td></tr>\n" * 60 + "```\n",
        "\n".join(map(str, range(2000))),
        "[" + ", ".join(f'{{"id": {n}, "ok": true}}' for n in range(150)) + "]",
        "Row, row, row your boat,\nGently down the stream.\nMerrily, merrily, merrily, merrily,\nLife is a dream.\n\n"
        * 4,
        "".join(f"{n} bottles of beer on the wall. Take one down, pass it around.\n" for n in range(99, 40, -1)),
        "Name: ______\nDate: ______\n\n" * 60,
    ],
    ids=["rules", "empty table", "zeros in a table", "matrix", "html", "numbers", "json", "poem", "song", "form"],
)
def test_repetition_for_a_reason_is_not_noticed(text: str) -> None:
    assert not noticed("Here it is:\n\n" + text)


def test_no_answer_of_the_demonstration_model_is_taken_for_repetition() -> None:
    answers = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in CONVERSATIONS.rglob("*.yaml")]
    assert len(answers) > 20
    for answer in answers:
        assert not noticed(str(answer))


def test_the_person_is_told_during_the_repetition_and_why_the_answer_was_cut() -> None:
    text = "I'm sorry, but I can't do that. " * 200
    talk = Talk(ScriptedEngine(Cut(text, tokens=1000), ctx_size=1000), Person("hello"))
    output = talk.session.output
    assert isinstance(output, RecordingOutput)
    assert output.notes == [NOTE]
    assert talk.shown[-1].splitlines() == [
        "The answer was cut off: the context of 1001 tokens is full. It had been repeating itself.",
        "/retry answers again, /undo takes it back; /set presence_penalty 1 helps against that.",
    ]


def test_a_repetition_that_ends_by_itself_is_reported_only_while_it_comes() -> None:
    talk = Talk(ScriptedEngine("I'm sorry, but I can't do that. " * 200), Person("hello"))
    assert talk.shown == []
