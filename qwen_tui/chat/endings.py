"""Says how an answer ended: that it was cut off or stopped, why, and how to go on."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from qwen_tui.chat.answer import Answer
from qwen_tui.errors import QwenError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import in_a_row, ngettext
from qwen_tui.messages import Exchange, FinishReason, Limit
from qwen_tui.quoting import quoted

# What cut an answer off: a limit, or that it repeated itself until it ran into one.
CutBy = Limit | Literal["repetition"]


class Ending(NamedTuple):
    """The end of an answer in words, and what the person can do; both are empty for a complete answer."""

    what: str = ""
    how: str = ""

    def __str__(self) -> str:
        return "\n".join(filter(None, self))


def mark(reason: FinishReason | None, limit: Limit | None = None) -> str:
    """Return the remark below an incomplete answer in exports and lists; "" for a complete one.

    `reason` is None if the program was killed before the answer ended. `limit` is the limit behind the reason "length",
    None if an older version did not store it.
    """
    match reason, limit:
        case "stop", _any:
            return ""
        case "length", "max_tokens":
            return _("The answer was cut off here, at the most tokens allowed.")
        case "length", "context":
            return _("The answer was cut off here: the context was full.")
        case "length", "server":
            return _("The answer was cut off here: the server allowed no more.")
        case "length", _any:
            return _("The answer was cut off here, at a limit of its length.")
        case "interrupted", _any:
            return _("The answer was stopped here.")
        case _any:
            return _("The answer broke off here.")


def mark_of(exchange: Exchange) -> str:
    """Return the remark below the answer of an exchange; see `mark`."""
    return mark(exchange.reason, exchange.limit) if exchange.answer else _("There is no answer.")


def of_command(answer: Answer, *, kept: bool) -> Ending:
    """Return the end of an answer that a command gave; `kept` says that its conversation is in the history."""
    go_on = _("To go on with it: {command}").format(command="qwen ask -c " + quoted(_("go on")))
    larger = _("Ask again with a larger one: --ctx-size {size}").format(size=2 * answer.held)
    hints: list[tuple[CutBy, str]] = [
        ("repetition", _("-o presence_penalty=1 helps against that.")),
        ("context", "" if answer.is_joined else larger),
        ("max_tokens", _("Allow more with -o max_tokens=N.")),
        ("max_tokens", go_on if kept and answer.text and not answer.is_joined else ""),
        ("server", _("It may allow more with -o max_tokens=N.")),
        ("server", go_on if kept and answer.text and not answer.is_joined else ""),
    ]
    return Ending(_what(answer), in_a_row(*_helpful(hints, answer)))


def of_conversation(answer: Answer, *, goes_on: bool, kept: bool) -> Ending:
    """Return the end of an answer in a conversation; `goes_on` says that the next prompt will still contain it."""
    go_on = _("To go on with it, write: {words}").format(words=_("go on")) if goes_on and answer.text else ""
    restart = f"qwen chat{' -c' if kept else ''} --ctx-size {2 * answer.held}"
    room = _("For more room, leave, then: {command}").format(command=restart)
    hints: list[tuple[CutBy, str]] = [
        ("repetition", _("/retry answers again, /undo takes it back; /set presence_penalty 1 helps against that.")),
        ("context", go_on),
        ("context", "" if answer.is_joined else room),
        ("max_tokens", go_on),
        ("max_tokens", _("Allow more with: /set max_tokens N")),
        ("server", go_on),
        ("server", _("It may allow more with: /set max_tokens N")),
    ]
    return Ending(_what(answer), " · ".join(_helpful(hints, answer)))


def _helpful(hints: Sequence[tuple[CutBy, str]], answer: Answer) -> list[str]:
    """Return those `hints` that help against what cut `answer` off; none if nothing has come of it."""
    if not answer.text and not answer.reasoning:
        return []
    cause: CutBy | None = "repetition" if answer.repeats else answer.limit
    return [hint for hint_cause, hint in hints if hint and hint_cause == cause]


def error(ended: Ending, *, inside_code: bool) -> QwenError:
    """Return the error of a command without a usable answer; `inside_code`: the wanted code block is not closed."""
    if not inside_code:
        return QwenError(ended.what, ended.how)
    what = in_a_row(ended.what, _("The code block is not closed: the code may not be whole."))
    return QwenError(what, ended.how or _("Ask again, or look at the whole answer without -x."))


def _what(answer: Answer) -> str:
    """Say that an answer is not complete, and why; "" for a complete one, and for one of which nothing has come."""
    if not answer.text and not answer.reasoning:
        return ""
    if answer.reason == "interrupted":
        return _("The answer was stopped.") if answer.text else _("The model was stopped while it was thinking.")
    if answer.limit is None:
        return "" if answer.text else _("The model thought, and gave no answer.")
    if answer.limit == "max_tokens":
        n = answer.usage.completion_tokens
        if not answer.text:
            return _("The model was still thinking at {n} tokens, and max_tokens allows no more.").format(n=n)
        what = ngettext(
            "The answer was cut off at {n} token: max_tokens allows no more.",
            "The answer was cut off at {n} tokens: max_tokens allows no more.",
            n,
        ).format(n=n)
    elif answer.limit == "server":
        n = answer.usage.completion_tokens
        if not answer.text:
            return _("The model was still thinking at {n} tokens, and the server allows no more.").format(n=n)
        what = ngettext(
            "The answer was cut off at {n} token: the server allows no more.",
            "The answer was cut off at {n} tokens: the server allows no more.",
            n,
        ).format(n=n)
    else:
        if not answer.text:
            return _("The model was still thinking when the context of {n} tokens was full.").format(n=answer.held)
        if answer.is_joined:
            return _("Some parts of the answer were cut off: there was no more room for them in the context.")
        what = _("The answer was cut off: the context of {n} tokens is full.").format(n=answer.held)
    return in_a_row(what, _("It had been repeating itself.")) if answer.repeats else what
