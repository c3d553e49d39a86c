"""Asks the hub, or a mirror of it, about a file: the only user of huggingface_hub.

`network.stream` fetches the bytes. So huggingface_hub's cache is not used, and neither is Xet, which bypasses mirrors.
"""

import difflib
import importlib
import logging
import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import msgspec

from qwen_tui import cancellation
from qwen_tui.models.fetching import source
from qwen_tui.models.fetching.responses import refusal
from qwen_tui.models.fetching.rotation import Patience
from qwen_tui.models.fetching.source import WantedModel
from qwen_tui.network.client import AGENT, client, response_head, translated
from qwen_tui.network.request import RequestError

T = TypeVar("T")

# The status codes of a mirror that serves files, but does not know HEAD requests.
_NO_HEAD = (405, 501)
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Metadata(msgspec.Struct, frozen=True):
    """What the hub knows of a file; None stands for what it does not know."""

    sha256: str | None
    size: int | None


def metadata(endpoint: str, asked: WantedModel, patience: Patience) -> Metadata:
    """Ask the hub at `endpoint` about a file; raises `RequestError`."""
    _import()
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    url = hf_hub_url(asked.repository, asked.path, revision="main", endpoint=endpoint)

    def ask() -> Metadata:
        try:
            found = get_hf_file_metadata(
                url, token=token(endpoint) or False, timeout=patience.response, library_name=AGENT, endpoint=endpoint
            )
        except HfHubHTTPError as error:
            if error.response.status_code in _NO_HEAD:
                return Metadata(None, None)
            raise
        etag = (found.etag or "").lower()
        # Without a hash the size is not used: it may be that of a login page.
        return Metadata(etag, found.size) if _SHA256.fullmatch(etag) else Metadata(None, None)

    return _asked(endpoint, ask, patience)


class Published(NamedTuple):
    """A file in a repository; its `size` in bytes is None where the hub does not tell it."""

    path: str
    size: int | None


def models(endpoint: str, repository: str, patience: Patience) -> list[Published]:
    """Return the .gguf files in a repository of the hub at `endpoint`; raises `RequestError`."""
    _import()
    from huggingface_hub import HfApi

    def ask() -> list[Published]:
        api = HfApi(endpoint=endpoint, token=token(endpoint) or False, library_name=AGENT)
        siblings = api.model_info(repository, timeout=patience.response, files_metadata=True).siblings or []
        return [Published(one.rfilename, one.size) for one in siblings if one.rfilename.lower().endswith(".gguf")]

    return _asked(endpoint, ask, patience)


def near(endpoint: str, asked: WantedModel, patience: Patience) -> list[str]:
    """Return at most three names of model files in the repository of `asked` that are similar to the missing one."""
    try:
        names = [one.path for one in models(endpoint, asked.repository, patience)]
    except RequestError:
        return []
    folded = {name.lower(): name for name in names}
    wish = asked.path.lower()
    holding = [name for key, name in folded.items() if wish in key]
    return holding[:3] or [folded[key] for key in difflib.get_close_matches(wish, folded, n=3, cutoff=0.3)] or names[:3]


def token(endpoint: str) -> str | None:
    """Return the person's token if `endpoint` is the hub itself: a mirror never gets it."""
    if endpoint != source.HUB:
        return None
    from huggingface_hub import get_token

    return get_token()


def _import() -> None:
    """Import the library in a thread: it takes a second on a slow PC, and Ctrl-C ends the wait for it."""
    cancellation.current().run(lambda: importlib.import_module("huggingface_hub.hf_api"))


def _asked(endpoint: str, ask: Callable[[], T], patience: Patience) -> T:
    """Call `ask` within the time limit, and turn errors into `RequestError`, without huggingface_hub's own texts."""
    import httpx2
    from huggingface_hub import constants, set_client_factory
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    # Without this the library asks the hub for a list, to find out which program uses it.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    # The library's warnings contain complete signed addresses.
    logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL + 1)
    # A new client each time: an earlier one may hang, or use another proxy.
    set_client_factory(lambda: client(patience))
    try:
        return cancellation.current().run(ask, patience.response)
    except HfHubHTTPError as error:
        refused = refusal(response_head(error.response), patience.longest_wait)
        raise refused or RequestError(type(error).__name__) from None
    except (RequestError, httpx2.HTTPError, httpx2.InvalidURL, OSError, HFValidationError, ValueError) as error:
        raise translated(error, endpoint) from None
