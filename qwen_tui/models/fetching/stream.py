"""One answer of a server, as a stream of bytes: the only place that speaks HTTP, in a thread of its own.

The thread reads while what it read is hashed and written, and a wait for the network can be interrupted at any moment.
"""

import contextlib
import errno
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from qwen_tui import __version__
from qwen_tui.errors import why
from qwen_tui.i18n import gettext as _
from qwen_tui.models.fetching.answers import Head, SourceError
from qwen_tui.models.fetching.channel import Channel
from qwen_tui.models.fetching.patience import Patience
from qwen_tui.models.proxies import proxy_for

if TYPE_CHECKING:
    import httpx2

AGENT = f"qwen-tui/{__version__}"

_REDIRECTS = 10


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
        self._channel = Channel()
        threading.Thread(target=self._run, daemon=True).start()
        try:
            self.head = self._channel.head(patience.answer)
        except Exception as error:
            self.close()
            raise translated(error, self._url) from None
        except BaseException:
            self.close()
            raise

    @property
    def mark(self) -> str | None:
        """By what the server would know again this version of the file; None where that is not certain."""
        etag = self.head.headers.get("etag", "")
        return None if etag.startswith("W/") else etag or None

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes as they come; raises `SourceError` where they end too early or no more come."""
        try:
            # The thread notices a stall itself, and first hands over what came before it.
            while piece := self._channel.take(self._patience.stall + 1):
                yield piece
        except TimeoutError:
            raise SourceError(_("no more bytes come from it"), again=True) from None
        except Exception as error:
            raise translated(error) from None

    def close(self) -> None:
        """Want no more of it."""
        self._channel.close()

    def _run(self) -> None:
        try:
            with client(self._patience) as session, contextlib.closing(self._response(session)) as response:
                self._channel.begin(Head(response.status_code, {k.lower(): v for k, v in response.headers.items()}))
                for piece in response.iter_raw():
                    if not self._channel.put(piece):
                        break
            self._channel.end(None)
        except Exception as error:
            self._channel.end(error)

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

    from qwen_tui.models.route import Route

    try:
        timeout = httpx2.Timeout(patience.stall, connect=patience.answer)
        return httpx2.Client(transport=Route(), timeout=timeout, follow_redirects=False)
    except OSError as error:
        # The default context reads what SSL_CERT_FILE or SSL_CERT_DIR name.
        raise SourceError(
            _("the certificates of SSL_CERT_FILE cannot be read: {reason}").format(reason=why(error)), answered=False
        ) from None


def translated(error: Exception, url: str = "") -> SourceError:
    """Return what went wrong on the way, in words that hold no address; `url` was asked, if that is known."""
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
    if isinstance(error, httpx2.ConnectError):
        return SourceError(_unreachable(causes), again=True, answered=False)
    if isinstance(error, httpx2.ConnectTimeout | TimeoutError):
        return _silent(url)
    if isinstance(error, httpx2.TimeoutException):
        return SourceError(_("no more bytes come from it"), again=True)
    if isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol | ValueError):
        return SourceError(_("its address is not valid"))
    return SourceError(_("the connection broke"), again=True)


def _silent(url: str) -> SourceError:
    """Say that nobody answers, and if a proxy is asked, that it may be the one who does not."""
    proxy = proxy_for(url)
    if proxy is None:
        return SourceError(_("it does not answer"), again=True, answered=False)
    return SourceError(
        _("it does not answer through the proxy of {proxy}").format(proxy=proxy.shown),
        _("Check {variable}; NO_PROXY names what needs no proxy.").format(variable=proxy.variable),
        again=True,
        answered=False,
    )


def _unreachable(causes: Sequence[BaseException]) -> str:
    """Say that no connection came about, and why where the system says it."""
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return _("it cannot be reached: there is no network, or no such host")
        if isinstance(cause, ConnectionRefusedError):
            return _("it cannot be reached: nobody listens there")
        if isinstance(cause, OSError) and cause.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
            return _("it cannot be reached: no network leads there")
    return _("it cannot be reached")
