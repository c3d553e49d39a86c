"""Renders blocks of Markdown as rows of a terminal.

Rows fit the width that they were made for, except rows of code. These have no margin, no padding and no break, so that
a person who copies them from the screen gets the code itself. `Row.verbatim` marks them.
"""

import re
from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple

from markdown_it.token import Token
from rich.style import Style
from rich.text import Text

from qwen_tui.markdown.mathematics import readable
from qwen_tui.markdown.parser import top_level
from qwen_tui.terminal.growing import Piece
from qwen_tui.terminal.sanitise import clean, reveal
from qwen_tui.terminal.theme import ASCII_SIGNS, Signs, Theme
from qwen_tui.terminal.width import Ruler

_TASK = re.compile(r"\[([ xX])\] ")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_NARROWEST = 2
_INLINE = {"strong_open": Style(bold=True), "em_open": Style(italic=True), "s_open": Style(strike=True)}


class Row(NamedTuple):
    """One line of the screen; a `verbatim` one may be longer than the screen is wide."""

    text: Text
    verbatim: bool = False


class Renderer:
    """Turns blocks into rows of at most `columns`; prose is no wider than its ruler says, code and tables may be."""

    def __init__(self, ruler: Ruler, theme: Theme) -> None:
        self._ruler = ruler
        self._theme = theme
        self._signs = ASCII_SIGNS if ruler.ambiguous == 2 else Signs()
        # By how many columns prose is narrower than the rows.
        self._margin = 0

    def rows(self, piece: Piece, columns: int) -> list[Row]:
        """Return the rows of a piece, without a blank row before or behind them."""
        self._margin = max(0, columns - self._ruler.prose)
        if piece.known and not piece.settled:
            return self._code(piece.tokens[0], piece.known, look_back=False)
        return self._block(piece.tokens, columns, number=piece.number, known=piece.known)

    def _block(
        self, tokens: Sequence[Token], columns: int, *, depth: int = 0, number: int | None = None, known: int = 0
    ) -> list[Row]:
        first = tokens[0]
        match first.type:
            case "heading_open":
                style = self._theme.heading + Style(underline=first.tag == "h1")
                return self._wrapped(self._inline(tokens[1], style), columns)
            case "paragraph_open":
                return self._wrapped(self._inline(tokens[1]), columns)
            case "bullet_list_open" | "ordered_list_open":
                return self._list(tokens, columns, depth, number)
            case "blockquote_open":
                sign = _styled(self._signs.quote, self._theme.faint)
                inside = self._inside(tokens[1:-1], columns - self._ruler.cells(sign.plain), depth)
                return [row if row.verbatim else Row(_joined(sign, row.text)) for row in inside]
            case "fence" | "code_block":
                return self._code(first, known)
            case "math_block":
                text = _styled(clean(readable(first.content)), self._theme.mathematics)
                return [Row(_joined(Text("  "), row.text)) for row in self._wrapped(text, columns - 2)]
            case "hr":
                length = (columns - self._margin) // self._ruler.cells(self._signs.line)
                return [Row(_styled(self._signs.line * length, self._theme.faint))]
            case "table_open":
                return self._table(tokens, columns)
        return self._wrapped(Text(clean(first.content)), columns)

    def _inside(self, tokens: Sequence[Token], columns: int, depth: int) -> list[Row]:
        """Return the rows of the blocks in a quote or an item; a blank row separates them, except before a list."""
        rows: list[Row] = []
        for block in top_level(list(tokens)):
            if rows and not block[0].type.endswith("list_open"):
                rows.append(Row(Text()))
            rows += self._block(block, columns, depth=depth)
        return rows

    def _list(self, tokens: Sequence[Token], columns: int, depth: int, number: int | None) -> list[Row]:
        numbered = tokens[0].type == "ordered_list_open"
        if number is None:
            number = int(tokens[0].attrs.get("start", 1))
        rows: list[Row] = []
        for index, item in enumerate(top_level(list(tokens[1:-1]))):
            sign = f"{number + index}." if numbered else self._signs.bullets[depth % len(self._signs.bullets)]
            task = not numbered and _take_task(item)
            if task:
                sign = self._signs.done if task == "x" else self._signs.to_do
            marker = _styled(f"{sign} ", self._theme.marker)
            indent = self._ruler.cells(marker.plain)
            inside = self._inside(item[1:-1], max(columns - indent, _NARROWEST), depth + 1) or [Row(Text())]
            if inside[0].verbatim:
                rows.append(Row(marker))
            for i, row in enumerate(inside):
                lead = marker if i == 0 else Text(" " * indent if row.text else "")
                rows.append(row if row.verbatim else Row(_joined(lead, row.text)))
        return rows

    def _code(self, token: Token, known: int, *, look_back: bool = True) -> list[Row]:
        """Return the lines of code from `known` on, coloured if the language is known.

        Without `look_back`, the highlighter does not see the `known` lines.
        """
        # Hidden characters can make code do something else than it seems to, so `reveal` makes them visible.
        code = reveal(token.content).removesuffix("\n")
        language = token.info.split()[0].lower() if token.info.strip() else ""
        if not token.content:
            return []
        if not look_back:
            lines = code.split("\n")[known:]
            if not lines:
                return []
            code, known = "\n".join(lines), 0
        coloured = self._coloured(code, language).split("\n", allow_blank=True)
        return [Row(line, verbatim=True) for line in coloured[known:]]

    def _coloured(self, code: str, language: str) -> Text:
        from pygments.lexers import get_lexer_by_name
        from pygments.util import ClassNotFound

        try:
            lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
        except ClassNotFound:
            return _styled(code, self._theme.inline_code)
        text = Text()
        for kind, part in lexer.get_tokens(code):
            text.append(part, self._theme.code(kind))
        return text

    def _wrapped(self, text: Text, columns: int) -> list[Row]:
        return [Row(line) for line in self._ruler.wrap(text, max(columns - self._margin, _NARROWEST))]

    def _inline(self, token: Token, style: Style | None = None) -> Text:
        """Return the text of an `inline` token, with the newlines of the source."""
        text = Text()
        styles = [style or Style.null()]
        links: list[tuple[str, int]] = []
        for child in token.children or ():
            now = Style.combine(styles)
            match child.type:
                case "text":
                    text.append(_BREAK.sub("\n", clean(child.content)).replace("\t", "    "), now)
                case "softbreak" | "hardbreak":
                    text.append("\n", now)
                case "code_inline":
                    text.append(reveal(child.content).replace("\t", "    "), now + self._theme.inline_code)
                case "math_inline":
                    text.append(clean(readable(child.content)).replace("\n", "; "), now + self._theme.mathematics)
                case "image":
                    text.append(f"[{clean(child.content)}] ({clean(str(child.attrs['src']))})", now)
                case "link_open":
                    links.append((clean(str(child.attrs["href"])), len(text)))
                    styles.append(self._theme.link)
                case "link_close":
                    styles.pop()
                    href, start = links.pop()
                    # The words of a link can claim anything, so its address is always shown.
                    if text.plain[start:] not in (href, href.removeprefix("mailto:")):
                        text.append(f" ({href})", self._theme.faint)
                case opening if opening in _INLINE:
                    styles.append(_INLINE[opening])
                case "strong_close" | "em_close" | "s_close":
                    styles.pop()
        return text

    def _table(self, tokens: Sequence[Token], columns: int) -> list[Row]:
        cells: list[list[tuple[Text, str]]] = []
        for i, token in enumerate(tokens):
            if token.type == "tr_open":
                cells.append([])
            elif token.type in ("th_open", "td_open"):
                style = Style(bold=True) if token.type == "th_open" else None
                cells[-1].append((self._inline(tokens[i + 1], style), str(token.attrs.get("style", ""))))
        return self._drawn(cells, self._widths(cells, columns))

    def _widths(self, cells: Sequence[Sequence[tuple[Text, str]]], columns: int) -> list[int]:
        """Return the width of each column: of its widest line, or of one common limit if all do not fit."""
        wanted = [
            max(self._ruler.cells(line) for text, _align in column for line in text.plain.split("\n"))
            for column in zip_longest(*cells, fillvalue=(Text(), ""))
        ]
        available = columns - self._ruler.cells(self._signs.column) * (len(wanted) - 1)
        limit = max(wanted)
        while limit > _NARROWEST and sum(min(width, limit) for width in wanted) > available:
            limit -= 1
        return [max(min(width, limit), 1) for width in wanted]

    def _drawn(self, cells: Sequence[Sequence[tuple[Text, str]]], widths: Sequence[int]) -> list[Row]:
        faint, line = self._theme.faint, self._signs.line
        rule = Row(_styled(self._signs.crossing.join(line * width for width in widths), faint))
        between = _styled(self._signs.column, faint)
        records = []
        for record in cells:
            wrapped = [self._ruler.wrap(text, width) for (text, _), width in zip(record, widths, strict=False)]
            rows: list[Row] = []
            for lines in zip_longest(*wrapped, fillvalue=Text()):
                aligned = [
                    self._aligned(text, width, align)
                    for text, width, (_, align) in zip(lines, widths, record, strict=False)
                ]
                row = _joined(*[part for text in aligned for part in (between, text)][1:])
                row.rstrip()
                rows.append(Row(row))
            records.append(rows)
        # If a cell takes several lines, only a rule shows where the next row of the table begins.
        tall = any(len(rows) > 1 for rows in records)
        drawn = list(records[0])
        for index, rows in enumerate(records[1:]):
            if index == 0 or tall:
                drawn.append(rule)
            drawn += rows
        return drawn if len(records) > 1 else [*drawn, rule]

    def _aligned(self, text: Text, width: int, align: str) -> Text:
        missing = max(0, width - self._ruler.cells(text.plain))
        left = missing if align.endswith("right") else missing // 2 if align.endswith("center") else 0
        return _joined(Text(" " * left), text, Text(" " * (missing - left)))


def _styled(text: str, style: Style) -> Text:
    """Return a text with a style on its own span; Rich would spread a base style to everything joined to it."""
    return Text().append(text, style)


def _joined(*parts: Text) -> Text:
    joined = Text()
    for part in parts:
        joined.append_text(part)
    return joined


def _take_task(item: Sequence[Token]) -> str:
    """Remove `[ ]` or `[x]` from the beginning of an item, and return " " or "x"; an empty string without one."""
    if len(item) < 3 or item[1].type != "paragraph_open" or not item[2].children:
        return ""
    first = item[2].children[0]
    match = _TASK.match(first.content) if first.type == "text" else None
    if not match:
        return ""
    first.content = first.content[match.end() :]
    return match[1].lower()


def rows_of(pieces: Sequence[Piece], renderer: Renderer, columns: int, *, owed: bool = False) -> list[Row]:
    """Return the rows of `pieces` with a blank row between two blocks, and with `owed` also before the first."""
    rows: list[Row] = []
    for piece in pieces:
        made = renderer.rows(piece, columns)
        if made and not piece.continues and (owed or rows):
            rows.append(Row(Text()))
        rows += made
    return rows
