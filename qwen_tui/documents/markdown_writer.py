"""Writes Markdown from what the readers of web pages and OpenDocument meet, one thing after the other."""

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from qwen_tui.documents.document import MOST_TEXT, too_much_text
from qwen_tui.documents.tables import Cell, spread, table

# Deeper lists and quotes are not indented further: an indent stands before each of their lines.
_DEEPEST = 8
# Tables within tables within tables are as good as always there to place things on a page.
_MOST_TABLES = 8
# An element within a line is changed as a whole up to so many pieces.
_MOST_PIECES = 500
_BREAK = "\v"
_SPACE = re.compile(r"[ \t\n\r\f\xa0\u2003\u2028\u2029]+")
# Soft hyphens, zero-width spaces, byte order marks, and what a terminal obeys.
_INVISIBLE = re.compile("[\xad\u200b\u2060\ufeff\x00-\x08\x0e-\x1f\x7f-\x9f]")
_BREAKS = re.compile(f" ?{_BREAK} ?")
_MANY_BREAKS = re.compile("\n{3,}")
_TICKS = re.compile("`+")

_RAISED = str.maketrans("0123456789+-−()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁽⁾ⁿ")
_IS_RAISED = re.compile(r"[0-9+\-−()n]+")

Kind = Literal["text", "item", "heading", "code", "table"]


class _Block(NamedTuple):
    text: str
    kind: Kind = "text"
    # Whether no empty line stands before it.
    is_tight: bool = False


class _Filled(NamedTuple):
    """A cell of a table, and what was written in it."""

    cell: Cell
    blocks: Sequence[_Block]


class _Context:
    """A quote or an item of a list: what stands before its first line, and before the others."""

    def __init__(self, first: str, other: str) -> None:
        self.first, self.other, self.is_new = first, other, True


class _Flow:
    """What is written one below the other: the document, or a cell."""

    def __init__(self) -> None:
        self.blocks: list[_Block] = []
        self.inline: list[str] = []
        self.contexts: list[_Context] = []
        self.lists: list[int | None] = []
        self.prefix = ""
        self.kind: Kind = "text"
        self.is_tight = False


class _Table:
    def __init__(self, *, is_layout: bool) -> None:
        self.rows: list[list[_Filled]] = []
        self.is_layout = is_layout
        self.cell: tuple[int, int, bool] | None = None


class Writer:
    """Puts blocks, lists and tables together; its methods raise `InputError` if the text becomes too large."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._room = MOST_TEXT
        self._flows = [_Flow()]
        self._tables: list[_Table] = []
        self._code: list[str] | None = None
        self._cuts: list[tuple[str, int]] = []

    @property
    def _flow(self) -> _Flow:
        return self._flows[-1]

    def add(self, text: str) -> None:
        """Add text to the block; its white space is that of a line."""
        self._take(len(text))
        (self._flow.inline if self._code is None else self._code).append(text)

    def break_line(self) -> None:
        """Begin a new line in the block."""
        self.add(_BREAK if self._code is None else "\n")

    def mark(self) -> int:
        """Return where the block has arrived, for `since` and `replace`."""
        return len(self._flow.inline)

    def since(self, mark: int) -> str:
        """Return what the block got since then; nothing if that is long, as only a damaged page has it."""
        pieces = self._flow.inline[mark : mark + _MOST_PIECES + 1]
        return _plain("".join(pieces)) if len(pieces) <= _MOST_PIECES else ""

    def replace(self, mark: int, text: str) -> None:
        """Put `text` in the place of what the block got since then."""
        del self._flow.inline[mark:]
        self.add(text)

    def block(self, prefix: str = "", kind: Kind = "text", *, is_tight: bool = False) -> None:
        """End the block, and begin another that has `prefix` before it."""
        flow = self._flow
        text = _plain("".join(flow.inline))
        flow.inline.clear()
        if text:
            self._put(flow.prefix + text, flow.kind, is_tight=flow.is_tight)
        flow.prefix, flow.kind, flow.is_tight = prefix, kind, is_tight

    def heading(self, level: int) -> None:
        """Begin a heading."""
        self.block("#" * min(6, max(1, level)) + " ", "heading")

    def rule(self) -> None:
        """Put a line between two blocks."""
        self.block()
        self._put("---", "text")

    def begin_list(self, start: int | None = None) -> None:
        """Begin a list, numbered from `start` if that is given."""
        self.block()
        if self._flow.contexts and self._flow.contexts[-1].is_new:
            # An item with nothing but a list only indents it.
            self._flow.contexts[-1].is_new = False
        self._flow.lists.append(start)

    def end_list(self) -> None:
        """End the list."""
        self.block()
        if self._flow.lists:
            self._flow.lists.pop()

    def next_number(self) -> int | None:
        """Return the number of the next item of the list, None if it has marks instead."""
        return self._flow.lists[-1] if self._flow.lists else None

    def begin_item(self, number: int | None = None) -> None:
        """Begin an item of the list; `number` is its own if it has one."""
        self.block()
        lists = self._flow.lists
        current = lists[-1] if lists else None
        if current is not None:
            current = current if number is None else number
            lists[-1] = current + 1
        marker = "- " if current is None else f"{current}. "
        self._flow.contexts.append(_Context(marker, " " * len(marker)))

    def begin_quote(self) -> None:
        """Begin a quotation."""
        self.block()
        self._flow.contexts.append(_Context("> ", "> "))

    def end_context(self) -> None:
        """End the item or the quotation."""
        self.block()
        if self._flow.contexts:
            self._flow.contexts.pop()

    def begin_code(self) -> None:
        """Begin a block of code, which keeps its lines and spaces."""
        self.block()
        self._code = []

    def end_code(self, language: str = "") -> None:
        """End the block of code."""
        code = _INVISIBLE.sub("", "".join(self._code or ()).replace("\xa0", " ")).strip("\n").rstrip()
        self._code = None
        if code:
            fence = "`" * max(3, 1 + max((len(ticks) for ticks in _TICKS.findall(code)), default=0))
            self._put(f"{fence}{language}\n{code}\n{fence}", "code")

    def begin_table(self, *, is_layout: bool = False) -> None:
        """Begin a table; one for the layout only places its cells on the page."""
        self.block()
        self._tables.append(_Table(is_layout=is_layout or len(self._tables) >= _MOST_TABLES))

    def begin_row(self) -> None:
        """Begin a row of the table."""
        self.end_cell()
        if self._tables:
            self._tables[-1].rows.append([])

    def begin_cell(self, columns: int = 1, rows: int = 1, *, is_head: bool = False) -> None:
        """Begin a cell that is so many columns wide and so many rows high."""
        self.end_cell()
        if not self._tables or len(self._tables) > _MOST_TABLES:
            self.block()
            return
        if not self._tables[-1].rows:
            self.begin_row()
        self._tables[-1].cell = columns, rows, is_head
        self._flows.append(_Flow())

    def end_cell(self) -> None:
        """End the cell."""
        self.block()
        if self._tables and (spans := self._tables[-1].cell):
            self._tables[-1].rows[-1].append(_filled(self._flows.pop().blocks, *spans))
            self._tables[-1].cell = None

    def end_table(self) -> None:
        """End the table, and write it: as one, or cell by cell where cells are no more than places."""
        self.end_cell()
        if not self._tables:
            return
        ended = self._tables.pop()
        if ended.is_layout or _is_layout(ended.rows):
            for cell in (cell for row in ended.rows for cell in row):
                for block in cell.blocks:
                    self._put(*block)
        elif written := table(list(spread(([one.cell for one in row] for row in ended.rows), self._take))):
            self._put(written, "table")

    def cut(self, name: str) -> None:
        """Begin a part of that name; not within a table or a block of code."""
        if len(self._flows) == 1 and self._code is None:
            self.block()
            self._cuts.append((name, len(self._flow.blocks)))

    def result(self) -> str:
        """Return all that was written."""
        self._end()
        return _joined(self._flow.blocks)

    def parts(self) -> list[tuple[str, str]]:
        """Return all that was written in the parts that were begun, each with its name; that of the first is empty."""
        self._end()
        cuts = [("", 0), *self._cuts, ("", len(self._flow.blocks))]
        return [(name, _joined(self._flow.blocks[begin:end])) for (name, begin), (_, end) in itertools.pairwise(cuts)]

    def _end(self) -> None:
        while self._tables:
            self.end_table()
        if self._code is not None:
            self.end_code()
        self.block()

    def _put(self, text: str, kind: Kind, is_tight: bool = False) -> None:
        flow = self._flow
        if not flow.contexts:
            flow.blocks.append(_Block(text, kind, is_tight))
            return
        contexts = flow.contexts if len(flow.contexts) <= _DEEPEST else [*flow.contexts[:_DEEPEST], flow.contexts[-1]]
        first = "".join(context.first if context.is_new else context.other for context in contexts)
        other = "".join(context.other for context in contexts)
        begins_item = first != other
        lines = text.split("\n")
        self._take(len(lines) * len(other))
        after_item = bool(flow.blocks) and flow.blocks[-1].kind == "item"
        text = "\n".join([first + lines[0], *((other + line).rstrip() for line in lines[1:])])
        if kind == "text":
            kind = "item"
        flow.blocks.append(_Block(text, kind, is_tight or (begins_item and after_item)))
        # Only those that were begun since the last block are new.
        for context in itertools.takewhile(lambda one: one.is_new, reversed(flow.contexts)):
            context.is_new = False

    def _take(self, characters: int) -> None:
        self._room -= characters
        if self._room < 0:
            raise too_much_text(self._name)


def raised(text: str) -> str:
    """Return text that stands above the line: 10⁶ is not 106. What has no such characters stays as it is."""
    return text.translate(_RAISED) if _IS_RAISED.fullmatch(text) else text


def _plain(text: str) -> str:
    plain = _INVISIBLE.sub("", _SPACE.sub(" ", text))
    if _BREAK in plain:
        plain = _MANY_BREAKS.sub("\n\n", _BREAKS.sub("\n", plain))
    return plain.strip(" \n")


def _filled(blocks: Sequence[_Block], columns: int, rows: int, is_head: bool) -> _Filled:
    return _Filled(Cell("\n".join(block.text for block in blocks), columns, rows, is_head), blocks)


def _joined(blocks: Iterable[_Block]) -> str:
    parts: list[str] = []
    for block in blocks:
        if parts:
            parts.append("\n" if block.is_tight else "\n\n")
        parts.append(block.text)
    return "".join(parts)


def _is_layout(rows: Sequence[Sequence[_Filled]]) -> bool:
    """Whether a table has only one column or row, or holds what no cell of a Markdown table can hold."""
    cells = [cell for row in rows for cell in row]
    if any(one.cell.is_head for one in cells) and len(cells) > 1 and max(map(len, rows)) > 1:
        return False
    filled = [[cell for cell in row if cell.blocks] for row in rows]
    if max(map(len, filled), default=0) <= 1 or sum(map(bool, filled)) <= 1:
        return True
    return any(
        block.kind in ("heading", "table") or (block.kind == "code" and block.text.count("\n") > 2)
        for cell in cells
        for block in cell.blocks
    )
