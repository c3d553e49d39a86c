"""What `qwen ask` prints of an answer at its end: JSON or its code alone, the figures, and how it ended."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from qwen_tui.chat.answer import Answer
from qwen_tui.chat.checking.coverage import Coverage
from qwen_tui.chat.checking.doubts import Doubts
from qwen_tui.chat.code_blocks import first_code_block
from qwen_tui.chat.endings import Ending
from qwen_tui.cli.environment import Environment
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Loss, Timings, Usage


class JsonAnswer(msgspec.Struct, frozen=True):
    """What `--json` prints: names that scripts rely on.

    `read` says how much of the material was read, null for all of it. `not_in_material` has the citations and
    quotations that the material does not bear out, null if there was nothing to hold them against.
    """

    answer: str
    model: str
    finish_reason: str
    conversation_id: str | None
    usage: Usage
    timings: Timings
    read: Coverage | None
    not_in_material: Doubts | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """Prints what the flags ask for; `report` gets other sentences for the person."""

    environment: Environment
    report: Callable[[str], None]
    as_json: bool = False
    extract: bool = False
    usage: bool = False
    quiet: bool = False

    def print(self, answer: Answer, model: str, conversation: str | None) -> bool:
        """Print a finished answer; `conversation` is the id under which it is kept, None if it is not.

        Return False if the code that was wanted has no end.
        """
        whole = True
        if self.as_json:
            self.print_json(answer, model, conversation)
        elif self.extract and answer.text:
            whole = self.print_code(answer)
        if self.usage:
            self.environment.note(answer.figures())
        return whole

    def print_ending(self, ended: Ending) -> None:
        """Say on stderr how an answer ended that is not whole: its reader could take it for a whole one."""
        if ended.what and not (self.quiet and self.as_json):
            self.report(Loss(ended))

    def print_json(self, answer: Answer, model: str, conversation: str | None) -> None:
        """Print one JSON object on stdout."""
        printed = JsonAnswer(
            answer.text,
            model,
            answer.reason,
            conversation,
            answer.usage,
            answer.timings,
            answer.coverage,
            answer.doubts,
        )
        self.environment.print_answer(msgspec.json.encode(printed).decode() + "\n")

    def print_code(self, answer: Answer) -> bool:
        """Print the first code block on stdout, or all of the answer with a note where there is none.

        Return False of a block that the answer did not close.
        """
        block = first_code_block(answer.text)
        if block is None:
            self.report(_("The answer has no code block; here is all of it."))
        code = answer.text if block is None else block.code
        self.environment.print_answer(code if code.endswith("\n") else code + "\n")
        return block is None or block.closed
