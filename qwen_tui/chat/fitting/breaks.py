"""Finds the places where a text may be split: headings, paragraphs, sentences; not inside code and tables."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from qwen_tui.documents.marks import Mark

# The qualities of a place to split, the best first: before a heading or the mark of a place, between paragraphs,
# between sentences or items of a list, at the end of another line.
_HEADING, _PARAGRAPH, _SENTENCE, _LINE = range(4)

# No pattern looks at a long run of the same characters again and again: repetitions are possessive, or have a limit.
_LINE_ENDS = re.compile(r"\n(?:[ \t\r]*+\n)*+")
_SENTENCE_ENDS = re.compile(
    # Behind an abbreviation, a small letter follows.
    r"(?<![.!?…])[.!?…]++[\"'”’)\]»]*+[ \t]++(?![a-z])|[。！？；…]++[”’」』）》\"]*+[ \t]*+"
    r"|[.!?:;。！？：；…][\"'”’)\]」』）》]*+\r?\n"
)
_ITEM = re.compile(r"[ \t]*+(?:[-*+•·]|\(?[0-9]{1,3}[.)、]|[（(]?[一二三四五六七八九十]{1,3}[、）)])\s?+")
# A heading: of Markdown with marks before it or a line below it, and a short paragraph of one line without a full stop.
_HEADINGS = re.compile(
    r"^[ ]{0,3}#{1,6}[ \t][^\n]*+|^(?=\S)[^\n]++\n[ ]{0,3}(?:={3,}+|-{3,}+)[ \t]*+$"
    r"|(?:\A|(?<=\n\n))(?![ \t|>`~\[-])[^\n]{0,59}[^\s.!?。！？；;,，:：|](?=\n\n)",
    re.MULTILINE,
)
_FENCES = re.compile(r"^[ ]{0,3}(`{3,}+|~{3,}+)([^\n]*+)$", re.MULTILINE)
# A line with a bar, a row of dashes, and the lines with bars below.
_TABLES = re.compile(
    r"^(?=[^\n|]*+\|)[^\n]++\n(?=[^\n|]*+\|)(?=[^\n-]*+-)[ \t|:-]++\r?(?:\n(?=[^\n|]*+\|)[^\n]++)*+(?:\n|\Z)",
    re.MULTILINE,
)


def breaks_in(text: str, marks: Sequence[Mark]) -> tuple[list[int], ...]:
    """Return the places in `text` where a piece may begin, for each quality in order, the best quality first.

    The last quality is that of the ends of lines inside a sentence, a fenced block or a table.
    """
    at: dict[int, int] = {}
    for match in _LINE_ENDS.finditer(text):
        lines = match[0].count("\n")
        at[match.end()] = _PARAGRAPH if lines > 1 else _SENTENCE if _ITEM.match(text, match.end()) else _LINE
    for match in _SENTENCE_ENDS.finditer(text):
        at[match.end()] = min(at.get(match.end(), _SENTENCE), _SENTENCE)
    heads = [(one.start, one.end) for one in marks] + [match.span() for match in _HEADINGS.finditer(text)]
    at |= {start: _HEADING for start, _end in heads}
    enclosed = _enclosed(text, marks)
    starts = [start for start, _end in enclosed]
    for place in at:
        before = bisect_right(starts, place) - 1
        if before >= 0 and place < enclosed[before][1]:
            at[place] = _PARAGRAPH if place == starts[before] else _LINE
    for _start, end in enclosed:
        at[end] = min(at.get(end, _PARAGRAPH), _PARAGRAPH)
    for _start, end in heads:
        # A heading and a mark stay with what follows them.
        if follows := _LINE_ENDS.match(text, text.find("\n", end - 1)):
            at.pop(follows.end(), None)
    qualities: tuple[list[int], ...] = ([], [], [], [])
    for place in sorted(at):
        qualities[at[place]].append(place)
    return qualities


def is_heading(text: str) -> bool:
    """Whether a text begins with a heading."""
    return _HEADINGS.match(text) is not None


def _enclosed(text: str, marks: Sequence[Mark]) -> list[tuple[int, int]]:
    """Return the fenced blocks and the tables in `text`, in order, each from where to where, its last line included."""
    found: list[tuple[int, int]] = []
    tables = (match.span() for match in _TABLES.finditer(text))
    for start, end in sorted([*_fenced(text, marks), *tables]):
        if not found or start >= found[-1][1]:
            found.append((start, end))
    return found


def _fenced(text: str, marks: Sequence[Mark]) -> Iterator[tuple[int, int]]:
    """Yield the fenced blocks in `text`; one that is not closed on its page is none."""
    opening: re.Match[str] | None = None
    for fence in _FENCES.finditer(text):
        if opening and bisect_right(marks, (opening.start(),)) < bisect_right(marks, (fence.start(),)):
            opening = None
        if opening is None:
            opening = None if "`" in fence[2] else fence
        elif fence[1].startswith(opening[1]) and not fence[2].strip():
            yield opening.start(), min(fence.end() + 1, len(text))
            opening = None
