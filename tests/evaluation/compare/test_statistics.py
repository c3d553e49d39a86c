"""What is concluded from rounds: by examples that can be counted by hand, and on simulated experiments."""

import itertools
import random
from statistics import variance

import pytest

from qwen_tui.evaluation.compare import statistics
from qwen_tui.evaluation.compare.statistics import (
    change,
    compare,
    fewest_rounds,
    holm,
    interval,
    rounds_needed,
    sign_flip,
)
from scripts.stress import compare_statistics as simulation


def test_three_rounds_can_never_show_a_difference() -> None:
    found = compare({"arithmetic": [(0, 1), (0, 1), (0, 1)]}, seed=1)["arithmetic"]
    assert (found.difference, found.p, found.seen) == (1.0, 0.25, False)
    assert (found.low, found.high) == (None, None)


def test_it_says_how_many_rounds_would_show_a_difference() -> None:
    found = compare({"length": [(0.5, 0.6), (0.4, 0.6), (0.5, 0.45)]}, seed=1)["length"]
    assert not found.seen and found.size == 0.1
    assert found.needed == rounds_needed([0.1, 0.2, -0.05], 0.1, checks=1)
    assert (found.needed or 0) > 6


def test_ten_rounds_that_agree_show_it() -> None:
    found = compare({"names": [(0.2, 0.5)] * 10, "other": [(0.5, 0.5)] * 10}, seed=1)
    assert found["names"].seen
    assert found["names"].difference == pytest.approx(0.3)
    assert not found["other"].seen


def test_a_single_check_is_seen_where_one_of_forty_is_not() -> None:
    rounds = [(0.0, 1.0)] * 7
    alone = compare({"check": rounds}, seed=1)["check"]
    among = compare({"check": rounds, **{f"other {n}": [(1.0, 1.0)] * 7 for n in range(39)}}, seed=1)["check"]
    assert (alone.seen, among.seen) == (True, False)
    assert alone.p == among.p == 2 / 2**7
    assert among.adjusted == pytest.approx(40 * among.p)


def test_rounds_that_cannot_be_judged_do_not_count() -> None:
    found = compare({"runs": [(None, 1.0), (1.0, None), (0.5, 0.75)], "none": [(None, None)]}, seed=1)
    assert (found["runs"].rounds, found["runs"].difference) == (1, 0.25)
    assert (found["none"].rounds, found["none"].adjusted) == (0, 1.0)
    assert not found["runs"].seen and found["runs"].needed is None


def test_the_same_seed_gives_the_same_result() -> None:
    rounds = [(a / 10, a % 3 / 2) for a in range(9)]
    assert compare({"check": rounds}, seed=7) == compare({"check": rounds}, seed=7)


@pytest.mark.parametrize("rounds", range(1, 10))
def test_the_test_counts_all_ways_to_turn_the_pairs_round(rounds: int) -> None:
    chance = random.Random(rounds)
    for _try in range(20):
        thousandths = [chance.choice([0, 0, 250, -1000, chance.randint(-1000, 1000)]) for _round in range(rounds)]
        ways = [sum(sign * one for sign, one in zip(signs, thousandths, strict=True)) for signs in turns(rounds)]
        as_far = sum(abs(way) >= abs(sum(thousandths)) for way in ways) / len(ways)
        assert sign_flip([one / 1000 for one in thousandths]) == pytest.approx(as_far, abs=1e-12)


def turns(rounds: int) -> list[tuple[int, ...]]:
    return list(itertools.product((1, -1), repeat=rounds))


def test_without_rounds_or_without_differences_nothing_is_seen() -> None:
    assert sign_flip([]) == sign_flip([0.0] * 5) == 1.0
    assert compare({}, seed=1) == {}


def test_holm_corrects_step_by_step() -> None:
    # 4 times the smallest, 3 times the next one, then twice, and never less than the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_the_interval_of_rounds_that_all_agree_still_has_a_width() -> None:
    low, high = interval([0.0] * 20, random.Random(1)) or (0, 0)
    # 1 - 0.025^(1/20): if that share of rounds differs, twenty rounds show none in 1 of 40 cases.
    assert (low, high) == pytest.approx((-0.168, 0.168), abs=0.001)


def test_a_change_is_a_share_of_what_it_was_before() -> None:
    chance = random.Random(5)
    pairs = [(a, 1.4 * a) for a in (chance.uniform(0.2, 0.6) for _round in range(30))]
    here, low, high = change(pairs, random.Random(1)) or (0, 0, 0)
    assert (here, low, high) == pytest.approx((0.4, 0.4, 0.4))
    # Both means are uncertain: unrelated values with the same means leave a wide interval around.
    others = [b for _a, b in pairs]
    chance.shuffle(others)
    here, low, high = change([(a, b) for (a, _b), b in zip(pairs, others, strict=True)], random.Random(1)) or (0, 0, 0)
    assert here == pytest.approx(0.4)
    assert low < 0.35 and high > 0.45


def test_no_share_of_nothing_can_be_told() -> None:
    assert change([(0.0, 0.1)] * 30, random.Random(1)) is None
    # One pair in thirty is not always among those drawn.
    assert change([(0.5, 0.1), *[(0.0, 0.1)] * 29], random.Random(1)) is None
    assert change([(0.5, 0.1)] * 5, random.Random(1)) is None


def test_the_fewest_rounds_grow_with_the_checks() -> None:
    assert [fewest_rounds(checks) for checks in (1, 4, 26)] == [6, 8, 11]


def test_the_interval_is_about_as_wide_as_that_of_student() -> None:
    chance = random.Random(3)
    differences = [chance.gauss(0.1, 0.2) for _round in range(30)]
    low, high = interval(differences, random.Random(4)) or (0, 0)
    half = 2.045 * variance(differences) ** 0.5 / 30**0.5
    assert (high - low) / 2 == pytest.approx(half, rel=0.1)


@pytest.mark.parametrize(("probability", "free", "t"), [(0.975, 1, 12.706), (0.975, 5, 2.571), (0.995, 8, 3.355)])
def test_students_t_is_that_of_the_tables(probability: float, free: int, t: float) -> None:
    assert statistics._student(probability, free) == pytest.approx(t, abs=0.001)


def test_more_checks_a_smaller_size_and_more_spread_need_more_rounds() -> None:
    differences = [0.1, -0.1, 0.2, 0.0]
    needed = rounds_needed(differences, 0.1, checks=1)
    assert needed is not None
    assert (rounds_needed(differences, 0.1, checks=20) or 0) > needed
    assert (rounds_needed(differences, 0.05, checks=1) or 0) > needed
    assert (rounds_needed([3 * one for one in differences], 0.1, checks=1) or 0) > needed
    # Even without any spread, the exact test cannot say anything before the sixth round.
    assert (rounds_needed([0.5, 0.501] * 20, 0.9, checks=1) or 0) >= 6
    assert rounds_needed([0.5], 0.1, checks=1) is None


def test_rounds_that_mostly_agree_do_not_hide_the_rare_one_that_does_not() -> None:
    # 1 - 0.2^(1/12): so many rounds may differ by 1, and twelve show none in one of five cases.
    rare = [0.0] * 8 + [0.02, -0.02, 0.01, 0.03]
    assert rounds_needed(rare, 0.1, checks=1) == rounds_needed([0.0] * 12, 0.1, checks=1)
    smooth = [one + 0.001 * number for number, one in enumerate(rare, 1)]
    assert (rounds_needed(smooth, 0.1, checks=1) or 0) < 12


def test_simulated_experiments_without_a_difference_seldom_report_one() -> None:
    alarms = simulation.false_alarms(200, 6, 8, random.Random(16))
    # 5% are 10 of 200; with chance, 20 of 200 would come once in 600 times.
    assert alarms <= 0.1


def test_simulated_experiments_report_the_difference_there_is() -> None:
    seen, besides = simulation.detections(60, 6, 20, 0.4, random.Random(16))
    assert seen > 0.7
    assert besides <= 0.1
