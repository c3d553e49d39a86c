"""Overviews for a screen: many conversations, one conversation, the use of the context, the figures of an answer."""

from collections.abc import Callable, Sequence

from wcwidth import width

from qwen_tui.chat import endings
from qwen_tui.chat.answer import Answer, crowding
from qwen_tui.chat.question import caption, folded, said
from qwen_tui.columns import cut, table
from qwen_tui.files import time_text
from qwen_tui.grams import found_in
from qwen_tui.history.records import Hit, Summary
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import ngettext
from qwen_tui.messages import Exchange, Output

# The width of a line, in columns, if the width of the screen is unknown.
COLUMNS = 80
# The columns of an id, a date and the gaps after them.
_BEFORE_TITLE = 26
_LEAST_OF_TITLE = 8
# What was found in a conversation stands below its date.
_BEFORE_HIT = " " * 8
_LEAST_OF_HIT = 16
# How much of a long last turn is shown, in lines.
_QUESTION_LINES, _ANSWER_LINES = 3, 12


def conversations(summaries: Sequence[Summary], columns: int | None = COLUMNS) -> str:
    """Return a line a conversation; `columns` None cuts nothing."""
    return "\n".join(_line(summary, columns) for summary in summaries)


def found(
    summaries: Sequence[Summary], words: str, columns: int | None = COLUMNS, mark: Callable[[str], str] = str
) -> str:
    """Return a line a conversation, and below it who said what in which `words` were found; `mark` marks these."""
    lines = []
    for summary in summaries:
        lines.append(_line(summary, columns))
        if hit := summary.hit:
            speaker = _("{speaker}: ").format(speaker=_speaker(hit))
            room = None if columns is None else max(_LEAST_OF_HIT, columns - len(_BEFORE_HIT) - width(speaker))
            lines.append(f"{_BEFORE_HIT}{speaker}{_marked(hit.line, words, room, mark)}")
    return "\n".join(lines)


def nothing_found(words: str) -> str:
    """Return what is said where a search finds nothing."""
    return _("No conversation holds “{words}”.").format(words=" ".join(words.split()))


def _line(summary: Summary, columns: int | None) -> str:
    title = " ".join(summary.title.split())
    title = title if columns is None else cut(title, max(_LEAST_OF_TITLE, columns - 1 - _BEFORE_TITLE))
    return f"{summary.id}  {time_text(summary.written)}  {title}"


def _speaker(hit: Hit) -> str:
    """Return whose words a search found."""
    match hit.kind:
        case "answer":
            return _("Assistant")
        case "words":
            return _("You")
        case "system" | "template":
            return _("Template “{name}”").format(name=hit.name)
        case _any:
            return " ".join(hit.name.split())


def standing(summary: Summary, exchanges: Sequence[Exchange], output: Output) -> None:
    """Show the title of a conversation and its last turn, with long parts shortened."""
    turns = ngettext("{n} turn", "{n} turns", len(exchanges)).format(n=len(exchanges))
    title = cut(" ".join(summary.title.split()), COLUMNS - 40)
    head = f"{summary.id} · {title} · {turns} · {time_text(summary.written)}"
    if not exchanges:
        output.note(head)
        return
    last = exchanges[-1]
    about = [f"[{caption(part)}]" for part in folded(last.question)]
    asked = said(last.question).strip().splitlines()
    if len(asked) > _QUESTION_LINES:
        asked = [*asked[:_QUESTION_LINES], "…"]
    asked = [*about, *asked]
    output.note("\n".join([head, "", *(f"> {line}" for line in asked), ""]))
    output.show_end(last.answer, _ANSWER_LINES)
    if mark := endings.mark_of(last):
        output.note(f"\n[{mark}]")


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


def figures(answer: Answer) -> str:
    """Return a table of the tokens and times of an answer."""
    usage, timings = answer.usage, answer.timings
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
    if crowd := crowding(answer.crowded):
        rows.append(("", crowd))
    return table(rows)


def _marked(line: str, words: str, room: int | None, mark: Callable[[str], str]) -> str:
    """Return as much of `line` as the `room` takes around the first of `words`, each of them marked."""
    line = " ".join(line.split())
    places = found_in(words, line)
    first = places[0] if places else (0, 0)
    start, end = (0, len(line)) if room is None or width(line) <= room else _window(line, first, room)
    shown, at = "…" if start else "", start
    for begins, ends in places:
        if ends > end:
            break
        shown += line[at:begins] + mark(line[begins:ends])
        at = ends
    return shown + line[at:end] + ("…" if end < len(line) else "")


def _window(line: str, place: tuple[int, int], room: int) -> tuple[int, int]:
    """Return the part of a long `line` around a `place` that takes the `room` with … at both ends, in whole words."""
    start, end = place
    if width(line[:start]) <= room // 3:
        start = 0
    else:
        # What follows tells more than what goes before.
        while width(line[start - 1 : place[1]]) <= room // 3:
            start -= 1
        blank = line.find(" ", start, place[0])
        start = blank + 1 if blank >= 0 and not _is_end_of_word(line, start) else start
    while end < len(line) and width(line[start : end + 1]) <= room - 2:
        end += 1
    if not _is_end_of_word(line, end) and (blank := line.rfind(" ", place[1], end)) >= 0:
        end = blank
    return start, end


def _is_end_of_word(line: str, at: int) -> bool:
    """Whether a line may be cut at this place: at a blank, an end, or beside Chinese, which has no blanks."""
    around = line[max(0, at - 1) : at + 1]
    return not 0 < at < len(line) or " " in around or any(width(character) > 1 for character in around)
