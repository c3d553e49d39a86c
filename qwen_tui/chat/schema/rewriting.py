"""Rewrites the numbers and regular expressions of a schema for the engine.

The engine's grammars know only 64-bit floating-point numbers, and read some classes of characters in another way than
ECMA-262, whose regular expressions JSON Schema uses.
"""

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

# At most so many numbers are listed one by one.
_FEW = 100
# The characters of \s in ECMA-262, written as the inside of a class. For Python and for the engine, \s has others, and
# \d and \w include the digits and letters of all scripts.
_WHITE = r"\t\n\x0b\x0c\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": _WHITE}
# An escape sequence, or the begin or end of a class.
_PIECE = re.compile(r"\\.|[\[\]]", re.DOTALL)


def exact(value: int | Decimal) -> int | float | None:
    """Return the floating-point number or integer that is exactly `value`, None if there is none."""
    try:
        number = float(value)
    except OverflowError:
        return None
    if not math.isfinite(number) or Decimal(repr(number)) != value:
        return None
    return int(value) if value == int(value) else number


def bound(value: int | Decimal, *, upper: bool) -> int | float | None:
    """Return the nearest floating-point number that excludes nothing that the bound `value` allows, None for none."""
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
    """Return all numbers that a `schema` with a fraction as "multipleOf" allows, if they are few, else an empty list.

    The engine compares floating-point numbers: for it, 4.35 is not a multiple of 0.01.
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
    """Return for each of the two bounds of one side how many steps it allows: the least or the most."""
    found = []
    for key in (name, exclusive):
        value = schema.get(key)
        # A number beyond the floating-point range bounds nothing, and as a Fraction it would fill the memory.
        if not isinstance(value, int | Decimal) or isinstance(value, bool) or bound(value, upper=True) is None:
            continue
        steps = Fraction(value) / Fraction(step)
        upper = name == "maximum"
        whole = math.floor(steps) if upper else math.ceil(steps)
        beyond = whole == steps and (key == exclusive or schema.get(exclusive) is True)
        found.append(whole + (-beyond if upper else beyond))
    return found


def spelled_out(pattern: str) -> str:
    r"""Return `pattern` with \d, \w and \s replaced by classes of the characters that ECMA-262 means.

    \D, \W and \S inside a class stay: a class cannot contain an excluding class.
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
