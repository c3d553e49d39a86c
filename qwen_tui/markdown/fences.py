r"""Code between fences as models write them: CommonMark's, and two ways in which they get it nearly right.

A fence may open behind text on its line (`代码如下：```python`), and text may follow the one that closes
(`\`\`\` This prints one.`). In CommonMark neither is a fence, and text and code change places from there on.
"""

import re

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token

# Behind text: backticks, and at most the name of a language. Tildes there are how people write a smile.
_BEHIND_TEXT = re.compile(r"(?P<text>.*?[^\s`])[ \t]*(?P<marks>`{3,})(?P<info>[ \t]*[\w+#.-]*)[ \t]*")
_UNDERLINE = re.compile(r"=+[ \t]*|-+[ \t]*")
# A sentence, where a fence that opens would have the name of a language.
_SENTENCE = re.compile(r"[ \t]+(?:\S+[ \t]+\S.*|.*[.!?:,;])|[ \t]*[^\x00-\u2e7f].*")


def add_fences(parser: MarkdownIt) -> None:
    """Teach `parser` these fences; see `is_closed` and `text_behind` for what their tokens tell."""
    parser.block.ruler.at("fence", _fence, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    parser.block.ruler.before("lheading", "fence_behind_text", _fence_behind_text)


def is_closed(fence: Token) -> bool:
    """Whether the block of a `fence` token has ended, or the text that it stands in goes on without it."""
    return bool(fence.meta["closed"])


def begins_at(fence: Token) -> int:
    """Return where in its first line a top-level `fence` token begins that stands behind text, else 0."""
    return int(fence.meta["begins_at"])


def text_behind(fence: Token) -> int:
    """Return where in its last line the text begins that follows a top-level `fence` token, 0 where none does."""
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
    """Take a paragraph up to a fence that opens in its last line, and the code behind that."""
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
    """Return how far code is indented with what it stands in: in a list, models write it at the margin as well."""
    while line < end and state.isEmpty(line):
        line += 1
    return max(0, min(state.blkIndent, state.sCount[line])) if line < end else 0


def _opening(line: str) -> re.Match[str] | None:
    found = _BEHIND_TEXT.fullmatch(line)
    if found is None:
        return None
    # What has been opened by as many backticks is closed by these.
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
    """Add the block whose fence is in line `start`, and go on behind it: in the line that closes it if text follows.

    `behind_text` is where in that line a fence begins that does not begin it.
    """
    # Behind text, the code need not be indented as the text is.
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
        # The rest of the line is what the next block begins with.
        state.bMarks[line] += state.tShift[line] + rest
        state.tShift[line], state.sCount[line] = 0, state.blkIndent


def _column(state: StateBlock, line: int, within: int) -> int:
    """Return where in its line of the source a place is that lies `within` what the block sees of the line."""
    place = state.bMarks[line] + state.tShift[line] + within
    return place - (state.src.rfind("\n", 0, place) + 1)


def _closing(line: str, marks: str) -> re.Match[str] | None:
    """Return what closes a block that `marks` opened, with the `text` behind it."""
    mark = marks[0]
    found = re.fullmatch(rf"{mark}{{{len(marks)},}}(?P<rest>(?!{mark})[ \t]*(?P<text>.*?))[ \t]*", line)
    if found is None or not found["text"]:
        return found
    # One that opens, or that is code, has no sentence behind it.
    sentence = found["rest"]
    if mark * 3 in sentence:
        opening = _opening(sentence)
        sentence = opening["text"] if opening and opening["info"] else ""
    return found if _SENTENCE.fullmatch(sentence) else None


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
