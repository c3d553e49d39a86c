"""A small pattern language for making many sentences out of few lines.

`[a|b|]` picks one alternative (alternatives nest and may be empty) and `{name}` picks a word of the list of that name,
which may itself be a pattern.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from random import Random

Words = Mapping[str, Sequence[str]]

_SYMBOL = re.compile(r"[\[\]|]|\{\w+\}")


class Choice(tuple["Parts", ...]):
    """The alternatives between one pair of brackets."""


class Slot(str):
    """The name of a word list."""


Parts = tuple["str | Slot | Choice", ...]


@cache
def _parse(pattern: str) -> Parts:
    # One frame per open bracket: the finished alternatives and the parts of the current one.
    frames: list[tuple[list[Parts], list[str | Slot | Choice]]] = [([], [])]
    position = 0
    for match in _SYMBOL.finditer(pattern):
        if match.start() > position:
            frames[-1][1].append(pattern[position : match.start()])
        position = match.end()
        symbol = match.group()
        if symbol.startswith("{"):
            frames[-1][1].append(Slot(symbol[1:-1]))
        elif symbol == "[":
            frames.append(([], []))
        elif len(frames) == 1:
            raise ValueError(f"unbalanced {symbol!r} in pattern {pattern!r}")
        else:
            done, current = frames[-1]
            done.append(tuple(current))
            current.clear()
            if symbol == "]":
                frames.pop()
                frames[-1][1].append(Choice(done))
    if len(frames) != 1:
        raise ValueError(f"unclosed bracket in pattern {pattern!r}")
    return (*frames[0][1], pattern[position:])


def expand(pattern: str, words: Words, random: Random) -> str:
    """Returns one random sentence of a pattern."""
    return "".join(_pick(part, words, random) for part in _parse(pattern))


def _pick(part: str | Slot | Choice, words: Words, random: Random) -> str:
    if isinstance(part, Slot):
        return expand(random.choice(words[part]), words, random)
    if isinstance(part, Choice):
        return "".join(_pick(inner, words, random) for inner in random.choice(part))
    return part
