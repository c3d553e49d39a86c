"""Which file the name of a model means, and the sources that have it."""

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote, urlsplit

import msgspec

from qwen_tui.errors import ConfigError, UsageError
from qwen_tui.files import expand, folders
from qwen_tui.i18n import gettext as _
from qwen_tui.models import address, catalogue
from qwen_tui.models.address import Place, is_address, is_repository, place
from qwen_tui.models.catalogue import CatalogueEntry
from qwen_tui.models.importing.importing import safe_name
from qwen_tui.models.inventory import in_repository
from qwen_tui.models.locate import unknown
from qwen_tui.models.shelf import Shelf
from qwen_tui.quoting import quoted, setting, unsetting
from qwen_tui.typed_text import as_text

# The addresses of the sources that need no address from the person.
HUB, MODELSCOPE = address.HUB, address.MODELSCOPE
_PAGE = re.compile(r"^(https?://[^/?#]+/[^/?#]+/[^/?#]+)/blob/(?=[^/?#]+/[^?#]+\.gguf(?:[?#]|$))", re.IGNORECASE)
# Stands for the part of an address that the program does not store.
ABRIDGED = "…"

# Repositories that ModelScope carries under the same names.
ON_MODELSCOPE = frozenset({"unsloth/Qwen3-4B-Instruct-2507-GGUF"})


class WantedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model to fetch.

    `name` is the model's name, `file` the name of its file here. `path` is the file in `repository`; both are empty for
    a bare address, `url`. `size` is in bytes; it and `sha256` are None while unknown. `pinned` says that the hash is
    from the program's own catalogue. `at` are the sources that were named with it.
    """

    name: str
    file: str
    repository: str = ""
    path: str = ""
    url: str = ""
    size: int | None = None
    sha256: str | None = None
    licence: str = ""
    pinned: bool = False
    at: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """A hash of where the model comes from: it differs for other origins, and reveals nothing secret."""
        if self.url:
            return Source(url=self.url).key
        return hashlib.sha256(self.name.encode()).hexdigest()[:32]

    @property
    def pullable(self) -> str:
        """The argument of `qwen pull` that fetches the model, without anything secret: an address may be signed."""
        return _("ADDRESS") if self.url else quoted(self.name)


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A server that has the file at `url`; `endpoint` is its address if it is a hub or a mirror, which has the hash."""

    url: str
    endpoint: str | None = None

    @property
    def host(self) -> str:
        """The host of the source: the program shows no more of it, because an address may be signed."""
        return shown(self.url)

    @property
    def key(self) -> str:
        """A hash of the address without its query: it differs for other sources, and reveals nothing secret."""
        parts = urlsplit(self.url)
        return hashlib.sha256(f"{parts.scheme}://{parts.netloc}{parts.path}".encode()).hexdigest()[:32]


def wanted(name: str) -> WantedModel:
    """Return the model that `name` means: `NAME[:QUANT]`, `owner/repo:FILE`, or an address, also one from a browser.

    Raises `ModelNotFoundError` with the nearest names, `UsageError` for the path of a file, and for a repository alone.
    """
    name = as_text(name)
    if found := place(name):
        if found.path and found.is_usual:
            return msgspec.structs.replace(wanted(found.name), at=_named_by(found))
        name = found.url if found.path else found.repository
    if is_repository(name):
        raise UsageError(
            _("{repository} is a repository, which may have several models.").format(repository=name),
            _("See which: {command}").format(command=f"qwen pull {quoted(name)}"),
        )
    if is_address(name):
        _require_usable(name)
        # Of a page about a file on a mirror, the bytes are beside it.
        name = _PAGE.sub(r"\1/resolve/", name.replace(" ", "%20"))
        file = unquote(urlsplit(name).path).replace("\\", "/").rpartition("/")[2]
        if not file.endswith(".gguf"):
            raise UsageError(
                _("{address} does not end in the name of a .gguf file.").format(address=shown(name)),
                _("Give the address of the file itself."),
            )
        file = safe_name(file)
        return WantedModel(name=file, file=file, url=name)
    if entries := catalogue.find(name):
        return of_entry(entries[0])
    if parts := in_repository(name):
        repository, path = parts
        if entry := catalogue.of_file(repository, path):
            return of_entry(entry)
        # The name there may not suit as the name of a file here.
        file = safe_name(path.rpartition("/")[2])
        return WantedModel(name=name, file=file, repository=repository, path=path)
    if name.endswith(".gguf"):
        raise UsageError(
            _("{name} is a file, nothing to fetch.").format(name=name),
            _("To keep it with the models: qwen models import {path}").format(path=quoted(expand(name))),
        )
    raise unknown(name, Shelf(folders().models))


def _named_by(found: Place) -> tuple[str, ...]:
    """Return the sources that the address of a file names: none for the hub, which is asked anyway."""
    if found.is_on_modelscope:
        return (found.url,)
    return () if found.site == HUB else (found.site,)


def sources(
    asked: WantedModel, given: Sequence[str] = (), environ: Mapping[str, str] = os.environ
) -> tuple[Source, ...]:
    """Return the sources of `asked` in order: those `given`, else the hub (or `HF_ENDPOINT`), then ModelScope.

    Each of `given` is `hub`, `modelscope`, the address of a mirror of the hub, or that of the file. Raises
    `UsageError`.
    """
    known = ["hub", "modelscope"] if asked.repository in ON_MODELSCOPE else ["hub"]
    chosen = list(given) or ([asked.url] if asked.url else list(asked.at) or known)
    return tuple(dict.fromkeys(_source(asked, text, environ) for text in chosen))


def endpoint(environ: Mapping[str, str] = os.environ) -> str:
    """Return the address of the hub, or of the mirror in `HF_ENDPOINT`; raises `ConfigError` if that is no address."""
    address = named_endpoint(environ)
    if is_usable(address):
        return address
    message = _("HF_ENDPOINT is “{value}”, which is not an address.").format(value=environ["HF_ENDPOINT"])
    if is_usable(whole := f"https://{address}") and not re.match(r"[a-z]+:|https?/", address, re.IGNORECASE):
        command = setting("HF_ENDPOINT", whole)
        raise ConfigError(message, _("It begins with https://: {command}").format(command=command))
    raise ConfigError(message, _("Remove it: {command}").format(command=unsetting("HF_ENDPOINT")))


def named_endpoint(environ: Mapping[str, str] = os.environ) -> str:
    """Return the same address without checking it."""
    return (environ.get("HF_ENDPOINT", "").strip() or HUB).rstrip("/")


def is_usable(address: str) -> bool:
    """Whether `address` is a web address with a scheme, a host, and a valid port or none."""
    try:
        parts = urlsplit(address)
        usable_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return is_address(address) and bool(parts.hostname) and usable_port and not re.search(r"\s", parts.netloc)


def is_offline(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether `HF_HUB_OFFLINE` forbids the network."""
    return environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def shown(url: str) -> str:
    """Return the host of `url`, with its port if it has one: the program shows no more of an address."""
    parts = urlsplit(url)
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return f"{parts.hostname or '?'}{port}"


def of_entry(entry: CatalogueEntry) -> WantedModel:
    """Return the model of a catalogue entry."""
    return WantedModel(
        name=entry.full_name,
        file=entry.file,
        repository=entry.repository,
        path=entry.file,
        size=entry.size,
        sha256=entry.sha256,
        licence=entry.licence,
        pinned=entry.sha256 is not None,
    )


def again(name: str, given: Sequence[str], *, repair: bool) -> tuple[str, ...]:
    """Return the arguments of `qwen pull` that ask for the same again, without anything secret."""
    before = ("--repair",) if repair else ()
    return (*before, *(word for text in given for word in ("--source", _abridged(text))), _abridged(name))


def _abridged(text: str) -> str:
    """Return only the host of an address, because the rest may be secret; return any other text unchanged."""
    if not is_address(text):
        return text
    host = f"{urlsplit(text).scheme}://{shown(text)}"
    return host if text.rstrip("/").lower() == host else f"{host}/{ABRIDGED}"


def _source(asked: WantedModel, text: str, environ: Mapping[str, str]) -> Source:
    if is_address(text):
        _require_usable(text)
        parts = urlsplit(text)
        if parts.path.strip("/"):
            return Source(url=text)
        return _on_hub(asked, f"{parts.scheme}://{parts.netloc}")
    if text == "hub":
        return _on_hub(asked, endpoint(environ))
    if text == "modelscope":
        repository = _repository(asked)
        return Source(url=f"{MODELSCOPE}/models/{repository}/resolve/master/{quote(asked.path)}")
    raise UsageError(
        _("--source {text} is not understood.").format(text=text),
        _("Write hub, modelscope, or an address that begins with https://."),
    )


def _require_usable(address: str) -> None:
    if not is_usable(address):
        # The address may be signed, so it is not shown.
        raise UsageError(
            _("The address cannot be used: its host or its port is not valid."),
            _("Write it as the browser shows it: https://HOST/PATH"),
        )


def _on_hub(asked: WantedModel, address: str) -> Source:
    return Source(url=f"{address}/{_repository(asked)}/resolve/main/{quote(asked.path)}", endpoint=address)


def _repository(asked: WantedModel) -> str:
    if not asked.repository:
        raise UsageError(
            _("{name} is known by its address only.").format(name=asked.name),
            _("Leave out --source, or name the file as owner/repo:FILE."),
        )
    return asked.repository
