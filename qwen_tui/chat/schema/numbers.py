"""The numbers of a schema as the engine's grammars take them: as floating-point numbers of 64 bits."""

import math
from decimal import Decimal


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
