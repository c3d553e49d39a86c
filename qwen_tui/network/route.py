"""Sends each request directly to its server, or through the proxy that the environment names for it."""

import contextlib
import ssl
from collections.abc import Iterator

import httpx2
from socksio import SOCKSError

from qwen_tui.errors import why
from qwen_tui.i18n import gettext as _
from qwen_tui.network.proxies import Proxy, proxy_for
from qwen_tui.network.request import RequestError

_WANTS_PASSWORD = 407


class Route(httpx2.BaseTransport):
    """Chooses a transport for each request. A wrong proxy setting does no harm until a request needs that proxy."""

    def __init__(self, *, direct: bool = False) -> None:
        """`direct` leaves the proxies out: what is meant for this computer must not go through another one."""
        self._direct = direct
        self._ways: dict[Proxy | None, httpx2.BaseTransport] = {}
        # To load the certificates takes longer than everything else here. On this computer, plain HTTP is usual.
        self._trusted = None if direct else _certificates()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request.

        Raises `RequestError` if the proxy is at fault or the certificates cannot be read, else what httpx2 raises.
        """
        proxy = None if self._direct else proxy_for(str(request.url))
        if proxy is None:
            if request.url.scheme == "https" and self._trusted is None:
                self._trusted = _certificates()
            return self._way(None).handle_request(request)
        with _blamed(proxy):
            response = self._way(proxy).handle_request(request)
        if response.status_code == _WANTS_PASSWORD:
            response.close()
            raise _wants_password(proxy.variable)
        return response

    def close(self) -> None:
        for way in self._ways.values():
            way.close()

    def _way(self, proxy: Proxy | None) -> httpx2.BaseTransport:
        if proxy not in self._ways:
            trusted = self._trusted or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._ways[proxy] = httpx2.HTTPTransport(verify=trusted, proxy=proxy.address if proxy else None)
        return self._ways[proxy]


def _certificates() -> ssl.SSLContext:
    """Return what decides whether a server's certificate is trusted; raises `RequestError`."""
    try:
        return httpx2.create_ssl_context()
    except OSError as error:
        # httpx2 reads the files that SSL_CERT_FILE or SSL_CERT_DIR name.
        raise RequestError(
            _("the certificates of SSL_CERT_FILE cannot be read: {reason}").format(reason=why(error)), responded=False
        ) from None


@contextlib.contextmanager
def _blamed(proxy: Proxy) -> Iterator[None]:
    """Turn errors in the block that the proxy causes into a `RequestError` that names the variable."""
    try:
        yield
    except httpx2.ProxyError as error:
        raise _refused(proxy, str(error)) from error
    except (httpx2.ConnectTimeout, httpx2.ConnectError) as error:
        if (cause := _tls(error)) is None:
            raise _fault(_("the proxy of {proxy} cannot be reached"), proxy) from error
        if isinstance(cause, ssl.SSLCertVerificationError) or not proxy.address.startswith("https:"):
            raise
        raise _fault(
            _("the proxy of {proxy} does not answer to https://; mostly it is http://"), proxy, again=False
        ) from error
    except (httpx2.NetworkError, httpx2.RemoteProtocolError) as error:
        raise _fault(_("the connection through the proxy of {proxy} broke"), proxy) from error
    except httpx2.InvalidURL as error:
        raise _fault(_("the address of the proxy in {proxy} is not valid"), proxy, again=False) from error
    except (AssertionError, SOCKSError) as error:
        # httpcore2 only asserts that the reply of a SOCKS proxy has the right form.
        raise _fault(_("what {proxy} names is not a SOCKS proxy"), proxy, again=False) from error


def _refused(proxy: Proxy, said: str) -> RequestError:
    if any(sign in said for sign in ("407", "username/password", "USERNAME/PASSWORD", "NO ACCEPTABLE")):
        return _wants_password(proxy.variable)
    return _fault(_("the proxy of {proxy} does not get through to it"), proxy)


def _wants_password(variable: str) -> RequestError:
    """Return the error for a proxy that demands a name and a password, or does not accept those it got."""
    return RequestError(
        _("the proxy of {variable} needs a name and a password").format(variable=variable),
        _("Write them into {variable}: {address}").format(variable=variable, address="http://NAME:PASSWORD@HOST:PORT"),
        responded=False,
    )


def _fault(sentence: str, proxy: Proxy, *, again: bool = True) -> RequestError:
    return RequestError(
        sentence.format(proxy=proxy.shown),
        _("Start the proxy, or correct or remove {variable}; NO_PROXY names what needs none.").format(
            variable=proxy.variable
        ),
        again=again,
        responded=False,
    )


def _tls(error: BaseException | None) -> ssl.SSLError | None:
    """Return the TLS error that caused `error`, None if there is none."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, ssl.SSLError):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None
