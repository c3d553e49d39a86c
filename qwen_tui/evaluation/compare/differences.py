"""Which words of two answers differ: word by word, and in Chinese character by character."""

import difflib
import functools
import itertools
import re
from typing import NamedTuple

from qwen_tui import cancellation
from qwen_tui.evaluation.compare.units import HAN

# What is compared, and the blanks behind it, which are not: answers break their lines at other places.
_PIECE = re.compile(rf"([{HAN}]|\w(?:(?![{HAN}])\w)*|[^\w\s]|\A(?=\s))(\s*)")
# Two answers with more pieces each are compared by lines: the time grows with the square of their number.
_MOST = 3000


class Piece(NamedTuple):
    """A part of an answer, and whether the other answer has it at the same place."""

    text: str
    is_shared: bool


def marked(first: str, other: str) -> tuple[list[Piece], list[Piece]]:
    """Return both answers in parts: shared ones, and such as only one of them has; raises `CancelledError`."""
    pairs = _aligned(first, other)
    return (
        _joined([Piece(a, is_shared) for a, _b, is_shared in pairs if a]),
        _joined([Piece(b, is_shared) for _a, b, is_shared in pairs if b]),
    )


def word_diff(first: str, other: str) -> str:
    """Return the second answer with what it lacks and has beside the first one, in the marks of `git --word-diff`.

    Raises `CancelledError`.
    """
    text = ""
    for a, b, is_shared in _aligned(first, other):
        text += b if is_shared else (f"[-{a}-]" if a else "") + (f"{{+{b}+}}" if b else "")
    return text


# A report shows the same pair in each column and in each of its files, one after the other.
@functools.lru_cache(maxsize=512)
def _aligned(first: str, other: str) -> tuple[tuple[str, str, bool], ...]:
    """Return the parts of both answers that stand at the same place, and whether they are the same."""
    cancellation.check()
    if first == other:
        return ((first, other, True),)
    ours, theirs = _pieces(first), _pieces(other)
    matcher = difflib.SequenceMatcher(
        None, [word for word, _all in ours], [word for word, _all in theirs], autojunk=False
    )
    found: list[tuple[str, str, bool]] = []
    for kind, from_a, to_a, from_b, to_b in matcher.get_opcodes():
        a, b = _text(ours[from_a:to_a]), _text(theirs[from_b:to_b])
        blank = "" if kind == "equal" else _last_blank(a, b)
        found.append((a.removesuffix(blank), b.removesuffix(blank), kind == "equal"))
        if blank:
            found.append((blank, blank, True))
    return tuple(found)


def _last_blank(a: str, b: str) -> str:
    """Return the blanks at the end of `a` if `b` ends in the same, else ""."""
    blank = a[len(a.rstrip()) :]
    return blank if b[len(b.rstrip()) :] == blank and a != blank != b else ""


def _text(pieces: list[tuple[str, str]]) -> str:
    return "".join(all_ for _word, all_ in pieces)


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Return the pieces with neighbours of a kind in one."""
    groups = itertools.groupby(pieces, lambda piece: piece.is_shared)
    return [Piece("".join(piece.text for piece in group), is_shared) for is_shared, group in groups]


def _pieces(text: str) -> list[tuple[str, str]]:
    """Return the words of a text, each also with the blanks behind it."""
    found = [(piece[1], piece[0]) for piece in _PIECE.finditer(text)]
    return found if len(found) <= _MOST else [(line, line) for line in text.splitlines(keepends=True)]
