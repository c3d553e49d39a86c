"""The HTTP client, and what the person is told when a connection fails."""

import errno
import socket
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qwen_tui import __version__
from qwen_tui.i18n import gettext as _
from qwen_tui.network.proxies import proxy_for
from qwen_tui.network.request import RequestError, ResponseHead, Timeouts

if TYPE_CHECKING:
    import httpx2

AGENT = f"qwen-tui/{__version__}"


def client(timeouts: Timeouts, *, direct: bool = False) -> "httpx2.Client":
    """Return a client that honours `SSL_CERT_FILE` and the system's certificates, and proxies unless it is `direct`.

    Raises `RequestError`.
    """
    import httpx2

    from qwen_tui.network.route import Route

    timeout = httpx2.Timeout(max(timeouts.stall, timeouts.answer), connect=timeouts.response)
    return httpx2.Client(transport=Route(direct=direct), timeout=timeout, follow_redirects=False)


def response_head(response: "httpx2.Response") -> ResponseHead:
    """Return the status of `response`, and its headers with their names in lower case."""
    return ResponseHead(response.status_code, {name.lower(): value for name, value in response.headers.items()})


def translated(error: Exception, url: str = "") -> RequestError:
    """Return `error` as a `RequestError`, which shows no address; `url` is the one that was asked, if known."""
    import httpx2

    if isinstance(error, RequestError):
        return error
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) and cause not in causes:
        causes.append(cause)
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return RequestError(
                _("its certificate is not trusted here ({reason})").format(reason=_certificate_fault(cause)),
                _("Behind a company's proxy, set SSL_CERT_FILE to the company's certificates."),
                responded=False,
            )
    if isinstance(error, httpx2.TooManyRedirects):
        return RequestError(_("it leads from one address to the next, without an end"))
    if isinstance(error, httpx2.ConnectError):
        return RequestError(_unreachable(causes), again=True, responded=False)
    if isinstance(error, httpx2.ConnectTimeout | TimeoutError):
        return _silent(url)
    if isinstance(error, httpx2.TimeoutException):
        return RequestError(_("no more bytes come from it"), again=True)
    if isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol | ValueError):
        return RequestError(_("its address is not valid"))
    return RequestError(_("the connection broke"), again=True)


def _certificate_fault(error: ssl.SSLCertVerificationError) -> str:
    """Return what OpenSSL has against a certificate; its usual reasons in the language in use."""
    known = {
        10: _("it has expired"),
        18: _("it is signed by itself"),
        19: _("one that it depends on is signed by itself"),
        20: _("the one that signed it is not known"),
        62: _("it is of another host"),
    }
    return known.get(error.verify_code) or error.verify_message


def _silent(url: str) -> RequestError:
    """Say that the server does not respond, or where there is a proxy, that this may be at fault."""
    proxy = proxy_for(url)
    if proxy is None:
        return RequestError(_("it does not answer"), again=True, responded=False)
    return RequestError(
        _("it does not answer through the proxy of {proxy}").format(proxy=proxy.shown),
        _("Check {variable}; NO_PROXY names what needs no proxy.").format(variable=proxy.variable),
        again=True,
        responded=False,
    )


def _unreachable(causes: Sequence[BaseException]) -> str:
    """Say that there is no connection, and the reason if the system gave one."""
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return _("it cannot be reached: there is no network, or no such host")
        if isinstance(cause, ConnectionRefusedError):
            return _("it cannot be reached: the connection was refused")
        if isinstance(cause, OSError) and cause.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
            return _("it cannot be reached: there is no route to it")
    return _("it cannot be reached")
