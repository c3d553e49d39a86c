"""Reading the Python program in an answer: does it compile, and how much of it is explained by comments?"""

import ast
import io
import re
import tokenize
import warnings
from typing import NamedTuple

from qwen_tui.chat.code_blocks import CodeBlock, code_blocks
from qwen_tui.evaluation.compare.sample import Finding, Sample, cannot_tell, shown
from qwen_tui.i18n import gettext as _

# Lines by which an answer without a code block is recognised as a program.
_BARE = re.compile(r"^(?:import \w|from \w+ import |def \w+\(|class \w+)", re.MULTILINE)


def program(answer: str) -> CodeBlock | None:
    """Return the Python program in `answer`: its longest code block, or the whole answer if that is a program."""
    blocks = code_blocks(answer)
    if blocks:
        return max(blocks, key=lambda block: len(block.code))
    return CodeBlock(answer) if _BARE.search(answer) else None


class Mistake(NamedTuple):
    """Why a program does not compile: the line, counted from 1, and Python's reason."""

    line: int
    reason: str


def parsed(code: str) -> ast.Module | Mistake:
    """Return the syntax tree of `code`, or why it does not compile."""
    with warnings.catch_warnings():
        # Python warns of "\d" in a string and the like. Such code compiles.
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(code)
            # Some mistakes, as a return outside a function, are found only now.
            compile(tree, "answer", "exec", dont_inherit=True)
        except SyntaxError as error:
            return Mistake(error.lineno or 1, error.msg)
        except (ValueError, RecursionError, MemoryError, OverflowError) as error:
            return Mistake(1, str(error) or type(error).__name__)
    return tree


def no_program() -> str:
    """Return the sentence for an answer without a program."""
    return _("The answer contains no program.")


def does_not_compile() -> str:
    """Return the sentence of a check that has to read the program and cannot."""
    return _("The program does not compile, so this cannot be read from it.")


def compiles(sample: Sample) -> Finding:
    """Check that Python compiles the program.

    Rule: the grammar of Python, applied by `compile`. It is the first step of functional correctness, which Chen et al.
    (2021, "Evaluating Large Language Models Trained on Code") ask of generated code.
    """
    block = program(sample.text)
    if block is None:
        return Finding(0.0, no_program())
    tree = parsed(block.code)
    if isinstance(tree, Mistake):
        sentence = _("Line {line} does not compile: {reason}.")
        return Finding(0.0, sentence.format(line=tree.line, reason=shown(tree.reason, 80)))
    if not block.closed:
        return Finding(0.0, _("The answer ends in the middle of the program."))
    return Finding(1.0, _("The program compiles."))


def comments(sample: Sample, *, least: float = 0.15) -> Finding:
    """Check which share of the program's lines has a comment or belongs to a docstring; `least` and more counts as 1.

    Rule: comment density, comment lines through all lines that are not empty (Fenton and Pfleeger, "Software Metrics").
    """
    block = program(sample.text)
    if block is None:
        return Finding(0.0, no_program())
    lines = [line for line in block.code.splitlines() if line.strip()]
    if not lines:
        return Finding(0.0, no_program())
    explained = _commented(block.code)
    if explained is None:
        return cannot_tell(does_not_compile())
    share = len(explained) / len(lines)
    sentence = _("{explained} of {lines} lines have a comment ({share:.0%}; asked for: {least:.0%}).")
    return Finding(
        min(1.0, share / least),
        sentence.format(explained=len(explained), lines=len(lines), share=share, least=least),
    )


def _commented(code: str) -> set[int] | None:
    """Return the numbers of the lines with a comment or a docstring, None if the code cannot be read."""
    tree = parsed(code)
    if isinstance(tree, Mistake):
        return None
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    try:
        found = {token.start[0] for token in tokens if token.type == tokenize.COMMENT}
    except (tokenize.TokenError, SyntaxError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = code.splitlines()
    return {number for number in found if number <= len(lines) and lines[number - 1].strip()}
