"""Finds the equations in a text, as models write them: plain, in LaTeX, with units, in Chinese and English."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

RELATIONS = "=≈≠"
_CHINESE_DIGITS = "零一二三四五六七八九"
_LATEX = (
    (r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"((\1)/(\2))"),
    (r"\\(?:text|mathrm|boxed|textbf|mathbf)\s*\{([^{}]*)\}", r" \1 "),
    (r"\\tag\s*\{[^{}]*\}", " "),
    (r"\\(?:times|cdot)\b", "*"),
    (r"\\div\b", "/"),
    (r"\\approx\b", "≈"),
    (r"\\neq?\b", "≠"),
    (r"\\(?:left|right|quad|qquad|,|;|!| )", " "),
    (r"\\\\|\\begin\{\w+\*?\}|\\end\{\w+\*?\}", "\n"),
    (r"\\[\[\]()]|\$|&", " "),
)
_PLAIN = (
    # The number of an equation at the end of its line, or circled anywhere.
    (r"[ \t]*[(（][1-9][)）](?=[ \t]*(?:[,;，；。.]|$))", ""),
    (r"[①-⑳]", "\n"),
    # The dash of a list is no minus.
    (r"^[ \t]*[-*+•][ \t]+", ""),
    (r"\*\*|__|`", ""),
    (r"['’]s (?:current )?age\b|(?<=[A-Za-z])['’]s\b|(?<=[A-Za-z])\s*(?:今年)?的?(?:年龄|岁数)", ""),
    # 24 1/3, 24 and 1/3, 24又1/3; a bracket follows where LaTeX had the fraction.
    (r"(?<!\d)(\d{1,9})\s*(?:又|and)\s*(\d{1,9})/(\d{1,9})", r"(\1+\2/\3)"),
    (r"(?<![\d./])(\d{1,9})[ ]+(\d)/(\d)(?![\d/])", r"(\1+\2/\3)"),
    (r"(?<![\d.)/*+(-])(\d{1,9})\s*\(\((\d)\)/\((\d)\)\)", r"(\1+\2/\3)"),
    # "C is x + 5" sets up an equation. "A is 3 years older" does not.
    (r"(?<![A-Za-z])([A-Za-z])\s*(?:is|是|为)\s*(?=[A-Za-z]\s*[-+]|\()", r"\1 = "),
    (r"(?<=[\d)])\s*(?:周?岁|years? old|years?|yrs?\.?)(?![A-Za-z])", ""),
)
_SIGNS = str.maketrans({"×": "*", "·": "*", "✕": "*", "÷": "/", "⁄": "/", "−": "-", "–": "-", "≒": "≈", "≃": "≈"})
# A letter that stands alone is a variable. What is none of these parts ends an equation.
_TOKEN = re.compile(r"[ \t]*(?:(\d{1,15}(?:\.\d{1,15})?)|(?<![A-Za-z])([A-Za-z])(?![A-Za-z])|([-+*/()=≈≠]))")


def normalised(text: str) -> str:
    """Return `text` with fractions, signs and units written in one way."""
    for pattern, instead in _LATEX:
        text = re.sub(pattern, instead, text)
    text = re.sub(r"(\d{0,9})\s?([½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])", _vulgar, text)
    text = re.sub(rf"([{_CHINESE_DIGITS}])分之([{_CHINESE_DIGITS}])", _chinese_fraction, text)
    for pattern, instead in _PLAIN[:3]:
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    text = unicodedata.normalize("NFKC", text).translate(_SIGNS)
    for pattern, instead in _PLAIN[3:]:
        text = re.sub(pattern, instead, text)
    return text


def _vulgar(found: re.Match[str]) -> str:
    value = Fraction(unicodedata.numeric(found[2])).limit_denominator(10)
    return f"({found[1] or 0}+{value})"


def _chinese_fraction(found: re.Match[str]) -> str:
    return f"{_CHINESE_DIGITS.index(found[2])}/{_CHINESE_DIGITS.index(found[1])}"


class Token(NamedTuple):
    """A number, a variable or a sign."""

    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear form: the factor of each variable, the constant, and by how much rounding may have changed it."""

    factors: dict[str, Fraction]
    constant: Fraction
    slack: Fraction = Fraction(0)

    @property
    def is_number(self) -> bool:
        return not any(self.factors.values())

    def plus(self, other: "Linear", sign: int = 1) -> "Linear":
        """Return the sum, or the difference with `sign` -1."""
        names = self.factors.keys() | other.factors.keys()
        none = Fraction(0)
        factors = {name: self.factors.get(name, none) + sign * other.factors.get(name, none) for name in names}
        return Linear(factors, self.constant + sign * other.constant, self.slack + other.slack)

    def times(self, factor: Fraction) -> "Linear":
        """Return the form multiplied by a number."""
        factors = {name: value * factor for name, value in self.factors.items()}
        return Linear(factors, self.constant * factor, self.slack * abs(factor))


@dataclass(frozen=True, slots=True)
class Side:
    """One side of an equation: its text, its value, and the values of the terms that are added up in it."""

    text: str
    value: Linear
    terms: tuple[Linear, ...]


@dataclass(frozen=True, slots=True)
class Equation:
    """Sides and the relations between them, as in `A + B = 24 + 21 = 45`; `end` is its place in the normalised text."""

    sides: tuple[Side, ...]
    relations: tuple[str, ...]
    end: int

    def pairs(self) -> Iterator[tuple[Side, str, Side]]:
        """Yield each two neighbouring sides with the relation between them."""
        yield from zip(self.sides, self.relations, self.sides[1:], strict=False)


class _NotLinearError(ValueError):
    """Not a linear expression."""


def equations(text: str) -> list[Equation]:
    """Return the equations in a normalised `text`, in their order."""
    return [found for run, end in _runs(text) if (found := _equation(run, end)) is not None]


def expression(text: str) -> Linear | None:
    """Return the value of one expression, None if it is no linear one."""
    run, _end = next(iter(_runs(normalised(text))), ([], 0))
    side = _side(run) if run else None
    return side.value if side else None


def _runs(text: str) -> Iterator[tuple[list[Token], int]]:
    """Yield the runs of tokens with nothing between them, each with the position of its end."""
    run: list[Token] = []
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            if run:
                yield run, position
            run = []
            position += 1
            continue
        kind = "number" if found[1] else "name" if found[2] else "sign"
        run.append(Token(found[found.lastindex or 0], kind))
        position = found.end()
    if run:
        yield run, position


def _equation(run: Sequence[Token], end: int) -> Equation | None:
    pieces: list[list[Token]] = [[]]
    relations = []
    for token in run:
        if token.text in RELATIONS:
            relations.append(token.text)
            pieces.append([])
        else:
            pieces[-1].append(token)
    if not relations:
        return None
    sides = [_side(piece) for piece in pieces]
    # Words as "a" or a list's number may stand before the first side, and others behind the last.
    if sides[0] is None:
        sides[0] = next((s for start in range(1, len(pieces[0])) if (s := _side(pieces[0][start:]))), None)
    if sides[-1] is None:
        stops = range(len(pieces[-1]) - 1, 0, -1)
        sides[-1] = next((s for stop in stops if (s := _side(pieces[-1][:stop]))), None)
    known = [side for side in sides if side is not None]
    return Equation(tuple(known), tuple(relations), end) if len(known) == len(sides) else None


def _side(tokens: Sequence[Token]) -> Side | None:
    reader = _Reader(tokens)
    try:
        terms = reader.sum()
        if reader.rest:
            return None
    except (_NotLinearError, ZeroDivisionError, IndexError, RecursionError):
        return None
    text = "".join(f" {token.text} " if token.text in "+-*" else token.text for token in tokens)
    return Side(" ".join(text.split()), _total(terms), tuple(terms))


def _total(terms: Sequence[Linear]) -> Linear:
    total = Linear({}, Fraction(0))
    for term in terms:
        total = total.plus(term)
    return total


class _Reader:
    """Recursive descent: a sum of products of numbers, variables and brackets; `3B` and `3(B+1)` are products."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.rest = list(tokens)

    def _next(self) -> str:
        return self.rest[0].text if self.rest else ""

    def sum(self) -> list[Linear]:
        terms = []
        sign = 1
        while self._next() in ("+", "-"):
            sign *= -1 if self.rest.pop(0).text == "-" else 1
        terms.append(self._product().times(Fraction(sign)))
        while self._next() in ("+", "-"):
            sign = -1 if self.rest.pop(0).text == "-" else 1
            terms.append(self._product().times(Fraction(sign)))
        return terms

    def _product(self) -> Linear:
        value = self._factor()
        while self.rest and self._next() not in ("+", "-", ")"):
            divide = self._next() == "/"
            signed = self._next() in ("*", "/")
            if signed:
                self.rest.pop(0)
            elif self.rest[0].kind == "number":
                # Two numbers side by side are no product.
                raise _NotLinearError
            factor = self._factor()
            if divide:
                if not factor.is_number:
                    raise _NotLinearError
                value = value.times(1 / factor.constant)
            elif factor.is_number:
                value = _scaled(value, factor)
            elif value.is_number:
                value = _scaled(factor, value)
            else:
                raise _NotLinearError
        return value

    def _factor(self) -> Linear:
        token = self.rest.pop(0)
        if token.kind == "number":
            digits = len(token.text.partition(".")[2])
            # A number with decimals is rounded; half a unit of its last digit may be missing.
            return Linear({}, Fraction(token.text), Fraction(1, 2 * 10**digits) if digits else Fraction(0))
        if token.kind == "name":
            return Linear({token.text.upper(): Fraction(1)}, Fraction(0))
        if token.text != "(":
            raise _NotLinearError
        value = _total(self.sum())
        if self.rest.pop(0).text != ")":
            raise _NotLinearError
        return value


def _scaled(value: Linear, number: Linear) -> Linear:
    scaled = value.times(number.constant)
    return Linear(scaled.factors, scaled.constant, scaled.slack + number.slack * abs(value.constant))


def holds(left: Linear, relation: str, right: Linear) -> bool:
    """Whether a relation between two numbers is true; numbers with decimals may be rounded, and ≈ means to the unit."""
    difference = abs(left.constant - right.constant)
    allowed = left.slack + right.slack + (Fraction(1, 2) if relation == "≈" else 0)
    return difference > allowed if relation == "≠" else difference <= allowed
