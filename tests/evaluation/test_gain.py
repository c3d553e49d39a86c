"""What `qwen tune` is said to gain before it is run, and when it is offered."""

from types import SimpleNamespace
from typing import Any

import pytest

from qwen_tui.engine.protocol import Costs
from qwen_tui.evaluation import gain
from qwen_tui.hardware.plan import Plan
from tests.evaluation.test_doctor import plan

COMMAND = "qwen tune"


def subject(written: float, *, tuned: object = None, free: float = 0.0) -> Any:
    """A PC on which the last answers were written at so many tokens/s, and whose card has so many GiB free."""
    forced = SimpleNamespace(plan=Plan(threads=2), placement=plan(free), tuned=tuned)
    speeds = SimpleNamespace(recall=lambda _plan: Costs(decode_tps=written))
    return SimpleNamespace(in_force=lambda: forced, speeds=speeds)


@pytest.fixture(autouse=True)
def _memory_of_13_gigabytes_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gain, "memory_bandwidth", lambda _threads, _free: 13e9)


def offer(written: float, *, tuned: object = None) -> str:
    """Count an answer, and return the offer behind it."""
    return gain.offer(lambda: subject(written, tuned=tuned), lambda: COMMAND)


def test_what_is_missing_to_the_speed_of_the_memory_may_be_gained() -> None:
    said = gain.foretold(subject(3.0))
    assert "3.0 tokens/s now" in said
    assert "Writing may gain up to" in said


def test_what_no_plan_can_gain_is_not_promised() -> None:
    said = gain.foretold(subject(0.5))
    assert "may gain" not in said
    assert "perhaps other programs slowed them" in said


def test_where_the_memory_is_the_limit_already_only_reading_may_gain() -> None:
    assert "Reading may gain" in gain.foretold(subject(4.1))


def test_answers_that_were_drafted_from_their_prompt_say_nothing_about_the_memory() -> None:
    assert gain.foretold(subject(8.0)) == ""


def test_before_the_first_answer_and_with_a_card_nothing_is_foretold() -> None:
    assert gain.foretold(subject(0.0)) == ""
    assert gain.foretold(subject(2.0, free=3.6)) == ""


def test_it_is_offered_once_after_the_third_answer() -> None:
    said = [offer(3.0) for _answer in range(5)]
    assert [bool(sentence) for sentence in said] == [False, False, True, False, False]


@pytest.mark.parametrize("written", [0.0, 0.5, 3.0, 4.1, 8.0])
def test_the_offer_is_one_sentence_and_promises_what_is_known(written: float) -> None:
    *_before, said = [offer(written) for _answer in range(3)]
    assert said.endswith(COMMAND)
    assert len(said) < 80
    assert ("Writing may gain up to" in said) == (written == 3.0)


def test_who_has_tuned_is_offered_nothing() -> None:
    assert not any(offer(3.0, tuned="measured") for _answer in range(5))


def test_nothing_is_looked_up_before_and_after_the_offer() -> None:
    looked: list[None] = []

    def find() -> Any:
        looked.append(None)
        return subject(3.0)

    for _answer in range(5):
        gain.offer(find, lambda: COMMAND)
    assert len(looked) == 1
