"""Text in columns that stay straight in a terminal, where a Chinese character takes two columns."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache

from wcwidth import width

_OPENING = "（【《「『〈〔〖“‘［｛"
_CLOSING = "，。、；：？！）】》」』〉〕〗”’…—·～％℃％］｝"
_WIDE = (
    r"\u2e80-\u2fdf\u3005-\u3007\u3021-\u30ff\u3105-\u9fff\uac00-\ud7af\uf900-\ufaff"
    r"\uff10-\uff19\uff21-\uff3a\U00020000-\U0003ffff"
)
# A unit without a break inside: spaces, or one wide character or word together with its opening and closing marks.
ATOM = (
    rf"\s+|[{_OPENING}]*(?:[{_WIDE}]|[^\s{_WIDE}{_OPENING}{_CLOSING}]+)[{_CLOSING}]*"
    rf"|[{_OPENING}]+[{_CLOSING}]*|[{_CLOSING}]+"
)
# What a person copies from a sentence. Behind a colon, a command goes on to the next comma or full stop; elsewhere, as
# far as its words can only be those of a command.
_PROGRAMS = "qwen|pip|python|export|cd|head|sudo|qpdf|ocrmypdf|ebook-convert"
_QUOTED = r"'[^'\n]*'|\"[^\"\n]*\""
_WORD = rf"(?:{_QUOTED}|[^\s'\",;.，；。、]|[,;](?=[\w/-])|\.(?=\S))+"
_OPTION = r"(?<![A-Za-z0-9-])--?[A-Za-z][\w-]*"
_VALUE = rf"(?:{_QUOTED}|[A-Z][A-Z|.…]*(?![a-z])|(?=\S*[/\\=~<>:_\d])[!-~]+)"
_END = "[,;.，；。、]?"
_LAST = r" [\w-]+(?=[,;.]|$)"
_COPIED = (
    # The Python of an environment may be named by its path.
    rf"(?:(?<=: )|(?<=：))(?:{_PROGRAMS}|(?:{_QUOTED}|[^\s'\"]+)(?= -m ))(?: {_WORD})+{_END}"
    rf"|(?<![A-Za-z0-9-])qwen (?:(?:cache|config|logs|models|servers|templates) )?[a-z]+(?: (?:{_OPTION}|{_VALUE}))*"
    rf"(?:{_LAST})?{_END}"
    rf"|{_OPTION}(?: (?:{_VALUE}|[a-z]+(?=[,;.)，；。、]|$)))?{_END}"
)


@cache
def _unit() -> re.Pattern[str]:
    """Return the pattern of what is not broken; to compile it takes a while, and a short line needs none."""
    return re.compile(f"{_COPIED}|{ATOM}")


def cut(text: str, columns: int) -> str:
    """Return `text`, shortened with … if it takes more than `columns`."""
    if width(text) <= columns:
        return text
    while text and width(text) >= columns:
        text = text[:-1]
    return text + "…"


def fitting(parts: Sequence[tuple[int, str]], columns: int) -> str:
    """Return the texts of `parts` in a row of at most `columns`; what does not fit is left out, the highest rank first.

    The last one that is left is shortened.
    """
    kept = list(parts)
    while len(kept) > 1 and width(" · ".join(text for _rank, text in kept)) > columns:
        kept.remove(max(kept, key=lambda part: part[0]))
    return cut(" · ".join(text for _rank, text in kept), columns)


def folded(text: str, columns: int, measure: Callable[[str], int] = width) -> str:
    """Return sentences with newlines between words where a line would take more than `columns`.

    What a person copies stays whole: a command is not broken, nor is a path without blanks, and one that is longer than
    a line stands on lines of its own. `measure` returns the columns of a text.
    """
    rows: list[str] = []
    for line in text.split("\n"):
        row, used = "", 0
        for unit in _unit().findall(line) if measure(line) > columns else [line]:
            taken = measure(unit)
            if row.strip() and not unit.isspace() and used + taken > columns:
                rows.append(row.rstrip())
                row, used = "", 0
            row, used = row + unit, used + taken
        rows.append(row.rstrip())
    return "\n".join(rows)


def padded(text: str, columns: int, *, right: bool = False) -> str:
    """Return `text` padded with blanks to `columns`; the blanks come first if the text is aligned right."""
    blanks = " " * (columns - width(text))
    return blanks + text if right else text + blanks


def lines(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a line for each row, with two blanks between the columns and none at the end."""
    listed = list(rows)
    widths = [max(map(width, column)) for column in zip(*listed, strict=True)]
    return ["  ".join(map(padded, row, widths)).rstrip() for row in listed]


def table(rows: Iterable[Sequence[str]]) -> str:
    """Return the `lines` of `rows` as one text."""
    return "\n".join(lines(rows))


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table that reads as one on a terminal, too; all columns but the first are aligned right."""
    cells = [list(map(str, row)) for row in (head, *rows)]
    widths = [max(3, *map(width, column)) for column in zip(*cells, strict=True)]
    cells = [[padded(cell, widths[i], right=i > 0) for i, cell in enumerate(row)] for row in cells]
    marks = ["-" * widths[0], *("-" * (wide - 1) + ":" for wide in widths[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in (cells[0], marks, *cells[1:]))
