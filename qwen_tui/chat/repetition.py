"""Notices an answer that repeats itself without end, as small models do; better late than wrongly.

An answer may repeat itself for a reason: rules of dashes, rows of a table, zeros of a matrix, a refrain. So it is only
what comes again and again to the letter, or but for its numbers, for longer than people have use for.
"""

import re

# It is looked at whenever so many more characters have come, and so far back.
_EVERY, _LOOK_BACK = 200, 24_000
# A place is recognised by so many characters, and so many earlier ones that look like it are tried.
_MARK, _TRIES = 48, 6
# How often a short block has to come, and a long one, from so many bytes on.
_OFTEN, _FEW, _LONG = 12, 5, 200
# What comes again takes so many bytes; about four are a token. Without words, and in code and tables, that is usual.
_LEAST, _LEAST_USUAL = 2400, 9600
# Of an answer that was cut, it need not be told in time, but why it was: so much less will do.
_CUT = 4
# A block whose numbers change counts something, or repeats itself if it has so many letters.
_WORDS = 20
_NUMBER = re.compile(r"\d+")


class Repetition:
    """Takes an answer piece by piece."""

    def __init__(self) -> None:
        self._tail = ""
        self._new = 0
        self._noticed = False

    def feed(self, piece: str) -> bool:
        """Take the next piece; return True once, when it is noticed that the answer repeats itself."""
        self._tail += piece
        self._new += len(piece)
        if self._noticed or self._new < _EVERY:
            return False
        self._new, self._tail = 0, self._tail[-_LOOK_BACK:]
        self._noticed = _repeats(self._tail, 1)
        return self._noticed

    def ended_so(self) -> bool:
        """Whether the answer, which was cut, repeated itself in the end."""
        return _repeats(self._tail[-_LOOK_BACK:], _CUT)


def _repeats(text: str, ease: int) -> bool:
    """Whether `text` ends in what has come again and again, by measures that are so many times as easy to meet."""
    text = text.rstrip()
    usual = _in_code_or_table(text)
    if _ends_in_repeats(text, usual=usual, ease=ease):
        return True
    without_numbers = _NUMBER.sub("0", text)
    return without_numbers != text and _ends_in_repeats(without_numbers, usual=True, words=_WORDS, ease=ease)


def _ends_in_repeats(text: str, *, usual: bool, words: int = 0, ease: int) -> bool:
    weight = len(text.encode()) / max(1, len(text))
    mark, end = text[-_MARK:], len(text) - 1
    for _try in range(_TRIES):
        before = text.rfind(mark, 0, end)
        if before < 0 or len(mark) < _MARK:
            return False
        end = before + len(mark) - 1
        period = len(text) - len(mark) - before
        block = text[-period:]
        letters = sum(map(str.isalpha, block))
        least = (_LEAST_USUAL if usual or not letters else _LEAST) / ease
        often = _OFTEN if period * weight < _LONG else _FEW
        length = round(max(least / weight, period * often))
        # A text repeats itself where it is equal to itself, moved by the period.
        if letters >= words and length <= len(text) and text[-length:-period] == text[period - length :]:
            return True
    return False


def _in_code_or_table(text: str) -> bool:
    lines = text.split("\n")
    fences = sum(line.lstrip().startswith(("```", "~~~")) for line in lines)
    return fences % 2 == 1 or any(line.lstrip().startswith("|") for line in lines[-2:])
