"""Reading ahead through the engine's protocol: the real worker, on a tiny model."""

import os
import random
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import takewhile
from operator import eq
from pathlib import Path

import msgspec
import pytest

from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import LoadOptions, Request, SamplingOptions, StoreOptions
from qwen_tui.files import ASSETS
from qwen_tui.hardware.plan import Plan
from qwen_tui.messages import Message
from tests.engine.test_local import finished, request, text_of
from tests.engine.workers import worker_of

MATERIAL = " ".join(f"Line {number} of a long report about the market." for number in range(60))
CHANCE = SamplingOptions(temperature=0.7, seed=None)


@pytest.fixture
def reading(tiny: Path) -> Iterator[LocalEngine]:
    engine = LocalEngine(LoadOptions(path=os.fsencode(tiny), plan=Plan(threads=2, batch_size=32)))
    engine.start()
    yield engine
    engine.close()


def wait(engine: LocalEngine) -> None:
    """Wait until nothing is left to read ahead."""
    engine.info()
    deadline = time.monotonic() + 30
    while progress := engine.reading_ahead():
        assert time.monotonic() < deadline, progress
        time.sleep(0.01)


def left_to_read(engine: LocalEngine, asked: Request) -> int:
    """Ask, and return how many tokens of the prompt had to be read then."""
    usage = finished(list(engine.stream(asked))).usage
    return usage.prompt_tokens - usage.cached_tokens


def test_what_was_read_while_a_person_typed_is_not_computed_again(reading: LocalEngine) -> None:
    reading.read_ahead(request(f"{MATERIAL}\n\nWhat", sampler=CHANCE))
    wait(reading)
    assert left_to_read(reading, request(f"{MATERIAL}\n\nWhat is it about?", sampler=CHANCE)) < 40


def test_the_conversation_so_far_is_read_while_nothing_is_typed(reading: LocalEngine) -> None:
    reading.read_ahead(request(MATERIAL, "I have read it.", sampler=CHANCE))
    wait(reading)
    assert left_to_read(reading, request(MATERIAL, "I have read it.", "What is it about?", sampler=CHANCE)) < 40


def test_what_comes_while_the_model_loads_is_read_after_that(tiny: Path) -> None:
    engine = LocalEngine(LoadOptions(path=os.fsencode(tiny), plan=Plan(batch_size=32)))
    engine.start()
    engine.read_ahead(request(MATERIAL, sampler=CHANCE))
    wait(engine)
    assert left_to_read(engine, request(MATERIAL, sampler=CHANCE)) < 40
    engine.close()


def test_what_would_forget_much_waits_until_it_is_asked(reading: LocalEngine) -> None:
    first = finished(list(reading.stream(request(MATERIAL, sampler=CHANCE))))
    reading.read_ahead(request("Something else.", sampler=CHANCE))
    reading.count([Message("user", "x")])
    again = finished(list(reading.stream(request(MATERIAL, sampler=CHANCE))))
    assert again.usage.cached_tokens == first.usage.prompt_tokens - 1


def test_in_another_conversation_the_one_that_was_left_may_be_forgotten(reading: LocalEngine) -> None:
    finished(list(reading.stream(request(MATERIAL, sampler=CHANCE))))
    another = f"{MATERIAL[::-1]}\n\nWhat is it about?"
    reading.read_ahead(request(another, sampler=CHANCE), 1)
    wait(reading)
    assert left_to_read(reading, request(another, sampler=CHANCE)) < 40


@pytest.mark.parametrize("flash_attention", [False, True])
def test_what_a_greedy_answer_needs_is_read_whatever_the_threads(tiny: Path, flash_attention: bool) -> None:
    plan = Plan(threads=4, batch_threads=4, batch_size=32, flash_attention=flash_attention)
    engine = LocalEngine(LoadOptions(path=os.fsencode(tiny), plan=plan))
    engine.start()
    engine.read_ahead(request(MATERIAL))
    wait(engine)
    assert left_to_read(engine, request(f"{MATERIAL}\n\nWhat is it about?")) < 64
    engine.close()


def test_what_was_read_in_other_steps_is_read_again_for_a_greedy_answer(reading: LocalEngine) -> None:
    for text in (MATERIAL[:100], MATERIAL):
        reading.read_ahead(request(text, sampler=CHANCE))
        wait(reading)
    reading.read_ahead(request(MATERIAL))
    wait(reading)
    assert left_to_read(reading, request(f"{MATERIAL}\n\nWhat is it about?")) < 64


def test_the_answers_of_an_earlier_process_are_read_in_the_tokens_that_it_wrote(tiny: Path, tmp_path: Path) -> None:
    store = StoreOptions(folder=os.fsencode(tmp_path / "states"), limit=1 << 30, worth_s=0)
    options = LoadOptions(path=os.fsencode(tiny), plan=Plan(threads=2, batch_size=32), store=store)

    def known(seed: int) -> bool:
        """Whether the second process knows in which tokens the first one wrote its answer."""
        asked = msgspec.structs.replace(
            request("Hello", max_tokens=60, sampler=SamplingOptions(temperature=2.0, seed=seed)), conversation=f"{seed}"
        )
        with closing(LocalEngine(options)) as first:
            answer = Message("assistant", text_of(first.stream(asked)))
        with closing(LocalEngine(options)) as second:
            second.start()
            going_on = msgspec.structs.replace(asked, messages=(*asked.messages, answer))
            # The tokenizer chooses other tokens for so random an answer.
            unknown = second.count(going_on.messages)
            second.read_ahead(going_on)
            wait(second)
            return second.count(going_on.messages) != unknown

    # By chance, such a model writes a mark of ChatML in the middle of an answer. Of that one, nothing is learned.
    assert any(known(seed) for seed in range(4))


def test_a_context_that_grows_while_it_is_read_gives_the_same_answer(tiny: Path) -> None:
    plan = Plan(threads=4, batch_threads=4, batch_size=32, ctx_size=8192, flash_attention=True)
    options = LoadOptions(path=os.fsencode(tiny), plan=plan)
    long, question = MATERIAL * 4, f"{MATERIAL * 4}\n\nWhat is it about?"
    with closing(LocalEngine(options)) as engine, closing(LocalEngine(options)) as other:
        for text in (MATERIAL[:100], long[:3000], long):
            engine.read_ahead(request(text))
            wait(engine)
        assert left_to_read(engine, request(question)) < 64
        assert text_of(engine.stream(request(question))) == text_of(other.stream(request(question)))


def test_what_is_not_wanted_any_more_is_read_no_further(reading: LocalEngine) -> None:
    asked = request(MATERIAL * 3, sampler=CHANCE)
    reading.read_ahead(asked)
    reading.read_ahead(None)
    wait(reading)
    done = reading.cached(asked.messages)
    assert done < reading.count(asked.messages) - 40
    assert reading.cached(asked.messages) == done


def test_a_word_that_is_deleted_again_costs_nothing(reading: LocalEngine) -> None:
    reading.read_ahead(request(f"{MATERIAL}\n\nWhat is it about, and for whom was it written?", sampler=CHANCE))
    wait(reading)
    reading.read_ahead(request(f"{MATERIAL}\n\nWhat is it", sampler=CHANCE))
    asked = request(f"{MATERIAL}\n\nWhat is it about, and for whom was it written?", sampler=CHANCE)
    assert left_to_read(reading, asked) < 40


def test_counting_does_not_disturb_the_reading(reading: LocalEngine) -> None:
    messages = request(MATERIAL).messages
    alone = reading.count(messages)
    reading.read_ahead(request(MATERIAL, sampler=CHANCE))
    assert [reading.count(messages) for _time in range(20)] == [alone] * 20
    wait(reading)


def test_what_is_read_so_far_counts_as_computed(reading: LocalEngine) -> None:
    asked = request(MATERIAL, sampler=CHANCE)
    reading.read_ahead(asked)
    reading.info()
    while (progress := reading.reading_ahead()) and not progress[0]:
        time.sleep(0.001)
    assert reading.cached(asked.messages) > 0


def test_what_fails_while_it_is_read_fails_only_when_it_is_asked(reading: LocalEngine) -> None:
    reading.read_ahead(request(MATERIAL * 100, sampler=CHANCE))
    assert text_of(reading.stream(request("Hello", max_tokens=4)))


def test_a_worker_that_died_while_it_read_is_replaced(reading: LocalEngine) -> None:
    reading.read_ahead(request(MATERIAL, sampler=CHANCE))
    worker_of(reading).kill()
    reading.read_ahead(request(MATERIAL, sampler=CHANCE))
    assert text_of(reading.stream(request("Hello", max_tokens=4)))


QUESTIONS = ("What is HTTP?", "Write an email to a customer about a delay.", "你好", "Write a calculator with tkinter.")


def typed(question: str, chance: random.Random) -> Iterator[str]:
    """Yield a line as it stands after each pause, while a person types it, with changes of mind."""
    line = ""
    while line != question:
        if line and chance.random() < 0.2:
            line = line[: chance.randrange(len(line))]
        elif chance.random() < 0.1:
            line += chance.choice(("xyz", "，", "\n\n", "<|im_end|>"))
        else:
            known = len(list(takewhile(bool, map(eq, line, question))))
            line = question[: known + chance.randrange(1, 8)]
        yield line


@pytest.mark.parametrize("seed", range(6))
def test_reading_ahead_never_changes_a_greedy_answer(seed: int) -> None:
    chance = random.Random(seed)
    options = LoadOptions(path=os.fsencode(ASSETS / "demo.gguf"), plan=Plan(threads=2, batch_size=32))
    engine, other = LocalEngine(options), LocalEngine(options)
    try:
        for question in QUESTIONS:
            alone = text_of(other.stream(request(question)))
            engine.info()
            for line in typed(question, chance):
                engine.read_ahead(request(line))
                time.sleep(chance.choice((0, 0, 0.01)))
            assert text_of(engine.stream(request(question))) == alone
    finally:
        engine.close()
        other.close()


def test_a_worker_that_reads_no_commands_lets_nobody_wait(reading: LocalEngine) -> None:
    """A pipe holds 64 kB. A person who types beside a hung worker must still see the letters."""
    reading.info()
    worker = worker_of(reading)
    worker.suspend()
    try:
        for end in range(1, 100):
            reading.read_ahead(request(MATERIAL, "I have read it.", MATERIAL[:end]))
    finally:
        worker.resume()
    asked = request(MATERIAL, "I have read it.", MATERIAL[:98])
    assert finished(list(reading.stream(asked))).reason
