"""An answer handed over whole: as JSON, or its code alone."""

from collections.abc import Callable

import msgspec

from qwen_tui.chat.code_blocks import first_code_block
from qwen_tui.chat.turn import Answer
from qwen_tui.cli.environment import Environment
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Timings, Usage


class JsonAnswer(msgspec.Struct, frozen=True):
    """What `--json` prints: names that scripts rely on."""

    answer: str
    model: str
    finish_reason: str
    conversation_id: str | None
    usage: Usage
    timings: Timings


def print_json(environment: Environment, answer: Answer, model: str, conversation: str | None) -> None:
    """Print one JSON object on stdout; `conversation` is the id under which it is kept, None if it is not."""
    printed = JsonAnswer(answer.text, model, answer.reason, conversation, answer.usage, answer.timings)
    environment.print_answer(msgspec.json.encode(printed).decode() + "\n")


def print_code(environment: Environment, answer: Answer, note: Callable[[str], None]) -> bool:
    """Print the first code block on stdout, or all of the answer with a note where there is none.

    Return False of a block that the answer did not close.
    """
    block = first_code_block(answer.text)
    if block is None:
        note(_("The answer has no code block; here is all of it."))
    code = answer.text if block is None else block.code
    environment.print_answer(code if code.endswith("\n") else code + "\n")
    return block is None or block.closed
