"""A file on a server as a stream of bytes, read by a thread of its own.

So the caller can hash and write one piece while the next arrives, and Ctrl-C can end a wait for the network at once.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from qwen_tui.i18n import gettext as _
from qwen_tui.network.client import AGENT, translated
from qwen_tui.network.request import RequestError, Timeouts
from qwen_tui.network.transfer import Transfer

if TYPE_CHECKING:
    import httpx2

_REDIRECTS = 10


class Stream:
    """The response to a GET of `url`, from byte `offset` on if that is not 0."""

    def __init__(
        self, url: str, timeouts: Timeouts, *, offset: int = 0, mark: str | None = None, token: str | None = None
    ) -> None:
        """Send the request and wait for the head of the response; raises `RequestError`.

        `mark` is an ETag: if the file has another one now, the server sends it from the start. `token` is sent only to
        the origin of `url`.
        """
        self._url = url
        self._timeouts = timeouts
        self._token = token
        self._headers = {"Accept-Encoding": "identity", "User-Agent": AGENT}
        if offset:
            self._headers["Range"] = f"bytes={offset}-"
            if mark:
                self._headers["If-Range"] = mark
        self._transfer = Transfer(self._response, timeouts)
        try:
            self.head = self._transfer.channel.head(timeouts.response)
        except Exception as error:
            self.close()
            raise translated(error, self._url) from None
        except BaseException:
            self.close()
            raise

    @property
    def mark(self) -> str | None:
        """The ETag of this version of the file; None if there is none, or only a weak one."""
        etag = self.head.headers.get("etag", "")
        return None if etag.startswith("W/") else etag or None

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes as they arrive; raises `RequestError` if the connection breaks or stalls."""
        try:
            # The thread has the same time-out. One second more lets it first pass on the bytes before the stall.
            while piece := self._transfer.channel.take(self._timeouts.stall + 1):
                yield piece
        except TimeoutError:
            raise RequestError(_("no more bytes come from it"), again=True) from None
        except Exception as error:
            raise translated(error) from None

    def close(self) -> None:
        """Cut the connection; after the last byte this does nothing."""
        self._transfer.close()

    def _response(self, session: "httpx2.Client", extensions: Mapping[str, Any]) -> "httpx2.Response":
        """Follow redirections; from the first one that leads to another origin, the token is no longer sent."""
        import httpx2

        url = httpx2.URL(self._url)
        headers = self._headers | ({"Authorization": f"Bearer {self._token}"} if self._token else {})
        for _step in range(_REDIRECTS):
            request = session.build_request("GET", url, headers=headers, extensions=dict(extensions))
            response = session.send(request, stream=True)
            if not response.has_redirect_location:
                return response
            response.close()
            target = url.join(response.headers["Location"])
            if url.scheme == "https" and target.scheme != "https":
                raise RequestError(_("it leads from https to an address that anyone on the way can change"))
            if target.origin != url.origin:
                headers.pop("Authorization", None)
            url = target
        raise RequestError(_("it leads from one address to the next, without an end"))
