"""Notices an answer that repeats itself without end, as small models do. It may notice late, but must not be wrong.

An answer may repeat itself for a good reason: lines of dashes, rows of a table, zeros of a matrix, a refrain. So only
text counts that comes again and again in the same words, perhaps with other numbers, for longer than is useful.
"""

import re

# After every so many new characters, the last so many are examined.
_EVERY, _LOOK_BACK = 200, 24_000
# The last so many characters are looked for in the text before. At most so many earlier occurrences are tried.
_MARK, _TRIES = 48, 6
# How often a short block has to come, and how often a long one; a long block has at least so many bytes.
_OFTEN, _FEW, _LONG = 12, 5, 200
# The repetition has at least so many bytes; about four are a token. Text without letters, code and tables often repeat
# themselves: there it takes more.
_LEAST, _LEAST_USUAL = 2400, 9600
# After an answer was cut off at a limit, repetition is only the explanation: a so many times shorter one is enough.
_CUT = 4
# If only the numbers of a block change, it may be a count. With at least so many letters it is a repetition.
_WORDS = 20
_NUMBER = re.compile(r"\d+")


class Repetition:
    """Watches an answer, piece by piece."""

    def __init__(self) -> None:
        self._tail = ""
        self._new = 0
        self._noticed = False

    def feed(self, piece: str) -> bool:
        """Take the next piece; return True once, when the answer is found to repeat itself."""
        self._tail += piece
        self._new += len(piece)
        if self._noticed or self._new < _EVERY:
            return False
        self._new, self._tail = 0, self._tail[-_LOOK_BACK:]
        self._noticed = _repeats(self._tail, 1)
        return self._noticed

    def ended_so(self) -> bool:
        """Whether the answer, which was cut off, repeated itself at the end."""
        return _repeats(self._tail[-_LOOK_BACK:], _CUT)


def _repeats(text: str, ease: int) -> bool:
    """Whether `text` ends in a repetition; the least length of one is divided by `ease`."""
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
        # The end of a text repeats itself if it is equal to the text one period before.
        if letters >= words and length <= len(text) and text[-length:-period] == text[period - length :]:
            return True
    return False


def _in_code_or_table(text: str) -> bool:
    lines = text.split("\n")
    fences = sum(line.lstrip().startswith(("```", "~~~")) for line in lines)
    return fences % 2 == 1 or any(line.lstrip().startswith("|") for line in lines[-2:])
