"""Chooses how many threads decode the next token: fewer while other programs keep the processor busy.

The threads of llama.cpp meet after every operation. If another program takes the core of one of them, all others wait
for it there, and decoding with one thread fewer is faster. The processor time that the threads did not get tells that
others have taken it. Which number of threads is faster then, a trial of a few tokens tells.
"""

import math
from statistics import mean

# So many tokens are looked at together.
_LATELY = 3
# Threads that get less than this share of their cores are disturbed. With one of n threads fewer, a token takes up to
# n / (n - 1) times as long. So a trial is worth its time only where they get little more than the share (n - 1) / n:
# two threads must have lost a third of their time, and not only a tenth to many small programs.
_UNDISTURBED, _LITTLE_MORE = 0.85, 1.3
# A prefill of so many seconds, in which others took this share of a core all the time, tells that they will go on.
_LONG, _TAKEN = 0.5, 0.4
# So many tokens try another number of threads. The first of them is not counted, because the threads have to start.
_TRIAL = 4
# Fewer threads must be faster by this share, more of them must only be as fast.
_GAIN, _AS_FAST = 0.95, 1.02
# A token that takes so many times as long as before ends the trial of more threads.
_MUCH = 1.4
# So many tokens lie between two trials; after one that was in vain twice as many, up to the last number.
_BETWEEN, _AT_MOST = 12, 96


class Pace:
    """The number of `threads` for the next token: at most `most`, and exactly `most` unless it `adapts`."""

    def __init__(self, most: int, *, adapts: bool = True) -> None:
        self.most = self.threads = most
        self._adapts = adapts and most > 1
        # The seconds of the last tokens, and their processor seconds, with the threads in use.
        self._lately: list[tuple[float, float]] = []
        # During a trial: the seconds a token with each number of threads so far, the first of them that before it.
        self._trial: dict[int, float] = {}
        # The tokens since the last trial, and how many there must be before the next one.
        self._since = 0
        self._between = 0

    @property
    def is_crowded(self) -> bool:
        """Whether other programs keep the processor so busy that fewer threads decode."""
        return self.threads < self.most

    def has_read(self, seconds: float, processor_s: float, threads: int) -> None:
        """Learn from a prefill with so many `threads`: if others were busy meanwhile, fewer threads begin to write.

        The first tokens of an answer on a busy PC would take several times as long. If this was wrong, the next trial
        finds out.
        """
        is_taken = seconds >= _LONG and threads * seconds - processor_s > _TAKEN * seconds
        if is_taken and self._adapts and not self.is_crowded and not self._trial:
            self._lately.clear()
            self._trial[self.threads] = math.inf
            self.threads -= 1

    def took(self, seconds: float, processor_s: float) -> None:
        """Learn how long a token took, and how much processor time; choose the threads for the next one."""
        if not self._adapts:
            return
        self._lately.append((seconds, processor_s))
        self._since += 1
        if len(self._lately) < (_TRIAL if self._trial else _LATELY) and not self._is_in_vain():
            return
        took = mean(seconds for seconds, _processor in self._lately[bool(self._trial) :])
        got = sum(processor for _seconds, processor in self._lately)
        enough = min(_UNDISTURBED, _LITTLE_MORE * (self.threads - 1) / self.threads)
        is_disturbed = got < enough * self.threads * sum(seconds for seconds, _processor in self._lately)
        self._lately.clear()
        if self._trial or self._since >= self._between:
            self._go_on(took, is_disturbed=is_disturbed)

    def _is_in_vain(self) -> bool:
        """Whether the second token of a trial of more threads has shown that they are much slower."""
        before = next(iter(self._trial), self.threads)
        return before < self.threads and len(self._lately) > 1 and self._lately[-1][0] > _MUCH * self._trial[before]

    def _go_on(self, seconds: float, *, is_disturbed: bool) -> None:
        """Begin a trial, try another number, or end the trial; with the threads in use, a token takes `seconds`."""
        begins, goes_up = not self._trial, next(iter(self._trial), self.threads) < self.threads
        # Where two cores are taken, one thread fewer alone helps nothing. Half of the cores are never given up.
        if is_disturbed and not goes_up and self.threads > max(1, self.most // 2):
            self._trial[self.threads] = seconds
            self.threads -= 1
        elif begins and self.is_crowded:
            self._trial[self.threads] = seconds
            self.threads += 1
        elif not begins:
            self._trial[self.threads] = seconds
            self._choose(*self._trial, goes_up=goes_up)

    def _choose(self, before: int, *tried: int, goes_up: bool) -> None:
        """Keep the fastest number of threads of the trial, or that `before` it."""
        best = min(tried, key=lambda threads: self._trial[threads])
        is_better = self._trial[best] < self._trial[before] * (_AS_FAST if goes_up else _GAIN)
        self.threads = best if is_better else before
        self._between = _BETWEEN if is_better else min(2 * max(self._between, _BETWEEN), _AT_MOST)
        self._trial, self._since = {}, 0
