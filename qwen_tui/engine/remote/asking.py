"""Asks a server something small, such as which models it has, and reads the answer."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from qwen_tui.engine.remote import refusals
from qwen_tui.engine.remote.endpoint import CONNECT, Endpoint
from qwen_tui.network.call import Call
from qwen_tui.network.request import RequestError, ResponseHead

# For an answer that the server does not compute, in seconds.
_ANSWER = 15.0
# Whoever waits looks so often whether to go on, in seconds. If a look takes longer than the second figure, this program
# was not running, or hardly: that is not the server's silence.
LOOK_EVERY = 0.1
_LONGEST_LOOK = 1.0
# The most bytes of an answer that is no stream: a list of the tokens of a book is far smaller.
_MOST = 64 << 20
_OK = 200


class Waits:
    """Counts the seconds that something takes, without those in which the program was suspended or the computer slept.

    Whoever waits looks many times a second. If a look comes much later, the program was not running in between.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked = clock()
        self.seconds = 0.0

    def look(self) -> float:
        """Return how many seconds have passed since the beginning or the last `restart`."""
        now = self._clock()
        self.seconds += min(now - self._looked, _LONGEST_LOOK)
        self._looked = now
        return self.seconds

    def restart(self) -> None:
        """Count from now on."""
        self._looked, self.seconds = self._clock(), 0.0


def asked(endpoint: Endpoint, url: str, body: object = None, *, seconds: float = _ANSWER) -> Any:
    """Return the JSON that the server answers, within so many `seconds`: a GET, or a POST of a `body`.

    Raises `ServerError` for everything else, and `CancelledError`.
    """
    waits = Waits()
    with contextlib.closing(endpoint.call(url, body)) as call:
        try:
            while (head := call.head(LOOK_EVERY)) is None:
                if waits.look() > (seconds if call.is_connected else min(seconds, CONNECT)):
                    raise refusals.silent(endpoint, connected=call.is_connected)
            content = b"".join(pieces(call, waits, seconds))
        except RequestError as error:
            raise refusals.unreachable(endpoint, error) from None
        except TimeoutError:
            raise refusals.silent(endpoint, connected=True) from None
    if head.status != _OK:
        raise refusals.refused(endpoint, head, content)
    return decoded(endpoint, head, content)


def pieces(call: Call, waits: Waits, seconds: float, most: int = _MOST) -> Iterator[bytes]:
    """Yield the bytes of a response up to `most`; raises `TimeoutError` if they take too long, `RequestError`."""
    size = 0
    while size < most and (piece := call.take(LOOK_EVERY)) != b"":
        if waits.look() > seconds:
            raise TimeoutError
        size += len(piece or b"")
        yield piece or b""


def decoded(endpoint: Endpoint, head: ResponseHead, content: bytes) -> Any:
    """Return the JSON in `content`; raises `ServerError` if it is something else."""
    try:
        return json.loads(content)
    # RecursionError: nested too deeply. ValueError: no JSON, no UTF-8, or a number of too many digits.
    except (ValueError, RecursionError):
        raise refusals.not_understood(endpoint, head, content) from None
