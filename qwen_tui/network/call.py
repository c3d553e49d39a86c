"""A call of a server's interface: a request whose body and whose response are streams, and which is sent once."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from qwen_tui.network.client import AGENT, translated
from qwen_tui.network.request import ResponseHead, Timeouts
from qwen_tui.network.transfer import Transfer

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")


class Call:
    """A request to `url`, on its way from the moment it is made.

    It follows no redirection: what is sent is meant for this server alone. It is never sent again.
    """

    def __init__(
        self,
        url: str,
        timeouts: Timeouts,
        *,
        body: Sequence[bytes] | None = None,
        token: str | None = None,
        accept: str = "application/json",
        direct: bool = False,
    ) -> None:
        """Without a `body` of JSON this is a GET, else a POST that sends one piece of it after the other.

        `direct` leaves the proxies of the environment out.
        """
        self._url = url
        self._body = body
        self._headers = {"Accept": accept, "Accept-Encoding": "identity", "User-Agent": AGENT}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            # With its length named, the body is understood also by servers that know no chunks.
            self._headers |= {"Content-Type": "application/json", "Content-Length": str(sum(map(len, body)))}
        self._transfer = Transfer(self._send, timeouts, direct=direct)

    @property
    def is_connected(self) -> bool:
        """Whether there is or was a connection to the server, or to the proxy before it."""
        return self._transfer.is_connected

    def head(self, seconds: float) -> ResponseHead | None:
        """Wait so many `seconds` for the head of the response; None if it has not come. Raises `RequestError`."""
        return self._awaited(self._transfer.channel.head, seconds)

    def take(self, seconds: float) -> bytes | None:
        """Wait so many `seconds` for bytes, and return all that have come: none at the end, None before any.

        Raises `RequestError`.
        """
        return self._awaited(self._transfer.channel.take, seconds)

    def close(self) -> None:
        """Cut the connection at once; the server sees that nobody reads any more."""
        self._transfer.close()

    def _send(self, session: "httpx2.Client", extensions: Mapping[str, Any]) -> "httpx2.Response":
        method, content = ("GET", None) if self._body is None else ("POST", iter(self._body))
        request = session.build_request(
            method, self._url, headers=self._headers, content=content, extensions=dict(extensions)
        )
        return session.send(request, stream=True)

    def _awaited(self, wait: Callable[[float], T], seconds: float) -> T | None:
        try:
            return wait(seconds)
        except TimeoutError:
            return None
        # The channel raises again here what ended the thread that reads: httpx2's errors, and the system's.
        except Exception as error:
            raise translated(error, self._url) from None
