"""Whether a server may be asked, and with which key: nothing is sent anywhere before this says so."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from qwen_tui import learned
from qwen_tui.errors import ServerError
from qwen_tui.files import folders
from qwen_tui.i18n import gettext as _
from qwen_tui.quoting import command_line, setting
from qwen_tui.servers import Server

if TYPE_CHECKING:
    from qwen_tui.engine.remote.endpoint import Endpoint


class Access(NamedTuple):
    """What decides about the network in one command: the variables with the keys, and whether it stays `offline`."""

    variables: Mapping[str, str] = os.environ
    offline: bool = False


def endpoint(name: str, server: Server, access: Access) -> "Endpoint":
    """Return where the server `name` is asked; raises `ServerError` if it may not be, and nothing is sent then."""
    # Imported only here, because the import takes time, and most models are on this computer.
    from qwen_tui.engine.remote.endpoint import Endpoint

    if access.offline:
        # Also one on this computer: it may pass on what it gets.
        raise ServerError(
            _("{name} is a server, and --offline keeps everything from the network.").format(name=name),
            _("Leave out --offline, or name a model on this computer with -m."),
        )
    if not is_agreed(server):
        raise ServerError(
            _("Nothing is sent to {host}: nobody on this computer has agreed to that.").format(host=server.host),
            _("To agree: {command}").format(command=command_line("qwen", "servers", "add", name, server.url)),
        )
    if server.is_plain and not server.allow_http:
        raise ServerError(
            refused_as_plain(server), _("Use https://, or accept that everybody can read it: --allow-http")
        )
    return Endpoint(name, server, key(name, server, access.variables))


def refused_as_plain(server: Server) -> str:
    """Return the sentence that refuses a foreign server without TLS."""
    return _("{host} is asked without TLS: everybody on the way there can read what is sent.").format(host=server.host)


def key(name: str, server: Server, variables: Mapping[str, str]) -> str | None:
    """Return the key of a server, None if it needs none; raises `ServerError`, `KeyStoreError`. No error shows it."""
    if server.key_env:
        found = variables.get(server.key_env, "").strip()
        if not found:
            raise ServerError(
                _("{name}: the variable {variable} with its key is not set.").format(
                    name=name, variable=server.key_env
                ),
                _("Set it: {command}").format(command=setting(server.key_env, "KEY")),
            )
        where = server.key_env
    elif server.keyring:
        from qwen_tui.network import key_store

        found, where = (key_store.read(name) or "").strip(), _("the keyring")
        if not found:
            raise ServerError(
                _("{name}: its key is not in the keyring.").format(name=name),
                _("Store it with: {command}").format(
                    command=command_line("qwen", "servers", "add", name, server.url, "--keyring")
                ),
            )
    else:
        return None
    if not found.isascii() or not found.isprintable():
        raise ServerError(
            _("{name}: what is in {place} cannot be a key: it has characters that no key has.").format(
                name=name, place=where
            ),
            _("Copy it again."),
        )
    return found


def is_agreed(server: Server) -> bool:
    """Whether something may be sent to the server: it is on this computer, or the person has agreed to its host."""
    return server.is_here or server.host in _agreed()


def agree(server: Server) -> None:
    """Remember that the person agrees to what is sent to the host of `server`; raises `OSError`."""
    learned.save(folders().consents, _agreed() | {server.host: datetime.now(UTC).isoformat(timespec="seconds")})


def withdraw(host: str) -> None:
    """Forget that the person agreed to a host; raises `OSError`."""
    agreed = _agreed()
    if agreed.pop(host, None):
        learned.save(folders().consents, agreed)


def _agreed() -> dict[str, str]:
    """Return the hosts to which the person has agreed, each with when."""
    return learned.read(folders().consents, dict[str, str], {})
