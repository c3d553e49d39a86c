"""Prompt lookup: which places it finds in the text, and how many tokens are worth drafting."""

import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_tui.engine.worker.lookup import MOST_DRAFTED, BatchCosts, Lookup, TextIndex, best_count

# The costs of batches: measured on a PC with slow memory; the assumed ones; and as high as those of single tokens.
FAST = (
    1,
    1.35,
    1.35,
    1.35,
    1.6,
    1.9,
    2.2,
    2.5,
    2.6,
    2.7,
    2.8,
    2.9,
    3,
    3.1,
    3.15,
    3.2,
    *(3.2 + 0.15 * n for n in range(1, 17)),
)
MIDDLING = tuple(1 + 0.35 * n for n in range(32))
UNKNOWN = ()
HOPELESS = tuple(range(1, 33))
COSTS = {"fast": FAST, "middling": MIDDLING, "unknown": UNKNOWN, "hopeless": HOPELESS}

Draw = Callable[[Sequence[int]], int]


def decode(prompt: Sequence[int], answer: Sequence[int], costs: Sequence[float]) -> float:
    """Generate `answer` with lookup, and return how many times faster that is than one token after another."""
    lookup = Lookup(prompt, BatchCosts(costs), learn_costs=False)
    real = BatchCosts(costs).of
    lookup.follow(answer[:1])
    done, spent = 1, 0.0
    while done < len(answer):
        draft = lookup.draft(min(MOST_DRAFTED, len(answer) - done - 1))
        spent += real[len(draft) + 1]
        right = 0
        while right < len(draft) and draft[right] == answer[done + right]:
            right += 1
        lookup.follow(answer[done : done + right + 1])
        done += right + 1
    return (len(answer) - 1) / spent if spent else 1.0


def words(seed: int, count: int, vocabulary: int = 2000) -> list[int]:
    return random.Random(seed).choices(range(vocabulary), k=count)


@given(st.lists(st.integers(0, 2), max_size=60))
def test_the_latest_place_of_the_longest_match_is_found(tokens: list[int]) -> None:
    def by_search() -> tuple[int, int] | None:
        for length in (6, 3):
            for end in range(len(tokens) - 1, length - 1, -1):
                if tokens[end - length : end] == tokens[len(tokens) - length :]:
                    return length, end
        return None

    assert TextIndex(tokens).find() == by_search()
    grown = TextIndex(())
    for token in tokens:
        grown.extend([token])
    assert grown.find() == by_search()


def test_a_repetition_is_continued_beyond_the_end_of_the_text() -> None:
    index = TextIndex([9, 1, 2, 3, 1, 2, 3])
    found = index.find()
    assert found == (3, 4)
    assert index.continued(4, 7) == [1, 2, 3, 1, 2, 3, 1]
    assert index.continued(4, 2) == [1, 2]


@pytest.mark.parametrize("name", COSTS)
def test_copied_text_is_never_slower_and_mostly_much_faster(name: str) -> None:
    prompt = words(1, 400)
    faster = decode(prompt, prompt[50:350], COSTS[name])
    assert faster >= {"fast": 3.5, "middling": 1.9, "unknown": 1.7, "hopeless": 1}[name]


@pytest.mark.parametrize("name", COSTS)
def test_an_edited_copy_pays_too(name: str) -> None:
    prompt = words(1, 600)
    answer = [token if i % 40 else 5000 + i for i, token in enumerate(prompt)]
    assert decode(prompt, answer, COSTS[name]) >= {"fast": 2.3, "middling": 1.5, "unknown": 1.2, "hopeless": 1}[name]


def corrected(seed: int, every: int, change: str) -> tuple[list[int], list[int]]:
    """Return a text, and the same with one token in so many replaced, left out, or put in front."""
    prompt = words(seed, 400)
    changes: dict[str, Callable[[int, int], list[int]]] = {
        "replaced": lambda i, _token: [5000 + i],
        "left out": lambda _i, _token: [],
        "put in": lambda i, t: [5000 + i, t],
    }
    answer = [new for i, token in enumerate(prompt) for new in ([token] if i % every else changes[change](i, token))]
    return prompt, answer


@pytest.mark.parametrize("change", ["replaced", "left out", "put in"])
def test_a_copy_continues_after_each_correction(change: str) -> None:
    # If each correction needed a new match of three tokens, little would be left of every eight.
    prompt, answer = corrected(2, 8, change)
    least = {"replaced": 2.0, "left out": 2.0, "put in": 1.3}
    assert decode(prompt, answer, FAST) >= least[change]


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), max_size=40), st.lists(st.integers(0, 3), min_size=1, max_size=80))
def test_any_text_can_be_followed(prompt: list[int], answer: list[int]) -> None:
    assert decode(prompt, answer, FAST) > 0


@pytest.mark.parametrize("name", COSTS)
@pytest.mark.parametrize("vocabulary", [2, 4, 8, 16, 40])
def test_text_with_meaningless_matches_costs_almost_nothing(name: str, vocabulary: int) -> None:
    # In random text over so few tokens nearly every match occurred before, but does not predict the next token.
    speeds = [decode((), words(seed, 500, vocabulary), COSTS[name]) for seed in range(10)]
    assert sum(speeds) / len(speeds) > 0.97


@pytest.mark.parametrize("name", COSTS)
@pytest.mark.parametrize("chance", [0.2, 0.3, 0.4, 0.5, 0.6, 0.8])
def test_at_every_rate_of_right_guesses_drafting_costs_no_more_than_it_saves(name: str, chance: float) -> None:
    # The copy continues at another place after each wrong token.
    speeds = []
    for seed in range(10):
        draw = random.Random(seed)
        prompt = words(seed, 3000, 60_000)
        answer: list[int] = []
        while len(answer) < 600:
            at = draw.randrange(2900)
            answer += prompt[at : at + 3]
            while draw.random() < chance:
                answer.append(prompt[(at := at + 1) + 2])
        speeds.append(decode(prompt, answer, COSTS[name]))
    assert sum(speeds) / len(speeds) > 0.97


def refuse(lookup: Lookup, prompt: Sequence[int], times: int) -> list[int]:
    """Let the answer begin to copy again and again, and each time continue differently; return the drafts."""
    drafted = []
    for i in range(times):
        lookup.follow(prompt[10 * i : 10 * i + 8])
        drafted.append(len(lookup.draft(MOST_DRAFTED)))
        lookup.follow([100_000 + i])
    return drafted


def test_after_refusals_nothing_is_drafted_until_guesses_are_right_again() -> None:
    prompt = words(3, 1000, 60_000)
    lookup = Lookup(prompt, BatchCosts(MIDDLING), learn_costs=False)
    drafted = refuse(lookup, prompt, 30)
    assert drafted[0] > 0
    assert not any(drafted[3:])

    lookup.follow(prompt[500:507])
    again = []
    for i in range(507, 540):
        again.append(len(lookup.draft(MOST_DRAFTED)))
        lookup.follow(prompt[i : i + 1])
    assert again[0] == 0, "one match changes no mind"
    assert next(i for i, count in enumerate(again) if count) <= 10
    assert again[-1] >= 4


def test_a_draft_is_as_long_as_costs_and_chances_make_it_pay() -> None:
    cheap, dear = BatchCosts(FAST).of, BatchCosts(MIDDLING).of
    assert best_count(0.95, cheap, MOST_DRAFTED) > best_count(0.95, dear, MOST_DRAFTED) > 0
    assert best_count(0.9, cheap, MOST_DRAFTED) > best_count(0.5, cheap, MOST_DRAFTED) > 0
    assert best_count(0.99, BatchCosts(HOPELESS).of, MOST_DRAFTED) == 0
    assert best_count(0.2, dear, MOST_DRAFTED) == 0
    assert best_count(0.99, cheap, 2) == 2
    assert best_count(0.99, cheap, 0) == 0


def test_given_costs_never_fall_and_scale_those_that_are_missing() -> None:
    assumed, given = BatchCosts().of, BatchCosts((1, 1.5, 1.4, 2.2)).of
    assert given[1:5] == [1, 1.4, 1.4, 2.2]
    assert all(1 < ours < theirs for ours, theirs in zip(given[5:], assumed[5:], strict=True))
    assert given == sorted(given)


def test_costs_are_learned_while_it_runs_and_a_disturbance_changes_little() -> None:
    costs = BatchCosts()
    for _ in range(40):
        costs.measured(1, 0.2)
        costs.measured(4, 0.26)
    assert costs.of[4] == pytest.approx(1.3, abs=0.01)
    assert costs.of == sorted(costs.of)
    assert costs.of[16] < 2, "others are taken to be as much cheaper than assumed"
    costs.measured(4, 60)
    assert costs.of[4] < 1.6


def test_the_first_measurements_count_more_than_what_was_assumed() -> None:
    costs = BatchCosts()
    costs.measured(1, 0.2)
    for _ in range(3):
        costs.measured(4, 0.92)
    assert costs.of[4] > 4


def test_a_larger_batch_never_costs_less_than_a_smaller_one() -> None:
    costs = BatchCosts()
    costs.measured(1, 0.2)
    for _ in range(40):
        costs.measured(3, 0.6)
    assert costs.of[4] >= costs.of[3] == pytest.approx(3, abs=0.01)
