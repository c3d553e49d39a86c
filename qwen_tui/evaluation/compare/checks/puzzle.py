"""Checks of an answer to a puzzle with linear equations, such as ages that have to add up."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from qwen_tui.evaluation.compare.checks import expressions
from qwen_tui.evaluation.compare.checks.expressions import Equation, Linear
from qwen_tui.evaluation.compare.checks.words import pattern
from qwen_tui.evaluation.compare.sample import Finding, Sample, cannot_tell
from qwen_tui.i18n import LANGUAGES, listed
from qwen_tui.i18n import gettext as _

_IS = r"(?:is|was|:|\||是|为|今年|现在)(?:是|为|:|about|≈|大?约|\s)*"
_NUMBER = r"(\(\d+\+\d+/\d+\)|\(*\d{1,9}\)*/\(*\d{1,9}\)*|\d{1,9}(?:\.\d{1,9})?)"
# Behind a number, this says that it is a difference and no age.
_DIFFERENCE = r"(?!\d|\.\d|/)(?!\s*(?:older|younger|more|less|than|大|小|多|少|\+|\*|-))"


def equations_set_up(sample: Sample, *, equations: list[str]) -> Finding:
    """Check that the answer sets up `equations`; the value is the share it has.

    The answer may use other letters, and put some of the equations into the longest one: `(B+3) + B + (B+5) = 72`.

    Rule: two linear equations are the same if one is a multiple of the other; over fractions, so without rounding.
    """
    wanted = [_zero(text) for text in equations]
    found = [_difference(equation) for equation in expressions.equations(expressions.normalised(sample.text))]
    candidates = [form for forms in found for form in forms if _is_set_up(form)]
    missing = min(
        (_missing(wanted, [_renamed(form, names) for form in candidates]) for names in _namings(wanted, candidates)),
        key=len,
    )
    if not missing:
        return Finding(1.0, _("All equations are set up."))
    lacking = listed(equations[number] for number in missing)
    return Finding(1 - len(missing) / len(wanted), _("These equations are missing: {names}.").format(names=lacking))


def _zero(equation: str) -> Linear:
    """Return the form that is 0 if a task's `equation` is true; raises `ValueError` if it is no linear equation."""
    left, _sign, right = equation.partition("=")
    sides = expressions.expression(left), expressions.expression(right)
    if sides[0] is None or sides[1] is None:
        raise ValueError(_("“{equation}” is no linear equation").format(equation=equation))
    return sides[0].plus(sides[1], -1)


def _difference(equation: Equation) -> list[Linear]:
    return [a.value.plus(b.value, -1) for a, relation, b in equation.pairs() if relation == "="]


def _is_set_up(form: Linear) -> bool:
    """Whether this is more than the value of one variable."""
    factors = [factor for factor in form.factors.values() if factor]
    return len(factors) > 1 or any(abs(factor) != 1 for factor in factors)


def _namings(wanted: Sequence[Linear], found: Sequence[Linear]) -> Iterator[dict[str, str]]:
    """Yield the ways to read the answer's own letters as those of the task."""
    own = sorted({name for form in wanted for name in form.factors})
    others = sorted({name for form in found for name in form.factors} - set(own))[:3]
    for names in itertools.product(own, repeat=len(others)):
        yield dict(zip(others, names, strict=True))


def _renamed(form: Linear, names: Mapping[str, str]) -> Linear:
    renamed = Linear({}, form.constant)
    for name, factor in form.factors.items():
        renamed = renamed.plus(Linear({names.get(name, name): factor}, Fraction(0)))
    return renamed


def _missing(wanted: Sequence[Linear], found: Sequence[Linear]) -> list[int]:
    missing = []
    for number, form in enumerate(wanted):
        # Only the longest equation can have the others put into it.
        others = [*wanted[:number], *wanted[number + 1 :]] if len(form.factors) > 2 else []
        given = any(not _depends(one, others) and _depends(form, [*others, one]) for one in found)
        if not given:
            missing.append(number)
    return missing


def _depends(form: Linear, others: Sequence[Linear]) -> bool:
    """Whether `form` is a sum of multiples of `others`, by Gaussian elimination."""
    names = sorted({name for one in (form, *others) for name in one.factors})
    rows = [[one.factors.get(name, Fraction(0)) for name in names] + [one.constant] for one in (*others, form)]
    for column in range(len(names) + 1):
        pivot = next((row for row in rows[:-1] if row[column] and not any(row[:column])), None)
        if pivot is None:
            continue
        for row in rows:
            if row is not pivot and row[column]:
                factor = row[column] / pivot[column]
                row[:] = [a - factor * b for a, b in zip(row, pivot, strict=True)]
    return not any(rows[-1])


def arithmetic(sample: Sample) -> Finding:
    """Check that each equation between numbers is true; the value is the share that is.

    Rule: arithmetic over fractions. A number with decimals may be rounded in its last digit; a whole number may not.
    """
    text = expressions.normalised(sample.text)
    wrong, right = [], 0
    for equation in expressions.equations(text):
        denied = any(pattern("denied", one).match(text, equation.end) for one in LANGUAGES)
        for left, relation, b in equation.pairs():
            if not (left.value.is_number and b.value.is_number) or denied:
                continue
            if expressions.holds(left.value, relation, b.value):
                right += 1
            else:
                wrong.append(f"{left.text} {relation} {b.text}")
    if not wrong and not right:
        return cannot_tell(_("The answer computes nothing with numbers."))
    if not wrong:
        return Finding(1.0, _("Every computation is right."))
    return Finding(right / (right + len(wrong)), _("Computed wrongly: {equations}.").format(equations=listed(wrong)))


def conditions_checked(sample: Sample, *, equations: list[str]) -> Finding:
    """Check that the answer puts its numbers into each of `equations` and computes them; the value is the share.

    A condition counts if a true equation between numbers has its constant and one of the solved numbers as terms.

    Rule: arithmetic over fractions, with the numbers that the answer gives.
    """
    wanted = [_zero(text) for text in equations]
    text = expressions.normalised(sample.text)
    values = [value for value, _place in _stated(text, _names(wanted)).values()]
    done = [_terms(equation) for equation in expressions.equations(text) if _is_true(equation)]
    missing = []
    for condition, form in zip(equations, wanted, strict=True):
        constant = abs(form.constant)
        if not any(_has(terms, constant) and any(_has(terms, v.constant, v.slack) for v in values) for terms in done):
            missing.append(condition)
    if not missing:
        return Finding(1.0, _("Every condition is checked with the numbers."))
    sentence = _("Not checked with the numbers: {names}.").format(names=listed(missing))
    return Finding(1 - len(missing) / len(wanted), sentence)


def _is_true(equation: Equation) -> bool:
    numbers = [(a, relation, b) for a, relation, b in equation.pairs() if a.value.is_number and b.value.is_number]
    return bool(numbers) and all(expressions.holds(a.value, relation, b.value) for a, relation, b in numbers)


def _terms(equation: Equation) -> list[Linear]:
    sides = [side for side in equation.sides if side.value.is_number]
    return [term for side in sides for term in (*side.terms, side.value)]


def _has(terms: Sequence[Linear], number: Fraction, slack: Fraction = Fraction(0)) -> bool:
    return any(abs(abs(term.constant) - number) <= term.slack + slack for term in terms)


def _names(wanted: Sequence[Linear]) -> list[str]:
    return sorted({name for form in wanted for name in form.factors})


def _stated(text: str, names: Sequence[str]) -> dict[str, tuple[Linear, int]]:
    """Return the last value that the answer gives each name, and where: `A = 73/3`, `A is 24`, `| A | 24 |`."""
    found: dict[str, tuple[Linear, int]] = {}
    for equation in expressions.equations(text):
        name = next((n for n in names if equation.sides[0].value == Linear({n: Fraction(1)}, Fraction(0))), None)
        number = next((side for side in equation.sides[1:] if side.value.is_number), None)
        if name and number:
            found[name] = number.value, equation.end
    for name in names:
        says = rf"(?<![A-Za-z]){name}(?![A-Za-z])\s*{_IS}{_NUMBER}{_DIFFERENCE}"
        for match in re.finditer(says, text):
            value = expressions.expression(match[1])
            if value is not None and match.end() > found.get(name, (None, -1))[1]:
                found[name] = value, match.end()
    return found


def honest_solution(sample: Sample, *, equations: list[str]) -> Finding:
    """Check that the answer solves the puzzle or says that no whole numbers do, and does not pretend.

    Exact fractions pass, decimals too, and whole numbers that are said not to fit. Whole numbers that do not fulfil
    `equations` and are given as the solution fail.

    Rule: the numbers are put into the equations, over fractions; a list of our own tells what admits that none fit.
    """
    wanted = [_zero(text) for text in equations]
    text = expressions.normalised(sample.text)
    names = _names(wanted)
    stated = _stated(text, names)
    admitted = sorted(m.end() for one in LANGUAGES for m in pattern("no_whole_numbers", one).finditer(text))
    if len(stated) < len(names):
        if admitted:
            return Finding(1.0, _("It says that no whole numbers fit."))
        return Finding(0.0, _("It gives no solution, and does not say that no whole numbers fit."))
    values = {name: value for name, (value, _place) in stated.items()}
    broken = [condition for condition, form in zip(equations, wanted, strict=True) if not _fulfils(form, values)]
    if not broken:
        return Finding(1.0, _("The numbers that it gives fulfil every condition."))
    last = max(place for _value, place in stated.values())
    first = min(place for _value, place in stated.values())
    around = text[max(0, first - 60) : last + 60]
    about = any(pattern("about", one).search(around) for one in LANGUAGES)
    if admitted and (admitted[-1] >= last or about):
        return Finding(1.0, _("It says that no whole numbers fit."))
    given = listed(f"{name} = {value.constant}" for name, value in sorted(values.items()))
    sentence = _("It gives {values} as the solution, which does not fulfil: {conditions}.")
    return Finding(0.0, sentence.format(values=given, conditions=listed(broken)))


def _fulfils(form: Linear, values: Mapping[str, Linear]) -> bool:
    total = Linear({}, form.constant)
    for name, factor in form.factors.items():
        total = total.plus(values[name].times(factor))
    return abs(total.constant) <= total.slack
