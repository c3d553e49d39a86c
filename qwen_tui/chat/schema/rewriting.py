"""The numbers of a schema as the engine's grammars take them: as floating-point numbers of 64 bits."""

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

# So many numbers can be named one by one.
_FEW = 100
# What \s stands for, as the inside of a class.
_WHITE = r"\t\n\x0b\x0c\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": _WHITE}
# An escape with what it escapes, or one end of a class.
_PIECE = re.compile(r"\\.|[\[\]]", re.DOTALL)


def exact(value: int | Decimal) -> int | float | None:
    """Return `value` as a number that is written with the very same digits, None where there is none."""
    try:
        number = float(value)
    except OverflowError:
        return None
    if not math.isfinite(number) or Decimal(repr(number)) != value:
        return None
    return int(value) if value == int(value) else number


def bound(value: int | Decimal, *, upper: bool) -> int | float | None:
    """Return the nearest number that excludes nothing which the bound `value` allows, None where there is none."""
    if (number := exact(value)) is not None:
        return number
    try:
        near = float(value)
    except OverflowError:
        return None
    if not math.isfinite(near):
        return None
    short = Decimal(repr(near)) < value if upper else Decimal(repr(near)) > value
    return math.nextafter(near, math.inf if upper else -math.inf) if short else near


def few_multiples(schema: Mapping[str, Any]) -> list[int | float]:
    """Return the numbers that a `schema` of multiples of a fraction allows, where they are few; else none.

    The engine compares in floating-point numbers: to it 4.35 is no multiple of 0.01, and between 4.35 and 4.36 there is
    none.
    """
    step = schema.get("multipleOf")
    if schema.get("type") != "number" or not step or step == int(step):
        return []
    least = _steps(schema, "minimum", "exclusiveMinimum", step)
    most = _steps(schema, "maximum", "exclusiveMaximum", step)
    if not (least and most) or max(least) + _FEW < min(most):
        return []
    multiples = [exact(step * steps) for steps in range(max(least), min(most) + 1)]
    return [] if None in multiples else [number for number in multiples if number is not None]


def _steps(schema: Mapping[str, Any], name: str, exclusive: str, step: int | Decimal) -> list[int]:
    """Return how many steps the bounds of one side allow: the least or the most, each by itself."""
    found = []
    for key in (name, exclusive):
        value = schema.get(key)
        # What no floating-point number is near bounds nothing; and as a fraction it would fill the memory.
        if not isinstance(value, int | Decimal) or isinstance(value, bool) or bound(value, upper=True) is None:
            continue
        steps = Fraction(value) / Fraction(step)
        upper = name == "maximum"
        whole = math.floor(steps) if upper else math.ceil(steps)
        beyond = whole == steps and (key == exclusive or schema.get(exclusive) is True)
        found.append(whole + (-beyond if upper else beyond))
    return found


def spelled_out(pattern: str) -> str:
    r"""Return `pattern` with its \d, \w and \s as classes of the characters they mean.

    Their opposites inside a class stay as they are: a class cannot contain one that excludes.
    """
    within = False

    def spell(found: re.Match[str]) -> str:
        nonlocal within
        piece = found[0]
        if piece in ("[", "]"):
            within = piece == "["
            return piece
        characters = _CLASSES.get(piece[1].lower())
        if characters is None or (within and piece[1].isupper()):
            return piece
        if within:
            return characters
        return f"[^{characters}]" if piece[1].isupper() else f"[{characters}]"

    return _PIECE.sub(spell, pattern)
