"""Simulates experiments of `compare` with a known difference and with none, and says how often each is reported.

    python scripts/stress/compare_statistics.py --experiments 1000 --seed 16

Of each experiment, all checks are one family. A third of them passes or fails, a third counts ten things, a third is a
share; both sides of a round go together, as answers with the same seed do. The aim: false alarms, which are experiments
that report any difference where there is none, in at most 5 of 100.
"""

import random
import sys
from collections.abc import Callable
from statistics import fmean, median

from qwen_tui.evaluation.compare import statistics
from scripts.command_line import command_line

Round = tuple[float, float]
# How often the second side of a round throws the same die as the first one.
TOGETHER = 0.5


def main() -> int:
    """Run the command line, and return the exit code: 1 if there are too many false alarms."""
    parser = command_line(__doc__)
    parser.add_argument("--experiments", type=int, default=1000, help="how many of each kind")
    parser.add_argument("--checks", type=int, default=12, help="how many checks an experiment has")
    parser.add_argument("--rounds", type=int, nargs="+", default=[3, 10, 20, 40], help="how many rounds it has")
    parser.add_argument("--size", type=float, default=0.2, help="the known difference")
    parser.add_argument("--seed", type=int, default=16)
    options = parser.parse_args()
    too_many = False
    for rounds in options.rounds:
        alarms = false_alarms(options.experiments, options.checks, rounds, random.Random(options.seed))
        seen, besides = detections(
            options.experiments, options.checks, rounds, options.size, random.Random(options.seed + 1)
        )
        print(
            f"{rounds:3} rounds, no difference: {alarms:6.1%} report one; "
            f"{100 * options.size:.0f} points in one check: {seen:6.1%} report it, {besides:6.1%} another one",
            flush=True,
        )
        too_many |= alarms > 0.05 + 2 * (0.05 * 0.95 / options.experiments) ** 0.5
    for kind, throw in KINDS.items():
        for rounds in filter(lambda count: count >= statistics.FEWEST_ROUNDS, options.rounds):
            inside = coverage(throw, options.experiments, rounds, random.Random(options.seed + 2))
            print(f"{rounds:3} rounds, {kind}: the interval holds the true difference in {inside:6.1%}", flush=True)
    for kind, throw in KINDS.items():
        needed, power = promise(throw, options.experiments, options.size, random.Random(options.seed + 3))
        print(
            f"3 rounds, {kind}: they ask for {needed} rounds (median), in which {100 * options.size:.0f} points are "
            f"seen in {power:6.1%}"
        )
    return int(too_many)


def passes(chance: random.Random, size: float) -> Round:
    """Return a round of a check that one passes or fails."""
    first = chance.random()
    second = first if chance.random() < TOGETHER else chance.random()
    return float(first < 0.6), float(second < 0.6 + size)


def counts(chance: random.Random, size: float) -> Round:
    """Return a round of a check that counts ten things, as planted mistakes."""
    pairs = [passes(chance, size) for _thing in range(10)]
    return fmean(a for a, _b in pairs), fmean(b for _a, b in pairs)


def shares(chance: random.Random, size: float) -> Round:
    """Return a round of a check whose value is a share, as that of distinct n-grams."""
    task = chance.gauss(0.4, 0.05)
    a, b = (min(1.0, max(0.0, task + chance.gauss(0, 0.05))) for _side in range(2))
    return a, min(1.0, b + size)


KINDS: dict[str, Callable[[random.Random, float], Round]] = {"passes": passes, "counts": counts, "shares": shares}


def experiment(checks: int, rounds: int, size: float, chance: random.Random) -> list[bool]:
    """Return of each check whether a difference is reported; the first one, of a random kind, has one of `size`."""
    kinds = list(KINDS.values())
    first = chance.randrange(len(kinds))
    found = []
    for number in range(checks):
        throw = kinds[(first + number) % len(kinds)]
        found.append([throw(chance, 0 if number else size) for _round in range(rounds)])
    probabilities = [statistics.sign_flip([b - a for a, b in pairs]) for pairs in found]
    return [p <= statistics.ALPHA for p in statistics.holm(probabilities)]


def false_alarms(experiments: int, checks: int, rounds: int, chance: random.Random) -> float:
    """Return which share of experiments without a difference reports one."""
    return fmean(any(experiment(checks, rounds, 0, chance)) for _experiment in range(experiments))


def detections(experiments: int, checks: int, rounds: int, size: float, chance: random.Random) -> tuple[float, float]:
    """Return which share of experiments reports the one difference there is, and which any other one."""
    reports = [experiment(checks, rounds, size, chance) for _experiment in range(experiments)]
    return fmean(report[0] for report in reports), fmean(any(report[1:]) for report in reports)


def coverage(
    throw: Callable[[random.Random, float], Round], experiments: int, rounds: int, chance: random.Random
) -> float:
    """Return in which share of experiments with a difference of 10 points the interval holds that difference."""
    held = 0
    for _experiment in range(experiments):
        found = [b - a for a, b in (throw(chance, 0.1) for _round in range(rounds))]
        low, high = statistics.interval(found, chance) or (-1, 1)
        held += low <= 0.1 <= high
    return held / experiments


def promise(
    throw: Callable[[random.Random, float], Round], experiments: int, size: float, chance: random.Random
) -> tuple[int, float]:
    """Return how many rounds three rounds ask for (median), and how often so many rounds then show the difference.

    This is for a check that is alone; each experiment is repeated with the rounds that its own first three ask for.
    """
    needed, seen = [], 0
    for _experiment in range(experiments):
        pilot = [b - a for a, b in (throw(chance, size) for _round in range(3))]
        rounds = statistics.rounds_needed(pilot, size, checks=1)
        assert rounds is not None
        needed.append(rounds)
        found = [b - a for a, b in (throw(chance, size) for _round in range(rounds))]
        seen += statistics.sign_flip(found) <= statistics.ALPHA
    return round(median(needed)), seen / experiments


if __name__ == "__main__":
    sys.exit(main())
