"""Lists for a screen: conversations, commands and sizes."""

from collections.abc import Sequence

from wcwidth import width

from qwen_tui.chat import endings
from qwen_tui.chat.question import caption, folded, said
from qwen_tui.columns import cut, table
from qwen_tui.files import time_text
from qwen_tui.history.records import Summary
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import ngettext
from qwen_tui.messages import Exchange, Timings, Usage

# What a line may take where nobody knows the screen.
COLUMNS = 80
# An id, a date and the gaps after both.
_BEFORE_TITLE = 26
# How much of a long last turn is shown, in lines.
_QUESTION_LINES, _ANSWER_LINES = 3, 12


def conversations(summaries: Sequence[Summary], words: str = "", columns: int | None = COLUMNS) -> str:
    """Return a line a conversation, and below it the line in which `words` were found; `columns` None cuts nothing."""
    room = None if columns is None else max(20, columns - _BEFORE_TITLE)
    found: list[str] = []
    for summary in summaries:
        title = " ".join(summary.title.split())
        found.append(f"{summary.id}  {time_text(summary.written)}  {title if room is None else cut(title, room)}")
        if summary.line and summary.line != summary.title:
            found.append(" " * _BEFORE_TITLE + (summary.line if room is None else _around(summary.line, words, room)))
    return "\n".join(found)


def standing(summary: Summary, exchanges: Sequence[Exchange]) -> str:
    """Return where a conversation stands: what it is, and its last turn, of which long parts are shortened."""
    turns = ngettext("{n} turn", "{n} turns", len(exchanges)).format(n=len(exchanges))
    title = cut(" ".join(summary.title.split()), COLUMNS - 40)
    head = f"{summary.id} · {title} · {turns} · {time_text(summary.written)}"
    if not exchanges:
        return head
    last = exchanges[-1]
    about = [f"[{caption(part)}]" for part in folded(last.question)]
    asked, answered = said(last.question).strip().splitlines(), last.answer.strip().splitlines()
    if len(asked) > _QUESTION_LINES:
        asked = [*asked[:_QUESTION_LINES], "…"]
    asked = [*about, *asked]
    if len(answered) > _ANSWER_LINES:
        answered = ["…", *answered[-_ANSWER_LINES:]]
    mark = endings.mark_of(last)
    return "\n".join([head, "", *(f"> {line}" for line in asked), "", *answered, *(["", f"[{mark}]"] if mark else [])])


def shares(parts: Sequence[tuple[int, str]], size: int) -> str:
    """Return what the parts of a context of `size` tokens take, in tokens and per cent, but for those of none.

    The parts are all of it, and so are the percentages: those that are cut off most are rounded up.
    """
    head = _("The context holds {size} tokens:").format(size=f"{size:,}")
    parts = [part for part in parts if part[0]]
    percent = [100 * tokens // size for tokens, _name in parts]
    by_loss = sorted(range(len(parts)), key=lambda i: 100 * parts[i][0] % size, reverse=True)
    for i in by_loss[: 100 - sum(percent)]:
        percent[i] += 1
    rows = zip(parts, percent, strict=True)
    return "\n".join([head, *(f"{tokens:9,}  {share:3}%  {name}" for (tokens, name), share in rows)])


def figures(usage: Usage, timings: Timings) -> str:
    """Return what an answer took, in tokens and seconds."""
    rows = [
        (
            _("prompt"),
            _("{n} tokens, {cached} of them cached; {speed:.1f} tokens/s").format(
                n=usage.prompt_tokens, cached=usage.cached_tokens, speed=timings.prefill_tps
            ),
        ),
        (
            _("answer"),
            _("{n} tokens, the first after {wait:.1f} s; {speed:.1f} tokens/s").format(
                n=usage.completion_tokens, wait=timings.ttft_s, speed=timings.decode_tps
            ),
        ),
    ]
    if usage.drafted_tokens:
        accepted = _("{n} accepted of {drafted}").format(n=usage.accepted_tokens, drafted=usage.drafted_tokens)
        rows.append((_("drafts"), accepted))
    return table(rows)


def _around(line: str, words: str, columns: int) -> str:
    """Return the part of a long `line` that shows the first of `words`."""
    found = [start for word in words.split() if (start := line.lower().find(word.lower())) >= 0]
    start = min(found, default=0)
    if width(line) > columns and width(line[:start]) > columns // 2:
        line = "…" + line[start - columns // 8 :]
    return cut(line, columns)
