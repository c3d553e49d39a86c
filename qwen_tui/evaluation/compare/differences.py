"""Which words of two answers differ: word by word, and in Chinese character by character."""

import difflib
import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

from qwen_tui.evaluation.compare.units import HAN

_PIECE = re.compile(rf"[{HAN}]|\w(?:(?![{HAN}])\w)*|\s+|[^\w\s]")
# Two answers with more pieces each are compared by lines first: the time grows with the square of their length.
_MOST = 6000


class Piece(NamedTuple):
    """A part of an answer, and whether the other answer has it at the same place."""

    text: str
    is_shared: bool


def marked(first: str, other: str) -> tuple[list[Piece], list[Piece]]:
    """Return both answers in parts: shared ones, and such as only one of them has."""
    pairs = list(_aligned(first, other))
    return (
        _joined([Piece(a, is_shared) for a, _b, is_shared in pairs if a]),
        _joined([Piece(b, is_shared) for _a, b, is_shared in pairs if b]),
    )


def word_diff(first: str, other: str) -> str:
    """Return the second answer with what it lacks and has beside the first one, in the marks of `git --word-diff`."""
    text = ""
    for a, b, is_shared in _aligned(first, other):
        text += a if is_shared else (f"[-{a}-]" if a else "") + (f"{{+{b}+}}" if b else "")
    return text


def _aligned(first: str, other: str) -> Iterator[tuple[str, str, bool]]:
    """Yield the parts of both answers that stand at the same place, and whether they are the same."""
    ours, theirs = _pieces(first), _pieces(other)
    for kind, from_a, to_a, from_b, to_b in difflib.SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        a, b = "".join(ours[from_a:to_a]), "".join(theirs[from_b:to_b])
        # A blank between two words that differ is no common ground.
        yield a, b, kind == "equal" and bool(a.strip())


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Return the pieces with neighbours of a kind in one."""
    groups = itertools.groupby(pieces, lambda piece: piece.is_shared)
    return [Piece("".join(piece.text for piece in group), is_shared) for is_shared, group in groups]


def _pieces(text: str) -> list[str]:
    found = _PIECE.findall(text)
    return found if len(found) <= _MOST else text.splitlines(keepends=True)
