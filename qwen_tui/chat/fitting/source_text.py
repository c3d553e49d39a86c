"""A text as work that applies to each of its parts needs it: without the marks of pages, and with what went before."""

import re

from qwen_tui.documents import marks

# A sentence that goes on behind the end of a page ends there like this, and begins like this on the next page.
_GOES_ON, _GOING_ON = re.compile(r"[a-z0-9,;，、-]\Z"), re.compile(r"[a-z\u4e00-\u9fff]")
# Between such signs of Chinese stands no blank.
_HAN = re.compile(r"[，、\u4e00-\u9fff]\Z")
# The first beginning of a word or a sentence.
_BEGINNING = re.compile(r"\s+|(?<=[。！？；，、])")


def without_pages(text: str) -> str:
    """Return the text of a document without the marks of its pages; a sentence that a page breaks is whole again.

    The result of the work has pages of its own. Marks of slides, sheets and chapters stay: they say what is what.
    """
    whole, start = "", 0
    for mark in marks.find(text):
        if mark.unit != "page":
            continue
        before, following = text[start : mark.start].rstrip("\n"), text[mark.end :].lstrip("\n")
        whole += before
        if _GOES_ON.search(before) and _GOING_ON.match(following):
            whole += "" if _HAN.search(before) else " "
        elif whole:
            whole += "\n\n"
        start = len(text) - len(following)
    return whole + text[start:]


def end_before(text: str, start: int, most: int) -> str:
    """Return the end of what stands before `start`, at most so many characters; of a table also its first two lines."""
    before = text[:start].rstrip()
    head = _table_head(before) if text[start:].lstrip("\n").startswith("|") else ""
    if len(before) <= most:
        return before
    most -= len(head)
    if most <= 0:
        return ""
    end = before[-most:]
    # Not in the middle of a word or a sentence, if another beginning is near.
    beginning = _BEGINNING.search(end, 0, most // 2)
    return head + (end[beginning.end() :] if beginning else end)


def _table_head(before: str) -> str:
    """Return the first two lines of the table with which a text ends; "" if it ends with none."""
    lines = before.split("\n")
    first = len(lines)
    while first and lines[first - 1].startswith("|"):
        first -= 1
    return "".join(f"{line}\n" for line in lines[first : first + 2]) if first + 2 < len(lines) else ""
