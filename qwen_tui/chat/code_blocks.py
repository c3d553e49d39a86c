"""What a person wants of an answer when they want only its code."""

from typing import NamedTuple


class CodeBlock(NamedTuple):
    """The content of a code block; not `closed` is one that the answer ended in."""

    code: str
    closed: bool = True


def code_blocks(answer: str) -> list[CodeBlock]:
    """Return the code blocks in a Markdown `answer` that are not empty, those inside lists and quotes too.

    Indented blocks count only where nothing stands between fences: beside those they are prose that was indented.
    """
    fenced, indented = _blocks(answer)
    # An answer that is indented as a whole has its fences with it.
    inside = [_blocks(block.code)[0] or [block] for block in indented]
    return fenced or [block for blocks in inside for block in blocks]


def _blocks(text: str) -> tuple[list[CodeBlock], list[CodeBlock]]:
    """Return what stands between fences in `text`, and what is indented."""
    from qwen_tui.markdown.fences import is_closed
    from qwen_tui.markdown.parser import parser

    # Nested blocks are in the same flat list of tokens, without what indents or quotes them.
    tokens = [token for token in parser().parse(text) if token.content.strip()]
    fenced = [CodeBlock(token.content, is_closed(token)) for token in tokens if token.type == "fence"]
    return fenced, [CodeBlock(token.content) for token in tokens if token.type == "code_block"]


def first_code_block(answer: str) -> CodeBlock | None:
    """Return the first code block in a Markdown `answer`, or None if there is none."""
    return next(iter(code_blocks(answer)), None)
