"""Lets the engine read ahead what the next prompt will begin with, while the person types it."""

import dataclasses
import re
import time
from collections.abc import Callable

from qwen_tui.chat.session import Session
from qwen_tui.engine.protocol import Request

# While keys come, about so many new tokens are worth a batch. After a pause every one of them is.
_WORTH = 16
# A character of a script without blanks is about so many tokens, any other one about a quarter.
_WIDE, _NARROW = 0.7, 0.25
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
# A text with more characters for each token of the context does not fit: nothing of it is read.
_MOST_A_TOKEN = 8
# How often the charge of the battery is looked at, in seconds.
_LOOK_EVERY = 30.0


class NextPrompt:
    """What is known of a session's next prompt; the engine reads it ahead."""

    def __init__(self, session: Session, ctx_size: int, is_allowed: Callable[[], bool]) -> None:
        """`ctx_size` counts until the engine has told its own; `is_allowed`: the processor may work unasked now."""
        self._session = session
        self._ctx_size = ctx_size
        self._is_allowed = is_allowed
        self._sent: Request | None = None
        # The conversation of that request, and how many there were so far.
        self._conversation, self._place = session.conversation, 0

    def typing(self, line: str, paused: bool) -> None:
        """Take the line as it stands now, without what may still be replaced in it; `paused`: no key came for a moment.

        The line is empty when the person begins.
        """
        if not self.may_read():
            return
        if not line:
            self._sent = None
        request = self._request("" if self._session.is_command(line) else line)
        if request is None or (self._sent == request and line):
            return
        if not paused and _unread(self._sent, request) < _WORTH:
            return
        self._sent = request
        if self._conversation is not self._session.conversation:
            self._conversation = self._session.conversation
            self._place += 1
        self._session.engine.read_ahead(request, self._place)

    def may_read(self) -> bool:
        """Whether the processor may work unasked now; if not, the engine stops."""
        allowed = self._is_allowed()
        if not allowed and self._sent is not None:
            self._sent = None
            self._session.engine.read_ahead(None)
        return allowed

    def _request(self, words: str) -> Request | None:
        """Return the request that the next one will go on with; None where nothing is known of it."""
        session = self._session
        conversation = session.conversation
        # A template may change the system prompt. Nothing is decided before the message is sent, so only of a copy.
        before = conversation.without_last() if session.replacing else dataclasses.replace(conversation)
        messages = before.prompt(session.question(before, words), growing=True)
        if not messages[-1].content.strip():
            messages = messages[:-1]
        size = session.info.ctx_size if session.info else self._ctx_size
        if not messages or sum(len(message.content) for message in messages) > size * _MOST_A_TOKEN:
            return None
        kept = conversation.id if session.keeper.history is not None else None
        return session.options.request(messages, kept)


def enough_power(least: int, clock: Callable[[], float] = time.monotonic) -> Callable[[], bool]:
    """Return what says whether there is a charger, or a charge of at least `least` percent."""
    looked, found = -_LOOK_EVERY, True

    def has_power() -> bool:
        nonlocal looked, found
        if clock() - looked >= _LOOK_EVERY:
            looked, found = clock(), _has_power(least)
        return found

    return has_power


def _has_power(least: int) -> bool:
    import psutil

    # On some systems psutil has no such function.
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return battery is None or bool(battery.power_plugged) or battery.percent >= least


def _unread(sent: Request | None, request: Request) -> float:
    """Return about how many tokens `request` has behind what was `sent`."""
    before, now = sent.messages if sent else (), request.messages
    goes_on = before[:-1] == now[:-1] and len(before) == len(now) and now[-1].content.startswith(before[-1].content)
    new = now[-1].content[len(before[-1].content) if goes_on else 0 :]
    wide = len(_UNSPACED.findall(new))
    return wide * _WIDE + (len(new) - wide) * _NARROW
