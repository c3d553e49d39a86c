"""Overviews for a screen: many conversations, one conversation, the use of the context, the figures of an answer."""

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

# The width of a line, in columns, if the width of the screen is unknown.
COLUMNS = 80
# The columns of an id, a date and the gaps after them.
_BEFORE_TITLE = 26
# At most so many lines of the last turn are shown.
_QUESTION_LINES, _ANSWER_LINES = 3, 12


def conversations(summaries: Sequence[Summary], words: str = "", columns: int | None = COLUMNS) -> str:
    """Return one line for each conversation, and below it the line in which `words` were found.

    Lines are cut to `columns`, or not if that is None.
    """
    room = None if columns is None else max(20, columns - _BEFORE_TITLE)
    found: list[str] = []
    for summary in summaries:
        title = " ".join(summary.title.split())
        found.append(f"{summary.id}  {time_text(summary.written)}  {title if room is None else cut(title, room)}")
        if summary.line and summary.line != summary.title:
            found.append(" " * _BEFORE_TITLE + (summary.line if room is None else _around(summary.line, words, room)))
    return "\n".join(found)


def standing(summary: Summary, exchanges: Sequence[Exchange]) -> str:
    """Return the title of a conversation and its last turn, with long parts shortened."""
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
    """Return a table of the parts of a context of `size` tokens, in tokens and per cent, without empty parts.

    The parts add up to `size`, and so the percentages must add up to 100: those that lose most when they are rounded
    down are rounded up.
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
    """Return a table of the tokens and times of an answer."""
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
    """Return the part of a long `line` that contains the first match of one of `words`."""
    found = [start for word in words.split() if (start := line.lower().find(word.lower())) >= 0]
    start = min(found, default=0)
    if width(line) > columns and width(line[:start]) > columns // 2:
        line = "…" + line[start - columns // 8 :]
    return cut(line, columns)
