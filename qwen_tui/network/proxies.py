"""Which proxy the environment names for an address, and what is wrong with its value."""

import ipaddress
import os
import sys
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies

from qwen_tui.i18n import gettext as _
from qwen_tui.network.request import RequestError

_KINDS = ("http", "https", "socks5", "socks5h")
_PORTS = {"http": 80, "https": 443}


class Proxy(NamedTuple):
    """A proxy: the environment variable that names it, and its address, which may contain a password."""

    variable: str
    address: str

    @property
    def shown(self) -> str:
        """The variable and the host of the proxy: the program never shows more of it."""
        parts = urlsplit(self.address)
        return (
            f"{self.variable} ({parts.hostname}:{parts.port})" if parts.port else f"{self.variable} ({parts.hostname})"
        )


def proxy_for(url: str, environ: Mapping[str, str] = os.environ) -> Proxy | None:
    """Return the proxy for `url`, None if the request goes directly to the server.

    The variable of the address's own scheme wins over `ALL_PROXY`, lower case over upper case, and `NO_PROXY` over all.
    If the proxy cannot be used, raises `RequestError` with the name of the variable.
    """
    asked = urlsplit(url)
    found = _named(asked.scheme, environ)
    if found is None or _is_direct(asked, _value("no_proxy", environ)[1]):
        return None
    return _checked(found)


def _named(scheme: str, environ: Mapping[str, str]) -> Proxy | None:
    for name in (f"{scheme}_proxy", "all_proxy"):
        variable, value = _value(name, environ)
        if value:
            return Proxy(variable, value)
    system = getproxies() if sys.platform in ("win32", "darwin") and environ is os.environ else {}
    address = system.get(scheme) or system.get("all")
    return Proxy(_("the settings of the system"), address) if address else None


def _value(name: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the name and the value of a variable; its lower-case form, even if empty, wins over the upper-case one."""
    variable = name if name in environ else name.upper()
    return variable, environ.get(variable, "").strip()


def _checked(found: Proxy) -> Proxy:
    """Return the proxy with a complete address; raises `RequestError` if that is not an address."""
    address = found.address if "://" in found.address else f"http://{found.address}"
    scheme, _colon, rest = address.partition("://")
    # GNOME and others write socks:// and mean SOCKS 5.
    scheme = {"socks": "socks5"}.get(scheme.lower(), scheme.lower())
    remedy = _("Write it as http://HOST:PORT or socks5://HOST:PORT, or remove {variable}.").format(
        variable=found.variable
    )
    if scheme not in _KINDS:
        raise RequestError(
            _("{variable} names a proxy of a kind that is not known: {scheme}://").format(
                variable=found.variable, scheme=scheme
            ),
            remedy,
            responded=False,
        )
    address = f"{scheme}://{rest}"
    try:
        parts = urlsplit(address)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise RequestError(
            _("{variable} holds no address of a proxy").format(variable=found.variable), remedy, responded=False
        )
    return Proxy(found.variable, address)


def _is_direct(asked: SplitResult, entries: str) -> bool:
    """Whether `entries`, the value of `NO_PROXY`, name the host, its domain or its network; each may have a port."""
    host = (asked.hostname or "").lower()
    port = asked.port or _PORTS.get(asked.scheme, 0)
    return any(_names(entry.strip().lower(), asked.scheme, host, port) for entry in entries.split(","))


def _names(entry: str, scheme: str, host: str, port: int) -> bool:
    if not entry:
        return False
    if entry == "*":
        return True
    only, found, rest = entry.rpartition("://")
    if found and only not in (scheme, "all"):
        return False
    name, given = _without_port(rest)
    if given and given != str(port):
        return False
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False)
    except ValueError:
        # The host or the entry is a name, not an IP address.
        domain = name.removeprefix("*")
        return host.endswith(domain) if domain.startswith(".") else host == domain or host.endswith(f".{domain}")


def _without_port(entry: str) -> tuple[str, str]:
    """Return the host or network, and the port, "" without one; only an IPv6 address in brackets can have a port."""
    if entry.startswith("["):
        host, _bracket, rest = entry[1:].partition("]")
        # A slash after the bracket begins the prefix length of a network.
        return (host + rest, "") if rest.startswith("/") else (host, rest.removeprefix(":"))
    host, colon, port = entry.partition(":")
    return (entry, "") if not colon or ":" in port else (host, port)
