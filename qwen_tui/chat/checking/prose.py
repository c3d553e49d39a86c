"""The prose of an answer: its text without code."""

import re

# A fence, and all up to its end or the end of the answer. A fence may stand in a list or a quotation.
_FENCED = re.compile(
    r"^[ \t>]*(?:[-*+]\s+|\d+[.)]\s+)?(?P<fence>`{3,}|~{3,})[^\n]*$.*?(?:^[ \t>]*(?P=fence)|\Z)",
    re.MULTILINE | re.DOTALL,
)
_INLINE = re.compile(r"(?<!`)(?P<ticks>`+)(?!`)(?:(?!\n\s*\n).)+?(?<!`)(?P=ticks)(?!`)", re.DOTALL)


def prose(answer: str) -> str:
    """Return `answer` with blanks in the place of its code; line breaks stay, and so does every place."""
    return _INLINE.sub(_blank, _FENCED.sub(_blank, answer))


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])
