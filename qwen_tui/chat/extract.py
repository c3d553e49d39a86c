"""What a person wants of an answer when they want only its code."""


def code_blocks(answer: str) -> list[str]:
    """Return the contents of the code blocks in a Markdown `answer`, those inside lists and quotes too."""
    from qwen_tui.markdown.dialect import parser

    # Nested blocks are in the same flat list of tokens, without what indents or quotes them.
    return [token.content for token in parser().parse(answer) if token.type in ("fence", "code_block")]


def first_code_block(answer: str) -> str | None:
    """Return the content of the first code block in a Markdown `answer`, or None if there is none."""
    return next(iter(code_blocks(answer)), None)
