"""What a person wants of an answer when they want only its code."""


def first_code_block(answer: str) -> str | None:
    """Return the content of the first code block in a Markdown `answer`, or None if there is none."""
    from markdown_it import MarkdownIt

    for token in MarkdownIt().parse(answer):
        if token.type in ("fence", "code_block"):
            return token.content
    return None
