"""Does a program have the widgets, operations and keys that were asked for?"""

import ast
from collections.abc import Iterator, Sequence

from qwen_tui.evaluation.compare.checks.code import Mistake, does_not_compile, no_program, parsed, program
from qwen_tui.evaluation.compare.sample import Finding, Sample, cannot_tell
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed

_OPERATORS: dict[str, type[ast.operator]] = {"-": ast.Sub, "*": ast.Mult, "/": ast.Div}
_SIGNS = {"*": ("*", "×", "x", "✕"), "/": ("/", "÷"), "-": ("-", "−", "–")}
# A string of these alone is a row of keys, as "789/".
_KEY_ROW = frozenset("0123456789+-*/.=×÷−()%^C⌫← ")


def constructs(
    sample: Sample,
    *,
    widgets: list[list[str]],
    operations: list[str],
    keys: list[list[str]],
) -> Finding:
    """Check that the program makes the `widgets` and has the `operations` and `keys`; the value is the share it has.

    Of each list in `widgets` and `keys`, one is enough. An operation is an operator of Python or a key. A key is a
    string in the program, or a part of a function's name, as in `def backspace`.

    Rule: the node classes of Python's `ast` module: calls for widgets, `BinOp` for operations.
    """
    block = program(sample.text)
    if block is None:
        return Finding(0.0, no_program())
    tree = parsed(block.code)
    if isinstance(tree, Mistake):
        return cannot_tell(does_not_compile())
    missing = list(_missing(tree, widgets, operations, keys))
    asked = len(widgets) + len(operations) + len(keys)
    if not missing:
        return Finding(1.0, _("The program has every part that was asked for."))
    sentence = _("The program lacks: {parts}.").format(parts=listed(missing))
    return Finding(1 - len(missing) / asked if asked else 1.0, sentence)


def _missing(
    tree: ast.Module, widgets: Sequence[Sequence[str]], operations: Sequence[str], keys: Sequence[Sequence[str]]
) -> Iterator[str]:
    called, strings, identifiers = set(_called(tree)), set(_strings(tree)), set(_identifiers(tree))
    used = {type(node.op) for node in ast.walk(tree) if isinstance(node, (ast.BinOp, ast.AugAssign))}
    pressed = strings | {sign for row in strings if len(row) > 1 and set(row) <= _KEY_ROW for sign in row}
    yield from (names[0] for names in widgets if not called.intersection(names))
    for sign in operations:
        # Python's + also joins texts, so it says nothing of a calculator. There, only a key counts.
        by_operator = sign != "+" and _OPERATORS.get(sign) in used
        if not by_operator and not pressed.intersection(_SIGNS.get(sign, (sign,))):
            yield sign
    for names in keys:
        in_names = any(key.casefold() in name for key in names for name in identifiers if len(key) > 3)
        if not pressed.intersection(names) and not in_names:
            yield names[0]


def _called(tree: ast.Module) -> Iterator[str]:
    """Yield the names of all functions and classes that are called, and of the bases of classes."""
    for node in ast.walk(tree):
        called = [node.func] if isinstance(node, ast.Call) else node.bases if isinstance(node, ast.ClassDef) else []
        for name in called:
            if isinstance(name, (ast.Name, ast.Attribute)):
                yield name.id if isinstance(name, ast.Name) else name.attr


def _strings(tree: ast.Module) -> Iterator[str]:
    """Yield the strings of the program; docstrings are prose and no keys."""
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value.strip()


def _identifiers(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name.casefold()
