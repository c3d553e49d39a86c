"""Splits a text into pieces of at most so many tokens, at the best places for it: every character is in one piece."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple

from qwen_tui.chat.fitting.breaks import breaks_in
from qwen_tui.documents import marks
from qwen_tui.documents.marks import Mark
from qwen_tui.engine.protocol import Engine
from qwen_tui.messages import Message

# A piece is at least this full if a good place to split lies behind that.
_FILL = 0.5
# A piece that is less full than this is tried once more with more text, so many times: the guess was too low.
_LOW, _TRIES = 0.75, 3
# The guess aims a little below the limit: to count once more costs more than a little room.
_MARGIN = 0.97
# Characters in the first count, which tells how many of them a token has.
_SAMPLE = 4_000
# The end of a word; where no blank follows, as in Chinese, the end of a clause.
_WORD_END = re.compile(r"\s(?=\S)|[，、：,:）】》]+")


class Piece(NamedTuple):
    """A piece of a text, which begins there at `start`.

    `places` are the marks of the places that it is from. `began` is the mark of the place in whose middle it begins;
    None if it begins with a mark, or before all.
    """

    text: str
    start: int
    places: tuple[Mark, ...] = ()
    began: Mark | None = None

    @property
    def shown(self) -> str:
        """The piece as the model gets it: with the mark of its place before it."""
        text = self.text.strip("\n")
        return f"{self.began}\n{text}" if self.began and text.strip() else text

    @property
    def end(self) -> int:
        """Where it ends in the text."""
        return self.start + len(self.text)


def counter(engine: Engine) -> Callable[[str], int]:
    """Return a function that counts the tokens of a text."""
    # Every message has some tokens around its text.
    around = engine.count((Message("user", ""),))
    return lambda text: engine.count((Message("user", text),)) - around


def split(text: str, most: int, count: Callable[[str], int]) -> list[Piece]:
    """Return `text` in pieces that have at most `most` tokens each as they are shown; joined, they are `text`.

    It is split at headings and places, else between paragraphs, sentences, words, characters, in this order; inside a
    fenced block or a table only where that alone is too large. Only a piece of one character may be too large. `count`
    returns the tokens of a text, and is called about once for each piece.
    """
    return list(_Splitting(text, most, count).pieces())


class _Splitting:
    """One text that is being split."""

    def __init__(self, text: str, most: int, count: Callable[[str], int]) -> None:
        self._text = text
        self._most = max(most, 1)
        self._count = count
        self._marks = marks.find(text)
        # For each quality, the best first, the places to split at.
        self._breaks = breaks_in(text, self._marks)

    def pieces(self) -> Iterator[Piece]:
        start = 0
        sample = self._text[:_SAMPLE]
        width = int(self._most * max(len(sample), 1) / max(self._count(sample), 1) * _MARGIN)
        while start < len(self._text):
            piece, width = self._next(start, max(width, 1))
            yield piece
            start = piece.end

    def _next(self, start: int, width: int) -> tuple[Piece, int]:
        """Return the piece that begins at `start`, and how many characters the next one may have, by this one's count.

        It may have about `width` characters.
        """
        fitting = None
        tries = _TRIES
        while True:
            piece = self._piece(start, self._cut(start, min(start + width, len(self._text))))
            length, tokens = len(piece.text), max(self._count(piece.shown), 1)
            guess = max(int(length * self._most / tokens * _MARGIN), 1)
            if tokens > self._most and length > 1:
                if fitting:
                    return fitting, len(fitting.text)
                width = min(guess, length - 1)
                continue
            tries -= 1
            if piece.end == len(self._text) or tokens > _LOW * self._most or guess <= width or not tries:
                return piece, guess
            fitting, width = piece, guess

    def _cut(self, start: int, limit: int) -> int:
        """Return the best place to split behind `start`, not behind `limit`."""
        if limit == len(self._text):
            return limit
        half = start + max(int((limit - start) * _FILL), 1)
        good, enclosed = self._breaks[:-1], self._breaks[-1]
        for places in good:
            if (place := _last(places, half, limit)) is not None:
                return place
        found = [place for places in good if (place := _last(places, start + 1, limit)) is not None]
        if found:
            return max(found)
        if (place := _last(enclosed, start + 1, limit)) is not None:
            return place
        return max((match.end() for match in _WORD_END.finditer(self._text, start + 1, limit)), default=limit)

    def _piece(self, start: int, end: int) -> Piece:
        text = self._text[start:end]
        first = bisect_left(self._marks, (start,))
        inside = self._marks[first : bisect_left(self._marks, (end,))]
        # A mark at the end, with nothing of its place, is not a place that the piece is from.
        places = [one for one in inside if self._text[one.end : end].strip()]
        began = self._marks[first - 1] if first else None
        # The piece may begin with the last blanks of the place before.
        if inside and not self._text[start : inside[0].start].strip():
            began = None
        return Piece(text, start, tuple(([began] if began else []) + places), began)


def _last(places: list[int], first: int, last: int) -> int | None:
    """Return the last of `places` from `first` to `last`, both included."""
    index = bisect_right(places, last) - 1
    return places[index] if index >= 0 and places[index] >= first else None
