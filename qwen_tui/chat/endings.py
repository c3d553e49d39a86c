"""How an answer ended, in words: where it was cut or stopped, why, and how to go on."""

from typing import Literal

from qwen_tui.i18n import gettext as _
from qwen_tui.messages import FinishReason

# What an answer of the reason "length" ran into.
Limit = Literal["max_tokens", "context"]


def mark(reason: FinishReason | None, limit: Limit | None = None) -> str:
    """Return what stands below an answer that is not whole, wherever it is read later; nothing for a whole one.

    `reason` None is of an answer that no program finished. `limit` says what one of the reason "length" ran into, None
    where nobody kept that.
    """
    match reason, limit:
        case "stop", _any:
            return ""
        case "length", "max_tokens":
            return _("The answer was cut off here, at the most tokens allowed.")
        case "length", "context":
            return _("The answer was cut off here: the context was full.")
        case "length", _any:
            return _("The answer was cut off here, at a limit of its length.")
        case "interrupted", _any:
            return _("The answer was stopped here.")
        case _any:
            return _("The answer broke off here.")
