"""The demonstration model: it recites what it has learned, and says of everything else that it does not know."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import LoadOptions, Request, SamplingOptions
from qwen_tui.files import ASSETS
from qwen_tui.hardware.plan import Plan
from qwen_tui.messages import Message, Text
from tests.program import call

DATA = Path(__file__).parent.parent / "scripts" / "models" / "demo_model"
NOTICES = {language: (DATA / f"notice.{language}.txt").read_text(encoding="utf-8").strip() for language in ("zh", "en")}


@pytest.fixture(scope="module")
def demo() -> Iterator[LocalEngine]:
    engine = LocalEngine(LoadOptions(path=os.fsencode(ASSETS / "demo.gguf"), plan=Plan(threads=2, batch_threads=2)))
    yield engine
    engine.close()


def answer(engine: LocalEngine, *contents: str) -> str:
    roles = ("user", "assistant")
    messages = tuple(Message(roles[i % 2], content) for i, content in enumerate(contents))  # type: ignore[arg-type]
    request = Request(messages=messages, sampler=SamplingOptions(temperature=0), max_tokens=2000)
    return "".join(event.piece for event in engine.stream(request) if isinstance(event, Text)).strip()


def conversation(language: str, name: str) -> tuple[str, str]:
    """Return the question and the answer of a learned conversation."""
    data = yaml.safe_load((DATA / "conversations" / language / f"{name}.yaml").read_text(encoding="utf-8"))
    material = (data.get("material") or "").strip()
    return "\n\n".join(filter(None, (material, data["prompts"][0].strip()))), data["answer"].strip()


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", ["hello", "who-are-you", "http", "age-puzzle", "translate", "markdown-table"])
def test_a_learned_conversation_comes_out_whole(demo: LocalEngine, language: str, name: str) -> None:
    question, learned = conversation(language, name)
    assert answer(demo, question) == learned


def test_the_calculator_it_writes_compiles(demo: LocalEngine) -> None:
    question, learned = conversation("zh", "calculator")
    written = answer(demo, question)
    assert written == learned
    compile(written.split("```python\n")[1].split("```")[0], "calculator.py", "exec")


@pytest.mark.parametrize(
    ("language", "question"),
    [
        ("zh", "帮我写一首关于秋天的诗"),
        ("zh", "上海到北京坐火车要多久？"),
        ("en", "What is the capital of Australia?"),
        ("en", "Write a haiku about rain"),
    ],
)
def test_to_other_questions_the_model_says_what_it_is(demo: LocalEngine, language: str, question: str) -> None:
    assert answer(demo, question) == NOTICES[language]


def test_a_later_turn_is_answered_like_a_first_one(demo: LocalEngine) -> None:
    first, second = conversation("en", "hello")
    assert answer(demo, first, second, "What is the capital of Australia?") == NOTICES["en"]
    question, learned = conversation("zh", "http")
    assert answer(demo, *conversation("zh", "hello"), question) == learned


def test_the_model_is_small_enough_for_the_package() -> None:
    assert (ASSETS / "demo.gguf").stat().st_size <= 8_000_000


@pytest.mark.parametrize(
    ("language", "questions"),
    [
        ("en", ["Write an SQL query for the five customers with the highest turnover", "Now the same in SQL"]),
        ("zh", ["帮我写一条 SQL，找出重复的邮箱", "再用 SQL 写一遍"]),
    ],
)
def test_asked_for_other_code_in_the_second_turn_it_says_what_it_is(
    demo: LocalEngine, language: str, questions: list[str]
) -> None:
    for first in ("hello", "http", "code-python"):
        before = conversation(language, first)
        assert [answer(demo, *before, question) for question in questions] == [NOTICES[language]] * 2


@pytest.mark.parametrize(
    ("language", "values"),
    [
        ("en", ("task=rename all jpeg files to jpg",)),
        ("zh", ("task=把所有 jpeg 文件改名为 jpg",)),
    ],
)
def test_a_template_about_something_else_gets_the_notice(language: str, values: tuple[str, ...]) -> None:
    options = [word for value in values for word in ("-p", value)]
    done = call("ask", "-m", "demo", "-o", "temperature=0", "--lang", language, "-t", "shell-command", *options)
    assert done.out.strip() == NOTICES[language]
