"""Decides how a question is sent again that a server has refused: never unless it says that it may be."""

from collections.abc import Mapping
from typing import NamedTuple

from qwen_tui.engine.remote import question
from qwen_tui.engine.remote.endpoint import Endpoint
from qwen_tui.engine.remote.in_flight import InFlight
from qwen_tui.errors import QwenError, ServerError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import ngettext

# A refused question is sent at most so many times more, and only if the server wants it within so many seconds.
_TRIES = 4
_LONGEST_WAIT = 60.0
# A server may count an answer for a moment after its last byte. So long, in seconds, a question waits that was refused
# as one too many although it was alone there.
_AFTER_AN_ANSWER = 1.0
_BUSY, NOT_READY = 429, 503


class Again(NamedTuple):
    """How a question is sent again: after so many seconds, and with what the person is told."""

    note: str
    seconds: float


class Resending:
    """What a server has refused so far; `without` are the fields that it does not take."""

    def __init__(self, endpoint: Endpoint, in_flight: InFlight) -> None:
        self._endpoint = endpoint
        self._in_flight = in_flight
        self.without: tuple[str, ...] = ()

    def after(self, error: QwenError, fields: Mapping[str, object], *, tries: int, others: int) -> Again | None:
        """Return how a question with these `fields` is sent again after an `error`, None if it is not.

        It was sent again `tries` times before, and so many `others` were there beside it.
        """
        if not isinstance(error, ServerError):
            return None
        again = (self._as_told(error, fields) or self._too_early(error, others)) if tries < _TRIES else None
        # Each time, fewer questions of this program may be there, so this ends.
        return again or self._one_too_many(error, others)

    def _as_told(self, error: ServerError, fields: Mapping[str, object]) -> Again | None:
        if name := question.refused_field(error.message, fields):
            self.without = (*self.without, name)
            note = _("{server} does not take “{name}”: the question is sent again without it.")
            return Again(note.format(server=self._endpoint.name, name=name), 0.0)
        if error.status in (_BUSY, NOT_READY) and error.wait is not None and error.wait <= _LONGEST_WAIT:
            n = max(1, round(error.wait))
            note = ngettext(
                "{server} is busy and wants to be asked again in {n} second: then the question is sent again.",
                "{server} is busy and wants to be asked again in {n} seconds: then the question is sent again.",
                n,
            )
            return Again(note.format(server=self._endpoint.name, n=n), float(n))
        return None

    def _too_early(self, error: ServerError, others: int) -> Again | None:
        """Return how a question is sent again that was alone at a server known to count them; None if it was not."""
        if others or self._in_flight.most is None or error.status not in (_BUSY, NOT_READY):
            return None
        return Again("", _AFTER_AN_ANSWER)

    def _one_too_many(self, error: ServerError, others: int) -> Again | None:
        """Return how a question is sent again that was one too many beside so many `others`; None if it was not."""
        if not others or error.status not in (_BUSY, NOT_READY):
            return None
        note = _("{server} does not take {n} questions at a time: what it refuses is sent again after the others.")
        note = note.format(server=self._endpoint.name, n=others + 1)
        return Again(note if self._in_flight.limit(others) else "", 0.0)
