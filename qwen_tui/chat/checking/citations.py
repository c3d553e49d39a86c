"""Finds the places of documents that a text cites, such as [p. 7], in all the ways in which models write them."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import NamedTuple

from qwen_tui.documents.document import Unit

# A range of more places than this is a slip of the pen.
_LONGEST = 10_000
_BRACKETED = re.compile(r"\[([^\[\]\n]{1,200})\]|\(([^()\n]{1,200})\)|【([^【】\n]{1,200})】|〔([^〔〕\n]{1,200})〕")
_RANGE = r"\d{1,6}(?:\s*(?:[-–—~−]|to\b|至|到)\s*\d{1,6})?"
_LIST = rf"{_RANGE}(?:\s*(?:,|;|、|&|/|,?\s*and\b|和|及|与)\s*{_RANGE}(?![\d.]))*"
_PAGE, _SLIDE = r"pp?\.|pp|pgs?\.?|pages?|页码?|頁", r"slides?|幻灯片|投影片"
_NUMBERED = re.compile(
    rf"(?<![\w.])(?:(?P<page>{_PAGE})|(?P<slide>{_SLIDE}))\s*(?P<after>{_LIST})(?![\w%])"
    rf"|第\s*(?P<before>{_LIST})\s*(?:(?P<behind_page>页|頁)|(?P<behind_slide>张幻灯片|張投影片|张|張))",
    re.IGNORECASE,
)
# "p" without a full stop stands for a page only where nothing else stands in the brackets.
_BARE = re.compile(rf"p\s*({_LIST})", re.IGNORECASE)
_NAMED = re.compile(
    r"(?P<sheet>sheets?\b|工作表)\s*:?\s*(.+)|(?P<chapter>ch\.|chapters?\b|章节?(?=\s))\s*:?\s*(.+)", re.IGNORECASE
)


class Citation(NamedTuple):
    """A citation as it is written, `text`, and the places of a unit that it names, perhaps in one `document`."""

    text: str
    unit: Unit
    places: tuple[str, ...]
    document: str | None = None


def cited(text: str, documents: Sequence[str] = ()) -> Iterator[Citation]:
    """Yield the citations in `text`; `documents` are the names of those that may be named in them."""
    # Full-width signs and digits become plain ones. Chinese brackets of other forms stay.
    plain = "".join(map(_narrow, text))
    for match in _BRACKETED.finditer(plain):
        inner = next(filter(None, match.groups()))
        document, rest = _document_in(inner, documents)
        written = text[match.start() : match.end()]
        unit: Unit
        found = list(_NUMBERED.finditer(rest))
        for one in found:
            unit = "page" if one["page"] or one["behind_page"] else "slide"
            yield Citation(written, unit, _numbers(one["after"] or one["before"]), document)
        if found:
            continue
        rest = rest.strip(" ,;:，；：")
        if bare := _BARE.fullmatch(rest):
            yield Citation(written, "page", _numbers(bare[1]), document)
        elif not match[2] and (named := _NAMED.fullmatch(rest)):
            unit = "sheet" if named["sheet"] else "chapter"
            yield Citation(written, unit, ((named[2] or named[4]).strip(),), document)


def _narrow(character: str) -> str:
    """Return the narrow form of a full-width character; every place in a text stays."""
    narrow = unicodedata.normalize("NFKC", character)
    return narrow if len(narrow) == 1 else character


def _document_in(inner: str, documents: Sequence[str]) -> tuple[str | None, str]:
    """Return the document that is named in brackets, None for none, and what stands there beside its name."""
    forms = [(form, name) for name in documents for form in _forms(name)]
    for form, name in sorted(forms, key=lambda one: -len(one[0])):
        at = inner.casefold().find(form)
        if at >= 0:
            return name, f"{inner[:at]} {inner[at + len(form) :]}"
    return None, inner


def _forms(name: str) -> list[str]:
    """Return how a document may be named: as it is, without its folders, and without its ending."""
    path = PurePath(name.replace("\\", "/"))
    forms = (" ".join(name.split()), path.name, path.stem)
    # The stem "p. 3" of a file would hide the page.
    plain = ["".join(map(_narrow, one)).casefold() for one in forms]
    return [form for form in plain if len(form) > 2 and not _NUMBERED.search(form)]


def _numbers(written: str) -> tuple[str, ...]:
    """Return all numbers of a list such as 7, 9-11."""
    numbers: dict[int, None] = {}
    for match in re.finditer(rf"({_RANGE})", written):
        ends = [int(number) for number in re.findall(r"\d+", match[1])]
        whole = 0 <= ends[-1] - ends[0] <= _LONGEST
        numbers |= dict.fromkeys(range(ends[0], ends[-1] + 1) if whole else ends)
    return tuple(map(str, numbers))
