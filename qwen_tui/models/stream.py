"""One answer of a server, as a stream of bytes: the only place that speaks HTTP, in a thread of its own.

The thread reads while what it read is hashed and written, and a wait for the network can be interrupted at any moment.
"""

import contextlib
import queue
import ssl
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from qwen_tui import __version__
from qwen_tui.errors import why
from qwen_tui.i18n import gettext as _
from qwen_tui.models.answers import Head, SourceError, proxy_password
from qwen_tui.models.patience import Patience

if TYPE_CHECKING:
    import httpx2

AGENT = f"qwen-tui/{__version__}"

_REDIRECTS = 10
# What is handed over at once, and how many of those may wait: what a kill loses stays under a megabyte.
_PIECE = 256 << 10
_WAITING = 2
# A slow line is handed on as it comes, in seconds.
_LINGER = 0.1


class Stream:
    """The answer to a GET of `url`, from its byte `offset` on where that is not 0."""

    def __init__(
        self, url: str, patience: Patience, *, offset: int = 0, mark: str | None = None, token: str | None = None
    ) -> None:
        """Ask, and wait for the answer to begin; raises `SourceError`.

        `mark` is the ETag the file must still have to be continued. `token` goes to the origin of `url` alone.
        """
        self._url = url
        self._patience = patience
        self._token = token
        self._headers = {"Accept-Encoding": "identity", "User-Agent": AGENT}
        if offset:
            self._headers["Range"] = f"bytes={offset}-"
            if mark:
                self._headers["If-Range"] = mark
        self._queue: queue.Queue[Head | bytes | Exception | None] = queue.Queue(_WAITING)
        self._closed = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()
        try:
            first = self._take(patience.answer)
        except BaseException:
            self.close()
            raise
        assert isinstance(first, Head)
        self.head = first

    @property
    def mark(self) -> str | None:
        """By what the server would know again this version of the file; None where that is not certain."""
        etag = self.head.headers.get("etag", "")
        return None if etag.startswith("W/") else etag or None

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes as they come; raises `SourceError` where they end too early or no more come."""
        while piece := self._take(self._patience.stall):
            assert isinstance(piece, bytes)
            yield piece

    def close(self) -> None:
        """Want no more of it."""
        self._closed.set()

    def _take(self, patience: float) -> Head | bytes | None:
        deadline = time.monotonic() + patience
        while True:
            try:
                # In steps, because Windows does not interrupt a wait.
                taken = self._queue.get(timeout=min(0.2, patience))
                break
            except queue.Empty:
                if time.monotonic() >= deadline:
                    silent = _("it does not answer") if not hasattr(self, "head") else _("no more bytes come from it")
                    raise SourceError(silent, again=True, answered=hasattr(self, "head")) from None
        if isinstance(taken, Exception):
            raise translated(taken) from None
        return taken

    def _put(self, what: Head | bytes | Exception | None) -> bool:
        """Hand it over; false where nobody wants it any more."""
        while not self._closed.is_set():
            with contextlib.suppress(queue.Full):
                self._queue.put(what, timeout=0.2)
                return True
        return False

    def _run(self) -> None:
        try:
            with client(self._patience) as session, contextlib.closing(self._response(session)) as response:
                if self._put(Head(response.status_code, {k.lower(): v for k, v in response.headers.items()})):
                    self._hand_over(response)
            self._put(None)
        except Exception as error:
            self._put(error)

    def _hand_over(self, response: "httpx2.Response") -> None:
        gathered = bytearray()
        since = time.monotonic()
        try:
            for piece in response.iter_raw():
                gathered += piece
                if len(gathered) >= _PIECE or time.monotonic() - since > _LINGER:
                    if not self._put(bytes(gathered)):
                        return
                    gathered.clear()
                    since = time.monotonic()
        finally:
            # What came before the line broke is worth keeping.
            if gathered:
                self._put(bytes(gathered))

    def _response(self, session: "httpx2.Client") -> "httpx2.Response":
        """Follow redirections; the token is lost for good at the first that leads to another origin."""
        import httpx2

        url = httpx2.URL(self._url)
        headers = self._headers | ({"Authorization": f"Bearer {self._token}"} if self._token else {})
        for _step in range(_REDIRECTS):
            response = session.send(session.build_request("GET", url, headers=headers), stream=True)
            if not response.has_redirect_location:
                return response
            response.close()
            target = url.join(response.headers["Location"])
            if url.scheme == "https" and target.scheme != "https":
                raise SourceError(_("it leads from https to an address that anyone on the way can change"))
            if target.origin != url.origin:
                headers.pop("Authorization", None)
            url = target
        raise SourceError(_("it leads from one address to the next, without an end"))


def client(patience: Patience) -> "httpx2.Client":
    """Return a client that honours proxies, `SSL_CERT_FILE` and the system's certificates; raises `SourceError`."""
    import httpx2

    try:
        return httpx2.Client(timeout=httpx2.Timeout(patience.stall, connect=patience.answer), follow_redirects=False)
    except OSError as error:
        # The default context reads what SSL_CERT_FILE or SSL_CERT_DIR name.
        raise SourceError(
            _("the certificates of SSL_CERT_FILE cannot be read: {reason}").format(reason=why(error)), answered=False
        ) from None
    except ImportError:
        raise SourceError(_("a SOCKS proxy is set, and only HTTP proxies work"), answered=False) from None
    except (ValueError, httpx2.InvalidURL):
        raise SourceError(
            _("the proxy that is set is no address"), _("Mend HTTPS_PROXY, or remove it."), answered=False
        ) from None


def translated(error: Exception) -> SourceError:
    """Return what went wrong on the way, in words that hold no address."""
    import httpx2

    if isinstance(error, SourceError):
        return error
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) and cause not in causes:
        causes.append(cause)
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return SourceError(
                _("its certificate is not trusted here ({reason})").format(reason=cause.verify_message),
                _("Behind a company's proxy, set SSL_CERT_FILE to the company's certificates."),
                answered=False,
            )
    if isinstance(error, httpx2.TooManyRedirects):
        return SourceError(_("it leads from one address to the next, without an end"))
    if isinstance(error, httpx2.ProxyError):
        if "407" in str(error):
            return proxy_password()
        return SourceError(_("the proxy refuses it"), _("Check HTTPS_PROXY and NO_PROXY."), again=True, answered=False)
    if isinstance(error, httpx2.ConnectError):
        return SourceError(_("it cannot be reached"), again=True, answered=False)
    if isinstance(error, httpx2.ConnectTimeout | TimeoutError):
        return SourceError(_("it does not answer"), again=True, answered=False)
    if isinstance(error, httpx2.TimeoutException):
        return SourceError(_("no more bytes come from it"), again=True)
    if isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol | ValueError):
        return SourceError(_("its address is not valid"))
    return SourceError(_("the connection broke"), again=True)
