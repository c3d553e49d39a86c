"""Lists the models in a repository of the hub, for a person who has named only the repository."""

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from qwen_tui.errors import DownloadError, ModelNotFoundError
from qwen_tui.i18n import gettext as _
from qwen_tui.models import address, parts
from qwen_tui.models.address import HUB
from qwen_tui.models.fetching import hub, source
from qwen_tui.models.fetching.rotation import PATIENCE
from qwen_tui.network.request import RequestError
from qwen_tui.typed_text import as_text

# GGUF files beside models that are not models: projectors for pictures, and importance matrices for quantising.
_NO_MODELS = ("mmproj", "imatrix")


class Offered(NamedTuple):
    """A model: the `name` that `qwen pull` takes, its `file`, and its `size` in bytes, None if unknown."""

    name: str
    file: str
    size: int | None


def repository(name: str, environ: Mapping[str, str] = os.environ) -> tuple[str, str, str] | None:
    """Return the repository that `name` means, its site, and the quantisation; None if `name` is no repository.

    `name` is `owner/repo`, the address of its page, or one of these with a quantisation, as in `owner/repo:Q4_K_M`.
    """
    name = as_text(name)
    found = address.place(name, environ)
    if found and not found.is_usual:
        return None
    plain = found.name if found else name
    bare, _colon, file = plain.partition(":")
    if not address.is_repository(bare) or file.lower().endswith(".gguf"):
        return None
    return bare, found.site if found and found.site != HUB else "", file


def models(
    wanted: tuple[str, str, str],
    *,
    offline: bool,
    sources: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> list[Offered]:
    """Return the models in a repository; a split one has the name of its first part, and the size of all parts.

    The list comes from the mirror among the `sources`, if there is one. A model on a mirror's page has its address as
    its name: then it also comes from there. Raises `DownloadError`, and `ModelNotFoundError` if there is none.
    """
    bare, site, having = wanted
    if offline or source.is_offline(environ):
        raise DownloadError(
            _("The list of the files in {repository} cannot be fetched: this is offline.").format(repository=bare),
            _("Name the file: qwen pull {repository}:FILE.gguf").format(repository=bare),
        )
    if address.Place(bare, "", site).is_on_modelscope:
        raise DownloadError(
            _("{repository} is the page of a repository.").format(repository=bare),
            _("Give the address of the file in it, as the browser shows it."),
        )
    mirrors = [text for text in sources if address.is_address(text) and not urlsplit(text).path.strip("/")]
    endpoint = site or next(iter(mirrors), "") or source.endpoint(environ)
    sizes = _sizes(_published(endpoint, bare), having)
    if not sizes:
        raise ModelNotFoundError(
            _("There is no such .gguf file in {repository}.").format(repository=bare)
            if having
            else _("There is no .gguf file in {repository}.").format(repository=bare),
            _("Models for llama.cpp often lie in a repository whose name ends in GGUF."),
        )
    places = {path: address.Place(bare, path, site or HUB) for path in sizes}
    by_address = bool(site) and site != source.named_endpoint(environ)
    return [Offered(place.url if by_address else place.name, place.path, sizes[path]) for path, place in places.items()]


def _published(endpoint: str, repository: str) -> Sequence[hub.Published]:
    """Return the .gguf files in a repository with their sizes; raises `DownloadError`."""
    try:
        return hub.models(endpoint, repository, PATIENCE)
    except RequestError as error:
        host = source.shown(endpoint)
        named = _("Check the name, or name the file: qwen pull {repository}:FILE.gguf").format(repository=repository)
        raise DownloadError(
            _("The list of the files in {repository} could not be fetched. {host}: {reason}").format(
                repository=repository, host=host, reason=error.reason
            ),
            error.remedy or named,
        ) from error


def _sizes(published: Sequence[hub.Published], having: str) -> dict[str, int | None]:
    """Return the sizes of the models with `having` in their names, each by its path or that of its first part."""
    sizes: dict[str, int | None] = {}
    for path, size in sorted(published):
        file = path.rpartition("/")[2]
        if file.lower().startswith(_NO_MODELS) or having.lower() not in file.lower():
            continue
        own = parts.part(file)
        first = path[: -len(file)] + own.name(1) if own else path
        before = sizes.get(first, 0)
        sizes[first] = None if size is None or before is None else before + size
    return sizes
