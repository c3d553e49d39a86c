"""Makes running text of the lines of pages: paragraphs, mended hyphens, and no running heads and page numbers."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

from qwen_tui.documents.page_layout import CELLS, Line, is_wide, same_row

# What repeats on pages stands within this share of a page's height from its top or bottom, in the first or last lines.
_MARGIN, _MARGIN_LINES = 0.15, 3
# Lines repeat if they stand on the same height on so many pages, within so many points.
_PAGES, _SAME_HEIGHT = 2, 4.0
# A gap of so many usual distances between lines parts paragraphs, as does an indent of so many heights.
_PARAGRAPH_GAP, _INDENT = 1.35, 0.8
# Letters of another size, by this ratio, begin something else, such as a heading.
_OTHER_SIZE = 1.2
# Behind these a hyphen stays, unless the word is found without it.
_PREFIXES = frozenset(("anti", "co", "ex", "long", "low", "high", "multi", "non", "post", "pre", "self", "well"))
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_LIST_ITEM = re.compile(r"(?:[•◦▪‣·–—*-]|\(?(?:\d{1,3}|[a-z])[.)]|[（(]?[一二三四五六七八九十]{1,3}[、）)])\s*\S")
_SENTENCE_END = tuple(".!?:;。！？：；…”\"')）")


class Mender:
    """Joins the parts of words that were hyphenated at the ends of lines, by the words that the document has."""

    def __init__(self, pages: Iterable[Sequence[Line]]) -> None:
        self._words = Counter(
            word.lower() for lines in pages for line in lines for word in _WORD.findall(line.text.rstrip("-\u00ad"))
        )

    def joined(self, before: str, after: str) -> str:
        """Return two lines of a paragraph as one."""
        if not before or not after:
            return before + after
        if before.endswith("\u00ad"):
            return before.rstrip("\u00ad") + after
        if is_wide(before[-1]) or is_wide(after[0]):
            return before + after
        if before.endswith("-") and len(before) > 1 and before[-2].isalnum():
            return (before if self._keeps_hyphen(before, after) else before[:-1]) + after
        return f"{before} {after}"

    def _keeps_hyphen(self, before: str, after: str) -> bool:
        """Whether the hyphen at the end of `before` belongs to the word."""
        first, second = re.search(r"[\w-]+-$", before), re.match(r"[\w-]+", after)
        if first is None or second is None or not after[0].islower() or not before[-2].islower():
            return True
        word, rest = first.group()[:-1].lower(), second.group().lower()
        whole, compound = self._words[word + rest], self._words[f"{word}-{rest}"]
        if whole or compound:
            return compound > whole
        return "-" in word or word in _PREFIXES


def paragraphs(lines: Sequence[Line], mender: Mender) -> str:
    """Return the text of a page's lines, with an empty line between paragraphs."""
    text, before, ends_at = "", None, 0.0
    for block in _blocks(lines):
        right = max(line.right for line in block)
        left = min(line.left for line in block)
        for line in block:
            if before is None:
                between = ""
            elif line is block[0]:
                between = "" if _goes_on(before, line, ends_at) else "\n\n"
            else:
                between = _between(before, line, left, right)
            text = text + between + line.text if between else mender.joined(text, line.text)
            before = line
        ends_at = right
    return text.replace("\u00ad", "")


def _blocks(lines: Sequence[Line]) -> list[list[Line]]:
    """Return the lines in groups of one column, one distance and one size."""
    steps = [after.top - before.top for before, after in itertools.pairwise(lines) if after.top > before.top]
    most = _PARAGRAPH_GAP * median(steps) if steps else 0.0
    blocks: list[list[Line]] = []
    for line in lines:
        before = blocks[-1][-1] if blocks else None
        if (
            before is None
            or line.column != before.column
            or line.top - before.top > most
            or not 1 / _OTHER_SIZE < line.height / max(1.0, before.height) < _OTHER_SIZE
        ):
            blocks.append([])
        blocks[-1].append(line)
    return blocks


def _is_ended(before: Line, line: Line, right: float) -> bool:
    """Whether the first word of `line` would have fitted behind the line before: it was meant to begin a new one."""
    if before.text.endswith("\u00ad") or re.search(r"\w-$", before.text):
        return False
    character = (line.right - line.left) / max(1, len(line.text))
    needed = 2 if is_wide(line.text[0]) else len(line.text.split(" ", 1)[0]) + 1
    return right - before.right > needed * character


def _goes_on(before: Line, line: Line, right: float) -> bool:
    """Whether a paragraph goes on in another column."""
    if before.column == line.column or _is_ended(before, line, right) or before.text.endswith(_SENTENCE_END):
        return False
    return line.text[0].islower() or is_wide(line.text[0])


def _between(before: Line, line: Line, left: float, right: float) -> str:
    """Return what parts two lines of a block: nothing, a new line, or a new paragraph."""
    is_ended = _is_ended(before, line, right)
    is_indented = line.left - left > _INDENT * line.height and before.left - left < line.left - left
    if is_indented and (is_ended or before.text.endswith(_SENTENCE_END)):
        return "\n\n"
    begins_item = _LIST_ITEM.match(line.text) and before.text.endswith(_SENTENCE_END)
    is_row = CELLS in line.text or CELLS in before.text
    return "\n" if is_ended or begins_item or is_row else ""


def without_repeated(pages: Sequence[tuple[Sequence[Line], float, float]]) -> list[list[Line]]:
    """Return the lines of the pages without the heads and feet that repeat, and without page numbers.

    A page is its lines, its top and its bottom. A head or foot with words stays on the first page that has it.
    """
    marginal = [_marginal(index, *page) for index, page in enumerate(pages)]
    seen = Counter((key, height) for page in marginal for key, height in set(page.values()))
    kept: list[list[Line]] = []
    told: set[str] = set()
    for (lines, _top, _bottom), margin in zip(pages, marginal, strict=True):
        rest: list[Line] = []
        told_before = frozenset(told)
        for place, line in enumerate(lines):
            key, height = margin.get(place, ("", 0))
            repeats = sum(seen[key, near] for near in (height - 1, height, height + 1)) >= _PAGES
            if not key or not repeats:
                rest.append(line)
            elif key not in told_before and has_words(key):
                told.add(key)
                rest.append(line)
        kept.append(rest)
    return kept


def _marginal(index: int, lines: Sequence[Line], top: float, bottom: float) -> dict[int, tuple[str, int]]:
    """Return what may be heads and feet of a page: by its place, a key for the row of a line, and its height."""
    margin = _MARGIN * (bottom - top)
    by_height = sorted(range(len(lines)), key=lambda place: lines[place].top)
    found: dict[int, tuple[str, int]] = {}
    for place in (*by_height[:_MARGIN_LINES], *by_height[-_MARGIN_LINES:]):
        line = lines[place]
        if line.bottom < top + margin or line.top > bottom - margin:
            row = sorted((other for other in lines if same_row(other, line)), key=lambda other: other.left)
            cells = CELLS.join(other.text for other in row).split(CELLS)
            found[place] = " ".join(_key(cell, index) for cell in cells), round((line.top - top) / _SAME_HEIGHT)
    return found


def _key(cell: str, index: int) -> str:
    """Return what is the same on every page if `cell` is of a head or a foot.

    In words, that is all of it: “Exercise 1” and “Exercise 2” are headings. The number of a page grows with its index.
    """
    plain = " ".join(cell.split())
    if re.fullmatch(r"[ivxlc]{1,7}", plain):
        return "#"
    return plain if has_words(plain) else re.sub(r"\d+", lambda found: f"#{int(found.group()) - index}", plain, count=1)


def has_words(text: str) -> bool:
    """Whether a text says more than “page 3 of 10”."""
    words = re.sub(r"(?i)\b(?:page|seite|of|von|p)\b|[第共页頁码碼]", "", text)
    return any(character.isalpha() for character in words)
