r"""A Markdown text that grows: which of its blocks are final, and which can still change.

Only the last block can still change. Of a list, all items but the last are final; of a code block, its complete lines.
This module decides on complete lines alone whether a block has ended: `para\n#` looks like a heading until it becomes
`#hashtag`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from markdown_it.token import Token

from qwen_tui.markdown.fences import begins_at, is_closed, text_behind
from qwen_tui.markdown.parser import parser, top_level

# The highlighter starts this many lines earlier, so that it knows a string or a comment that began there.
_CONTEXT = 60


@dataclass(frozen=True, slots=True)
class Piece:
    """A block, or the new part of a list or of a code block.

    `continues`: it belongs to the block before it, without a gap between them. `number`: the number of its first item
    in an ordered list. `known`: how many lines of its code were shown before, and are here only for the highlighter.
    `settled`: it is final, so that the highlighter should use those lines.
    """

    tokens: Sequence[Token]
    continues: bool = False
    number: int | None = None
    known: int = 0
    settled: bool = True


@dataclass(frozen=True, slots=True)
class _OpenList:
    """A list whose last item may still grow; `stub` is an empty first item that lets the parser see a list."""

    stub: str
    number: int


@dataclass(frozen=True, slots=True)
class _OpenCode:
    """An open code block: its fence line, and the last lines already shown."""

    fence: str
    lines: tuple[str, ...] = ()


def pieces(text: str) -> list[Piece]:
    """Return the blocks of a complete text."""
    return [Piece(block) for block in top_level(parser().parse(text))]


class GrowingText:
    """Takes a text bit by bit, and returns each final block once."""

    def __init__(self) -> None:
        self._parser = parser()
        self._source = ""
        self._seen = 0
        self._open: _OpenList | _OpenCode | None = None
        self._references: dict[str, object] = {}

    def feed(self, text: str) -> None:
        """Add `text`, of any length, to the end."""
        self._source += text

    def final(self) -> list[Piece]:
        """Return the blocks that have become final since the last call."""
        end = self._source.rfind("\n") + 1
        if end <= self._seen:
            return []
        self._seen = end
        blocks = self._parse(self._source[:end], self._references)
        if not blocks:
            if self._source[:end].isspace():
                self._source, self._seen = self._source[end:], 0
            return []
        last = blocks[-1]
        if self._has_ended(last, end):
            return self._take(blocks, end, end, None)
        start = self._start(blocks)
        if last[0].type == "fence":
            return self._take_code(blocks, start, end)
        if last[0].type in ("bullet_list_open", "ordered_list_open"):
            return self._take_items(blocks, end)
        return self._take(blocks[:-1], start, end, None) if len(blocks) > 1 else []

    def live(self) -> list[Piece]:
        """Return the blocks that can still change, as they look now; open emphasis counts as closed at the end."""
        blocks = self._parse(self._source, dict(self._references))
        guessed = _with_closed_marks(self._source)
        if guessed != self._source and blocks and _ends_in_text(blocks[-1]):
            blocks = self._parse(guessed, dict(self._references))
        return self._pieces(blocks)

    def rest(self) -> list[Piece]:
        """Return the remaining blocks, once the text has ended."""
        return self._pieces(self._parse(self._source, self._references))

    def _pieces(self, blocks: Sequence[list[Token]]) -> list[Piece]:
        return [replace(self._piece(block, i == 0), settled=False) for i, block in enumerate(blocks)]

    def _parse(self, source: str, references: dict[str, object]) -> list[list[Token]]:
        return top_level(self._parser.parse(self._prefix() + source, {"references": references}))

    def _prefix(self) -> str:
        if isinstance(self._open, _OpenCode):
            return self._open.fence + "".join(self._open.lines)
        return self._open.stub if self._open else ""

    def _offset(self, line: int) -> int:
        """Return where in the source `line` begins; the parser counted the lines of the prefix too."""
        line -= self._prefix().count("\n")
        offset = 0
        for _i in range(line):
            offset = self._source.index("\n", offset) + 1
        return offset

    def _start(self, blocks: Sequence[list[Token]]) -> int:
        """Return where in the source the last block begins. Beside a fence this can be the middle of a line."""
        line = _lines(blocks[-1])[0]
        start = self._offset(line)
        if blocks[-1][0].type == "fence" and begins_at(blocks[-1][0]):
            return start + begins_at(blocks[-1][0])
        before = blocks[-2] if len(blocks) > 1 else None
        if before and before[0].type == "fence" and _lines(before)[1] == line + 1:
            return start + text_behind(before[0])
        return start

    def _piece(self, block: list[Token], first: bool) -> Piece:
        if first and isinstance(self._open, _OpenCode):
            return Piece(block, continues=bool(self._open.lines), known=len(self._open.lines))
        if first and isinstance(self._open, _OpenList):
            return Piece([block[0], *_joined(_items(block)[1:]), block[-1]], continues=True, number=self._open.number)
        return Piece(block)

    def _take(
        self, blocks: Sequence[list[Token]], cut: int, seen: int, opened: _OpenList | _OpenCode | None
    ) -> list[Piece]:
        """Return `blocks` as pieces, and keep the source from `cut` on; `seen` is where its parsed lines end."""
        given = [self._piece(block, i == 0) for i, block in enumerate(blocks)]
        self._source, self._seen, self._open = self._source[cut:], seen - cut, opened
        return given

    def _take_code(self, blocks: list[list[Token]], start: int, end: int) -> list[Piece]:
        going_on = self._open if len(blocks) == 1 and isinstance(self._open, _OpenCode) else None
        lines = _split(self._source[0 if going_on else start : end])
        fence = going_on.fence if going_on else lines.pop(0)
        if not lines:
            return self._take(blocks[:-1], start, end, None) if len(blocks) > 1 else []
        before = going_on.lines if going_on else ()
        return self._take(blocks, end, end, _OpenCode(fence, (*before, *lines)[-_CONTEXT:]))

    def _take_items(self, blocks: list[list[Token]], end: int) -> list[Piece]:
        block = blocks[-1]
        going_on = self._open if len(blocks) == 1 and isinstance(self._open, _OpenList) else None
        items = _items(block)
        ended = items[:-1]
        if len(ended) == (1 if going_on else 0):
            start = self._start(blocks) if not going_on else 0
            return self._take(blocks[:-1], start, end, None) if len(blocks) > 1 else []
        cut = self._offset(_lines(items[-1])[0])
        numbered = block[0].type == "ordered_list_open"
        # The stub's text stands as far from its mark as possible. Otherwise an indented next item would be nested.
        stub = f"{'1' if numbered else ''}{block[0].markup}    .\n"
        first = going_on.number if going_on else int(block[0].attrs.get("start", 1))
        opened = _OpenList(stub, first + len(ended) - (1 if going_on else 0))
        given = [*blocks[:-1], [block[0], *_joined(ended), block[-1]]]
        return self._take(given, cut, end, opened)

    def _has_ended(self, block: list[Token], end: int) -> bool:
        kind = block[0].type
        if kind in ("heading_open", "hr"):
            return True
        _first, behind = _lines(block)
        source = self._prefix() + self._source[:end]
        if kind == "math_block":
            return bool(block[0].meta["closed"]) or behind < source.count("\n")
        if kind == "fence":
            return is_closed(block[0])
        # A blank line ends these blocks; other kinds can continue after one.
        return kind in ("paragraph_open", "table_open", "blockquote_open") and behind < source.count("\n")


def _ends_in_text(block: Sequence[Token]) -> bool:
    last = next((token for token in reversed(block) if token.nesting >= 0), block[0])
    return last.type == "inline"


def _with_closed_marks(source: str) -> str:
    """Return `source` with open marks in its last line closed, so that the person does not see bare marks."""
    start = source.rfind("\n") + 1
    line = source[start:].rstrip("*`")
    mark = "`" if line.count("`") % 2 else "**" if line.count("**") % 2 else ""
    # Markdown does not close emphasis after a space.
    return source[:start] + (line.rstrip() if mark else line) + mark


def _lines(block: Sequence[Token]) -> tuple[int, int]:
    lines = block[0].map
    assert lines is not None, "every block has its lines"
    return lines[0], lines[1]


def _items(block: Sequence[Token]) -> list[list[Token]]:
    return top_level(list(block[1:-1]))


def _joined(parts: Sequence[Sequence[Token]]) -> list[Token]:
    return [token for part in parts for token in part]


def _split(source: str) -> list[str]:
    """Split at newlines alone: to Markdown, the other line ends of Unicode are ordinary characters."""
    return re.findall(r"[^\n]*\n|[^\n]+", source)
