"""Reads addresses of a hub of models as a browser shows them: the repository, and the file that the page is about."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import parse_qs, quote, unquote, urlsplit

HUB = "https://huggingface.co"
MODELSCOPE = "https://modelscope.cn"

# The hosts of the hub itself, and of a widely used mirror. Addresses of the mirror stay at the mirror.
_HUB_HOSTS = ("huggingface.co", "hf.co")
_MIRRORS = ("hf-mirror.com",)
_MODELSCOPE_HOSTS = ("modelscope.cn", "modelscope.ai")
# Pages of the hub that do not belong to a model.
_NO_OWNERS = ("datasets", "spaces", "collections", "docs", "papers", "api")
# The usual branches: a name without a branch means one of them.
_USUAL = ("main", "master")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


class Place(NamedTuple):
    """A `repository` and the `path` of a file in it, "" for the repository alone.

    `site` is the address of the hub, of a mirror of it, or of ModelScope.
    """

    repository: str
    path: str
    site: str
    revision: str = "main"

    @property
    def name(self) -> str:
        """The name for `-m` and `qwen pull`: `owner/repo:FILE`, or `owner/repo`."""
        return f"{self.repository}:{self.path}" if self.path else self.repository

    @property
    def is_usual(self) -> bool:
        """Whether the file is on the usual branch."""
        return self.revision in _USUAL

    @property
    def is_on_modelscope(self) -> bool:
        """Whether the site is ModelScope, which has another interface than the hub."""
        return _host(self.site) in _MODELSCOPE_HOSTS

    @property
    def url(self) -> str:
        """The address of the bytes."""
        models = "models/" if self.is_on_modelscope else ""
        return f"{self.site}/{models}{self.repository}/resolve/{quote(self.revision, '')}/{quote(self.path)}"


def is_address(text: str) -> bool:
    """Whether `text` is an address rather than a name."""
    return text.lower().startswith(("http://", "https://"))


def is_repository(name: str) -> bool:
    """Whether `name` is `owner/repo` by its form."""
    return bool(_REPOSITORY.fullmatch(name)) and not name.startswith(".") and not name.lower().endswith(".gguf")


def place(text: str, environ: Mapping[str, str] = os.environ) -> Place | None:
    """Return the repository and the file of the address `text`, if that is one of the hub, a mirror or ModelScope.

    People also write such an address without https:// before it.
    """
    try:
        parts = urlsplit(text if is_address(text) else f"https://{text}")
        host = _host(f"//{parts.netloc}")
        mirrors = (*_MIRRORS, _host(environ.get("HF_ENDPOINT", "").strip()))
    except ValueError:
        return None
    segments = [unquote(segment) for segment in parts.path.split("/") if segment]
    query = parse_qs(parts.query)
    if host and host in _MODELSCOPE_HOSTS:
        return _on_modelscope(segments, query, f"{parts.scheme}://{parts.netloc}")
    if host and (host in _HUB_HOSTS or host in mirrors):
        return _on_hub(segments, query, HUB if host in _HUB_HOSTS else f"{parts.scheme}://{parts.netloc}")
    return None


def _on_hub(segments: Sequence[str], query: Mapping[str, Sequence[str]], site: str) -> Place | None:
    if len(segments) < 2 or segments[0] in _NO_OWNERS:
        return None
    # Other programs write hf.co/owner/repo:Q4_K_M.
    repository, _colon, path = "/".join(segments[:2]).partition(":")
    rest, revision = segments[2:], "main"
    if rest[:1] and rest[0] in ("blob", "resolve", "raw", "tree") and len(rest) > 1:
        revision = rest[1]
        path = "" if rest[0] == "tree" else "/".join(rest[2:])
    # A page of a repository that shows the content of one file.
    path = path or "".join(query.get("show_file_info", ())[:1])
    return Place(repository, path, site, revision) if _REPOSITORY.fullmatch(repository) else None


def _on_modelscope(segments: Sequence[str], query: Mapping[str, Sequence[str]], site: str) -> Place | None:
    if list(segments[:3]) == ["api", "v1", "models"]:
        segments = segments[2:]
    if len(segments) < 3 or segments[0] != "models":
        return None
    repository, rest = "/".join(segments[1:3]), list(segments[3:])
    if rest[:2] == ["file", "view"]:
        rest = ["resolve", *rest[2:]]
    if rest[:1] == ["resolve"] and len(rest) > 2:
        return Place(repository, "/".join(rest[2:]), site, rest[1])
    path = "".join(query.get("FilePath", ())[:1])
    return Place(repository, path, site, "".join(query.get("Revision", ())[:1]) or "master")


def _host(address: str) -> str:
    return (urlsplit(address).netloc.rpartition("@")[2]).lower().removeprefix("www.")
