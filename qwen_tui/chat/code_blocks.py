"""Finds the code blocks in an answer."""

from typing import NamedTuple


class CodeBlock(NamedTuple):
    """The content of a code block; it is not `closed` if the answer ended inside it."""

    code: str
    closed: bool = True


def code_blocks(answer: str) -> list[CodeBlock]:
    """Return the code blocks in a Markdown `answer` that are not empty, including those in lists and quotations.

    Indented blocks count only in an answer without fences: in one with fences, indented text is rarely code.
    """
    fenced, indented = _blocks(answer)
    # If the whole answer is indented, its fences are inside the indented block.
    inside = [_blocks(block.code)[0] or [block] for block in indented]
    return fenced or [block for blocks in inside for block in blocks]


def _blocks(text: str) -> tuple[list[CodeBlock], list[CodeBlock]]:
    """Return the fenced and the indented code blocks in `text`."""
    from qwen_tui.markdown.fences import is_closed
    from qwen_tui.markdown.parser import parser

    # The parser returns nested blocks in the same flat list, without the indentation or the marks of a quotation.
    tokens = [token for token in parser().parse(text) if token.content.strip()]
    fenced = [CodeBlock(token.content, is_closed(token)) for token in tokens if token.type == "fence"]
    return fenced, [CodeBlock(token.content) for token in tokens if token.type == "code_block"]


def first_code_block(answer: str) -> CodeBlock | None:
    """Return the first code block in a Markdown `answer`, or None if there is none."""
    return next(iter(code_blocks(answer)), None)
