"""One request to a server, as its caller sees it: how long it may take, how its response begins, why it failed."""

import email.utils
import time
from collections.abc import Mapping

import msgspec


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """The waiting times of one request, in seconds."""

    # Until the response begins: the look-up of the name, the connection and all redirections.
    response: float = 6.0
    # Between two pieces of the response.
    stall: float = 20.0
    # How long the server may be silent before its response begins, if it computes that first; 0: no longer than later.
    answer: float = 0.0


class ResponseHead(msgspec.Struct, frozen=True):
    """The status and the headers of a response; the names in `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]

    @property
    def retry_after(self) -> float | None:
        """The seconds after which the server wants to be asked again; None if it names none that can be read."""
        value = self.headers.get("retry-after", "").strip()
        if value.isdecimal():
            return float(value)
        try:
            return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
        except (ValueError, OverflowError):
            return None


class RequestError(Exception):
    """A request failed: `reason` says why, in a clause that follows the name of the server.

    `again` says that another try may help; `wait` is after how many seconds, if the server named them. `responded` is
    false for a server that gave no response at all. `absent` is true for one that does not have the file. `remedy` is
    what a person can do.
    """

    def __init__(
        self,
        reason: str,
        remedy: str = "",
        *,
        again: bool = False,
        wait: float | None = None,
        responded: bool = True,
        absent: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.again = again
        self.wait = wait
        self.responded = responded
        self.absent = absent
