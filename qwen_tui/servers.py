"""Servers of the configuration: how each is set, where it is, and what name a model on it has."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from qwen_tui.errors import ConfigError, which_is_meant
from qwen_tui.i18n import gettext as _

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What stands between the scheme and the path: a name or an address, and a port. No login, and nothing that two readers
# of addresses could take for different hosts.
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::\d{1,5})?")
# What people copy from a manual together with the address.
_CALLS = ("/chat/completions", "/completions", "/models")
_RANGES: Mapping[str, tuple[float, float]] = {
    "parallel": (1, 256),
    "ctx_size": (256, 16_777_216),
    "patience": (1, 86_400),
    "silence": (1, 86_400),
}


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The settings of a server; None means that the server tells it, or else a default.

    `key_env` is the environment variable with the key; with `keyring` the key is in the keyring of the system. `model`
    is the one that is meant where a name gives none. The server gets `parallel` requests at the same time at most.
    `allow_http` lets a foreign server be asked without TLS. `patience` is for how many seconds it may be silent before
    it begins to answer, and `silence` for how many within an answer.
    """

    url: str
    key_env: str | None = None
    keyring: bool = False
    model: str | None = None
    parallel: int | None = None
    ctx_size: int | None = None
    allow_http: bool = False
    patience: float = 600.0
    silence: float = 60.0

    @property
    def base(self) -> str:
        """The address before `/chat/completions`; without a path in `url`, that is usually `/v1`."""
        url = self.url.rstrip("/")
        return url if urlsplit(url).path else f"{url}/v1"

    @property
    def root(self) -> str:
        """The address before the calls that are not OpenAI's."""
        return re.sub(r"/v\d+$", "", self.base)

    @property
    def host(self) -> str:
        """The host with its port if there is one, as it is shown: in ASCII, so that no letter looks like another."""
        netloc = urlsplit(self.url).netloc.lower()
        try:
            return netloc.encode("idna").decode()
        except UnicodeError:
            return netloc.encode("ascii", "backslashreplace").decode()

    @property
    def is_here(self) -> bool:
        """Whether the server is on this computer. What only a look-up could tell counts as foreign."""
        name = urlsplit(self.url).hostname or ""
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return name == "localhost"
        mapped = getattr(address, "ipv4_mapped", None) or address
        return bool(mapped.is_loopback or mapped.is_unspecified)

    @property
    def is_plain(self) -> bool:
        """Whether anybody on the way to it could read what is sent."""
        return not self.is_here and self.url.lower().startswith("http://")


class OnServer(NamedTuple):
    """A model on a server of the configuration, "" for the one that the server's settings or the server itself name."""

    server: str
    model: str = ""

    def __str__(self) -> str:
        return f"{self.server}/{self.model}" if self.model else self.server


def on_server(name: str, servers: Mapping[str, Server]) -> OnServer | None:
    """Return what `NAME` or `NAME/MODEL` means if NAME is one of the `servers`, None for every other name."""
    server, _slash, model = name.partition("/")
    return OnServer(server, model) if server in servers else None


def checked(name: str, table: object, where: str) -> Server:
    """Return the settings of the server `name`; raises `ConfigError` that begins with `where` they stand.

    No error shows a value that could be a key: people mistake the name of a variable for what is in it.
    """
    remedy = _("Set it again with: qwen servers add {name} URL").format(name=name if is_name(name) else "NAME")
    if not is_name(name):
        raise ConfigError(_("{where}: “{name}” cannot be the name of a server.").format(where=where, name=name), remedy)
    if not isinstance(table, dict) or not isinstance(table.get("url"), str):
        raise ConfigError(_("{where}: the server {name} has no url.").format(where=where, name=name), remedy)
    unknown = [key for key in table if key not in Server.__struct_fields__]
    if unknown:
        said = _("{where}: a server has no setting “{key}”.").format(where=where, key=unknown[0])
        raise ConfigError(said, which_is_meant(unknown[0], Server.__struct_fields__))
    try:
        server = msgspec.convert(table, Server)
    except msgspec.ValidationError as error:
        field = str(error).rpartition("`$.")[2].rstrip("`")
        said = _("{where}: {key} of the server {name} is of another kind.").format(where=where, key=field, name=name)
        raise ConfigError(said, remedy) from None
    if problem := _problem(server):
        raise ConfigError(f"{where}: {problem}", remedy)
    return server


def is_name(name: str) -> bool:
    """Whether a server may have this name: it stands before a slash, and must not look like a path."""
    return bool(_NAME.fullmatch(name)) and name.lower() != "demo" and not name.lower().endswith(".gguf")


def address(typed: str) -> str:
    """Return the address of a server as it is stored: with a scheme, and without the name of a call at its end."""
    url = typed.strip().rstrip("/")
    if "://" not in url:
        # What is on this computer mostly has no certificate, and what is elsewhere must have one.
        url = f"{'http' if Server(url=f'http://{url}').is_here else 'https'}://{url}"
    for call in _CALLS:
        url = url.removesuffix(call)
    return url


def _problem(server: Server) -> str:
    """Return what is wrong with the settings of a server, as a sentence; empty if nothing is."""
    if problem := _problem_of_address(server.url):
        return problem
    if server.key_env is not None and not _VARIABLE.fullmatch(server.key_env):
        return _("key_env has to be the name of an environment variable, not the key itself.")
    for name, (lowest, highest) in _RANGES.items():
        value = getattr(server, name)
        if value is not None and not lowest <= value <= highest:
            return _("{name} has to lie between {lowest} and {highest}.").format(
                name=name, lowest=f"{lowest:g}", highest=f"{highest:g}"
            )
    return ""


def _problem_of_address(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return _("url is not an address.")
    if parts.scheme not in ("http", "https"):
        return _("url has to begin with http:// or https://.")
    if "@" in parts.netloc:
        return _("url must not hold a name or a password: a key belongs into an environment variable (key_env).")
    if parts.query or parts.fragment:
        return _("url must not hold a question mark or a number sign: a key belongs into key_env.")
    if not _HOST.fullmatch(parts.netloc) or not parts.hostname or port == 0 or not parts.path.isprintable():
        return _("url is not an address.")
    return ""


def told(server: Server) -> dict[str, Any]:
    """Return the settings that differ from the defaults, as they are written into the configuration."""
    fields = msgspec.structs.fields(Server)
    values = {field.name: getattr(server, field.name) for field in fields}
    return {field.name: values[field.name] for field in fields if values[field.name] != field.default}
