r"""Fenced code as models write it: CommonMark's fences, and two common mistakes.

A fence may open behind text on the same line (`代码如下：```python`), and text may follow the closing fence
(`\`\`\` This prints one.`). CommonMark takes neither for a fence: from there on it would show text as code, and code
as text.
"""

import re

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token

# Behind text, only backticks open a fence, and at most the name of a language follows them. Tildes there are a smile.
_BEHIND_TEXT = re.compile(r"(?P<text>.*?[^\s`])[ \t]*(?P<marks>`{3,})(?P<info>[ \t]*[\w+#.-]*)[ \t]*")
_UNDERLINE = re.compile(r"=+[ \t]*|-+[ \t]*")
# A sentence. Behind the backticks of an opening fence, the name of a language would stand in its place.
_SENTENCE = re.compile(r"[ \t]+(?:\S+[ \t]+\S.*|.*[.!?:,;])|[ \t]*[^\x00-\u2e7f].*|[.!?:,;]+(?:[ \t].*)?")


def add_fences(parser: MarkdownIt) -> None:
    """Teach `parser` these fences; `is_closed`, `begins_at` and `text_behind` read what their tokens carry."""
    parser.block.ruler.at("fence", _fence, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    parser.block.ruler.before("lheading", "fence_behind_text", _fence_behind_text)


def is_closed(fence: Token) -> bool:
    """Whether the block of a `fence` token has ended: its closing fence is there, or other text follows the block."""
    return bool(fence.meta["closed"])


def begins_at(fence: Token) -> int:
    """Return the column in its first line where a top-level `fence` token begins; 0 unless it stands behind text."""
    return int(fence.meta["begins_at"])


def text_behind(fence: Token) -> int:
    """Return the column at which text begins behind the closing fence of a top-level `fence` token, 0 without text."""
    return int(fence.meta["text_behind"])


def _fence(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    if state.is_code_block(start):
        return False
    line = _line(state, start)
    marks = line[: len(line) - len(line.lstrip(line[:1]))] if line[:1] in ("`", "~") else ""
    info = line[len(marks) :]
    if len(marks) < 3 or ("`" in marks and "`" in info):
        return False
    if not silent:
        _push(state, start, end, marks, info, indent=state.sCount[start])
    return True


def _fence_behind_text(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Parse a paragraph whose last line opens a fence, together with the code that follows."""
    if silent or "```" not in state.src[state.bMarks[start] :]:
        return False
    ends_paragraph = state.md.block.ruler.getRules("paragraph")
    parent, state.parentType = state.parentType, "paragraph"
    at, found = start, None
    while found is None and at < state.lineMax:
        if at > start and (state.isEmpty(at) or _UNDERLINE.fullmatch(_line(state, at))):
            break
        inside = at == start or state.sCount[at] - state.blkIndent > 3 or state.sCount[at] < 0
        if not inside and any(rule(state, at, state.lineMax, True) for rule in ends_paragraph):
            break
        found = _opening(_line(state, at))
        at += 1
    state.parentType = parent
    if found is None:
        return False
    last = at - 1
    above = state.getLines(start, last, state.blkIndent, False)
    _push_paragraph(state, f"{above}\n{found['text']}" if last > start else found["text"], start, last)
    column = _column(state, last, found.start("marks"))
    _push(state, last, end, found["marks"], found["info"], indent=_margin(state, last + 1, end), behind_text=column)
    return True


def _margin(state: StateBlock, line: int, end: int) -> int:
    """Return the indentation to remove from code in a list: models indent it with the item, or not at all."""
    while line < end and state.isEmpty(line):
        line += 1
    return max(0, min(state.blkIndent, state.sCount[line])) if line < end else 0


def _opening(line: str) -> re.Match[str] | None:
    found = _BEHIND_TEXT.fullmatch(line)
    if found is None:
        return None
    # After an odd number of equal runs, inline code is open, and these backticks close it.
    runs = re.findall(r"`+", found["text"])
    return found if runs.count(found["marks"]) % 2 == 0 else None


def _push_paragraph(state: StateBlock, text: str, start: int, last: int) -> None:
    opening = state.push("paragraph_open", "p", 1)
    inline = state.push("inline", "", 0)
    inline.content, inline.children = text.strip(), []
    opening.map = inline.map = [start, last + 1]
    state.push("paragraph_close", "p", -1)


def _push(
    state: StateBlock,
    start: int,
    end: int,
    marks: str,
    info: str,
    *,
    indent: int,
    behind_text: int = 0,
) -> None:
    """Add the code block whose fence opens in line `start`, and set the parser behind it.

    Where text follows the closing fence, the parser goes on within that line. `behind_text` is the column of an opening
    fence that stands behind text, else 0.
    """
    # After such a fence, models often write code in a list without the indentation of the item.
    lenient = bool(behind_text and state.blkIndent)
    least = 0 if lenient else state.blkIndent
    line, closing = start + 1, None
    while line < end and (state.isEmpty(line) or state.sCount[line] >= least):
        closing = _closing(_line(state, line), marks) if lenient or not state.is_code_block(line) else None
        if closing:
            break
        line += 1
    rest = closing.start("text") if closing and closing["text"] else 0
    token = state.push("fence", "code", 0)
    token.content = state.getLines(start + 1, line, indent, True)
    token.info, token.markup = info, marks
    token.map = [start, line + 1 if closing else line]
    token.meta = {
        "closed": closing is not None or any(not state.isEmpty(i) for i in range(line, len(state.bMarks) - 1)),
        "begins_at": behind_text,
        "text_behind": _column(state, line, rest) if rest else 0,
    }
    state.line = line + 1 if closing and not rest else line
    if rest:
        # The next block begins with the rest of this line.
        state.bMarks[line] += state.tShift[line] + rest
        state.tShift[line], state.sCount[line] = 0, state.blkIndent


def _column(state: StateBlock, line: int, within: int) -> int:
    """Return the column in the source of an offset `within` the part of the line that the block sees."""
    place = state.bMarks[line] + state.tShift[line] + within
    return place - (state.src.rfind("\n", 0, place) + 1)


def _closing(line: str, marks: str) -> re.Match[str] | None:
    """Match a line that closes a block opened by `marks`; the group `text` is what follows. None if it closes none."""
    mark = marks[0]
    found = re.fullmatch(rf"{mark}{{{len(marks)},}}(?P<rest>(?!{mark})[ \t]*(?P<text>.*?))[ \t]*", line)
    if found is None or not found["text"]:
        return found
    # Only a closing fence has a sentence behind it; a fence that opens, or a line of code, has none.
    sentence = found["rest"]
    if mark * 3 in sentence:
        opening = _opening(sentence)
        sentence = opening["text"] if opening and opening["info"] else ""
    return found if _SENTENCE.fullmatch(sentence) else None


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
