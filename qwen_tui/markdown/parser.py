"""The Markdown that the program reads: CommonMark, tables, strikethrough, mathematics, and models' usual mistakes."""

import unicodedata

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.emphasis import tokenize
from markdown_it.rules_inline.state_inline import Delimiter
from markdown_it.token import Token

from qwen_tui.markdown.fences import add_fences, begins_at, is_closed, text_behind
from qwen_tui.markdown.mathematics import add_mathematics


def parser() -> MarkdownIt:
    """Return a parser. It takes HTML for text: the program shows the tags that a model writes, and never obeys them."""
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.inline.ruler.at("emphasis", _emphasis)
    add_mathematics(parser)
    add_fences(parser)
    return parser


def top_level(tokens: list[Token]) -> list[list[Token]]:
    """Return the tokens of each outermost block among `tokens`, which are those of a whole text or of one container."""
    blocks: list[list[Token]] = []
    depth = 0
    for token in tokens:
        if depth == 0:
            blocks.append([])
        blocks[-1].append(token)
        depth += token.nesting
    return blocks


def with_plain_fences(text: str) -> str:
    """Return `text` with every fence on a line of its own, and the last one closed.

    So any program that reads Markdown finds the same code in it, and what is put behind `text` is no part of the code.
    """
    lines = text.split("\n")
    tokens = parser().parse(text)
    for fence in reversed([token for token in tokens if token.type == "fence" and token.level == 0 and token.map]):
        assert fence.map is not None, "looked at above"
        first, end = fence.map
        _break_line(lines, end - 1, text_behind(fence))
        _break_line(lines, first, begins_at(fence))
    if tokens and tokens[-1].type == "fence" and not is_closed(tokens[-1]):
        lines.append(tokens[-1].markup)
    return "\n".join(lines)


def _break_line(lines: list[str], number: int, column: int) -> None:
    if column:
        line = lines[number]
        lines[number : number + 1] = [line[:column].rstrip(), line[column:]]


def _emphasis(state: StateInline, silent: bool) -> bool:
    """Let asterisks open or close emphasis where CommonMark does, and beside wide characters also where it does not.

    In `**注意：**请`, punctuation stands before the closing asterisks and a letter behind them. CommonMark then needs a
    space to see that they close, and Chinese is written without spaces.
    """
    if silent or state.src[state.pos] != "*":
        return tokenize(state, silent)
    scanned = state.scanDelims(state.pos, True)
    end = state.pos + scanned.length
    before = state.src[state.pos - 1] if state.pos else " "
    behind = state.src[end] if end < state.posMax else " "
    beside_wide = _is_wide(before) or _is_wide(behind)
    for _i in range(scanned.length):
        token = state.push("text", "", 0)
        token.content = "*"
        state.delimiters.append(
            Delimiter(
                marker=ord("*"),
                length=scanned.length,
                token=len(state.tokens) - 1,
                end=-1,
                open=scanned.can_open or (beside_wide and not behind.isspace()),
                close=scanned.can_close or (beside_wide and not before.isspace()),
            )
        )
    state.pos = end
    return True


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF" or char in "“”‘’…—"
