"""The number of threads that decode, on a processor that a test keeps busy."""

from itertools import groupby, pairwise

import pytest

from qwen_tui.engine.worker.pace import Pace


class Processor:
    """Decodes with the threads of a `Pace`; other programs take `busy` cores. A token is 1 s of one core's work."""

    def __init__(self, cores: int, busy: int = 0) -> None:
        self.pace = Pace(cores)
        self.cores = cores
        self.busy = busy
        self.used: list[int] = []

    def decode(self, tokens: int) -> float:
        """Decode, and return the seconds that it took."""
        total = 0.0
        for _token in range(tokens):
            threads = self.pace.threads
            disturbed = max(0, threads + self.busy - self.cores)
            # All threads wait for the one that shares its core: it gets half of it, and gets it in turns.
            seconds = (3.0 if disturbed else 1.0) / threads
            self.used.append(threads)
            self.pace.took(seconds, 1.0)
            total += seconds
        return total


@pytest.mark.parametrize("cores", [1, 2, 6])
def test_alone_all_threads_decode_all_tokens(cores: int) -> None:
    processor = Processor(cores)
    processor.decode(500)
    assert set(processor.used) == {cores}


@pytest.mark.parametrize(("cores", "busy"), [(2, 1), (6, 1), (6, 2)])
def test_beside_busy_programs_their_cores_are_left_to_them(cores: int, busy: int) -> None:
    processor = Processor(cores, busy)
    processor.decode(20 * busy + 20)
    processor.used.clear()
    processor.decode(400)
    assert processor.used.count(cores - busy) > 0.9 * 400
    assert processor.pace.is_crowded


def test_what_others_took_of_the_prefill_counts_from_the_first_token_on() -> None:
    processor = Processor(2, busy=1)
    processor.pace.has_read(4.0, 6.0, 2)
    processor.decode(12)
    assert set(processor.used) == {1}


def test_a_prefill_beside_a_program_that_has_ended_costs_a_few_tokens() -> None:
    processor = Processor(2)
    processor.pace.has_read(4.0, 6.0, 2)
    processor.decode(100)
    assert processor.used.count(2) > 80


@pytest.mark.parametrize(("seconds", "processor_s"), [(4.0, 7.5), (0.2, 0.2)])
def test_an_undisturbed_or_short_prefill_tells_nothing(seconds: float, processor_s: float) -> None:
    processor = Processor(2)
    processor.pace.has_read(seconds, processor_s, 2)
    assert processor.pace.threads == 2


def test_more_threads_that_are_much_slower_are_tried_for_two_tokens() -> None:
    processor = Processor(2, busy=1)
    processor.decode(40)
    processor.used.clear()
    processor.decode(400)
    trials = [len(list(run)) for threads, run in groupby(processor.used) if threads == 2]
    assert trials
    assert max(trials) == 2


def test_when_the_other_program_has_ended_all_threads_come_back() -> None:
    processor = Processor(4, busy=2)
    processor.decode(300)
    processor.busy = 0
    processor.decode(300)
    assert processor.pace.threads == 4
    assert not processor.pace.is_crowded


def test_one_program_for_a_moment_costs_little() -> None:
    processor = Processor(2)
    alone = processor.decode(200)
    processor.busy = 1
    processor.decode(5)
    processor.busy = 0
    assert processor.decode(200) < 1.15 * alone


@pytest.mark.parametrize("share", [0.7, 0.9])
def test_two_threads_that_lose_a_little_stay_two(share: float) -> None:
    """One alone would take twice as long: even to try that costs more than the small programs beside take."""
    pace = Pace(2)
    for _token in range(200):
        pace.took(0.2, 2 * share * 0.2)
        assert pace.threads == 2


def test_the_threads_change_one_at_a_time() -> None:
    processor = Processor(6, busy=3)
    processor.decode(400)
    assert all(abs(a - b) <= 1 for a, b in pairwise(processor.used))


def test_where_the_threads_must_not_change_they_do_not() -> None:
    pace = Pace(4, adapts=False)
    for _token in range(100):
        pace.took(1.0, 0.5)
    assert pace.threads == 4
