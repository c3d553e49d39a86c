"""Are all names in a program defined and spelt as they were defined?"""

import ast
import difflib
from collections.abc import Iterator

from qwen_tui.evaluation.compare.checks.code import Mistake, does_not_compile, no_program, parsed, program
from qwen_tui.evaluation.compare.checks.words import tkinter_names
from qwen_tui.evaluation.compare.sample import Finding, Sample, cannot_tell
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed

# A name is a misspelling of another one if they are at least so alike; `clear_screeen` and `clear_screen` have 0.96.
_ALIKE = 0.88


def defined_names(sample: Sample) -> Finding:
    """Check that the program uses no name that nothing defines, and no misspelt method or widget.

    Rule: pyflakes' "undefined name" and "local variable referenced before assignment". pyflakes does not look behind a
    dot. So attributes of `self` are compared with those of their class, and those of tkinter with what it defines.
    """
    block = program(sample.text)
    if block is None:
        return Finding(0.0, no_program())
    tree = parsed(block.code)
    if isinstance(tree, Mistake):
        return cannot_tell(does_not_compile())
    found = sorted(set(_undefined(tree)) | set(_of_self(tree)) | set(_of_tkinter(tree)))
    if not found:
        return Finding(1.0, _("Every name that the program uses is defined."))
    return Finding(0.0, _("The program uses names that nothing defines: {names}.").format(names=listed(found)))


def _undefined(tree: ast.Module) -> Iterator[str]:
    from pyflakes.checker import Checker
    from pyflakes.messages import ImportStarUsage, UndefinedLocal, UndefinedName

    for message in Checker(tree).messages:
        if isinstance(message, (UndefinedName, UndefinedLocal)):
            yield message.message_args[0]
        elif isinstance(message, ImportStarUsage) and _is_misspelt(
            message.message_args[0], tkinter_names() | _defined(tree)
        ):
            # After `from tkinter import *` nobody knows all names.
            yield message.message_args[0]


def _defined(tree: ast.Module) -> set[str]:
    return {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


def _of_self(tree: ast.Module) -> Iterator[str]:
    """Yield what is read of `self` and is no attribute of its class.

    A class with a base inherits attributes that are not in the program. There, only misspelt ones are wrong.
    """
    for class_ in ast.walk(tree):
        if not isinstance(class_, ast.ClassDef):
            continue
        used = [node for node in ast.walk(class_) if isinstance(node, ast.Attribute) and _is_self(node.value)]
        own = {node.attr for node in used if not isinstance(node.ctx, ast.Load)} | _members(class_)
        inherits = any(not (isinstance(base, ast.Name) and base.id == "object") for base in class_.bases)
        dynamic = bool(class_.keywords or class_.decorator_list) or bool(own & {"__getattr__", "__getattribute__"})
        for node in used:
            special = node.attr in own or node.attr.startswith("__")
            if not special and (_is_misspelt(node.attr, own) if inherits or dynamic else True):
                yield f"self.{node.attr}"


def _members(class_: ast.ClassDef) -> set[str]:
    found = set()
    for node in class_.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found.update(target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    # setattr(self, "name", …)
    for call in ast.walk(class_):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "setattr":
            found.update(
                word.value for word in call.args if isinstance(word, ast.Constant) and isinstance(word.value, str)
            )
    return found


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _of_tkinter(tree: ast.Module) -> Iterator[str]:
    """Yield misspelt names behind tkinter's own name, as `tk.Buton`."""
    aliases = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == "tkinter"
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
            if _is_misspelt(node.attr, tkinter_names()):
                yield f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.ImportFrom) and node.module == "tkinter":
            yield from (alias.name for alias in node.names if _is_misspelt(alias.name, tkinter_names()))


def _is_misspelt(name: str, known: set[str] | frozenset[str]) -> bool:
    if name in known or len(name) < 4:
        return False
    near = difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE)
    # `value1` and `value2`, `set_text` and `get_text` are alike and not misspelt.
    return bool(near) and not _differ_on_purpose(name, near[0])


def _differ_on_purpose(name: str, other: str) -> bool:
    """Whether two names differ in whole words, in numbers or by a plural: `clear_all`, `clear`; `key1`, `key2`."""
    if name.rstrip("0123456789s_") == other.rstrip("0123456789s_"):
        return True
    words, others = name.casefold().strip("_").split("_"), other.casefold().strip("_").split("_")
    if len(words) != len(others):
        return name.replace("_", "") != other.replace("_", "")
    changed = [(a, b) for a, b in zip(words, others, strict=True) if a != b]
    return all(difflib.SequenceMatcher(None, a, b).ratio() < _ALIKE - 0.13 for a, b in changed)
