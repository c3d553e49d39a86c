"""An answer handed over whole: as JSON, its code alone, or the figures about it."""

import contextlib
import sys
from collections.abc import Callable

import msgspec

from qwen_tui.chat.endings import Ending
from qwen_tui.chat.extract import first_code_block
from qwen_tui.chat.turn import Answer
from qwen_tui.errors import OutputError, why
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Timings, Usage
from qwen_tui.terminal.sanitise import clean
from qwen_tui.terminal.streams import write


class JsonAnswer(msgspec.Struct, frozen=True):
    """What `--json` prints: names that scripts rely on."""

    answer: str
    model: str
    finish_reason: str
    conversation_id: str | None
    usage: Usage
    timings: Timings


def print_text(text: str) -> None:
    """Print on stdout what may hold anything: clean on a terminal, as it is elsewhere."""
    try:
        _print_answer(text)
    except OutputError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        # It is no answer, so nothing is to be asked again.
        reason = _("The output could not be written: {reason}.").format(reason=why(error.__cause__))
        raise OutputError(reason, _("Free some space or choose another place.")) from error.__cause__


def _print_answer(text: str) -> None:
    write(sys.stdout, clean(text) if sys.stdout.isatty() else text)


def print_json(answer: Answer, model: str, conversation: str | None) -> None:
    """Print one JSON object on stdout; `conversation` is the id under which it is kept, None if it is not."""
    printed = JsonAnswer(answer.text, model, answer.reason, conversation, answer.usage, answer.timings)
    _print_answer(msgspec.json.encode(printed).decode() + "\n")


def print_code(answer: Answer, note: Callable[[str], None]) -> bool:
    """Print the first code block on stdout, or all of the answer with a note where there is none.

    Return False of a block that the answer did not close.
    """
    block = first_code_block(answer.text)
    if block is None:
        note(_("The answer has no code block; here is all of it."))
    code = answer.text if block is None else block.code
    _print_answer(code if code.endswith("\n") else code + "\n")
    return block is None or block.closed


def tell(ended: Ending) -> None:
    """Say on stderr how an answer ended, unless it is whole: whoever reads the answer could take it for that."""
    if ended.what:
        with contextlib.suppress(OutputError):
            write(sys.stderr, f"{ended}\n")


def print_usage(answer: Answer) -> None:
    """Print tokens and speeds on stderr."""
    with contextlib.suppress(OutputError):
        write(sys.stderr, answer.figures() + "\n")
