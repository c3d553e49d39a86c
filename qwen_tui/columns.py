"""Text in columns that stay straight in a terminal, where a Chinese character takes two columns."""

from collections.abc import Iterable, Sequence

from wcwidth import width


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
