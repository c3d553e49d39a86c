"""Whether the places that models come from can be reached; asked only where a person wants to know."""

import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import msgspec

_HUB = "https://huggingface.co"
_OTHERS = ("https://modelscope.cn",)
_PATIENCE = 5.0


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """An address, whether it answered, in how many seconds, and if it did not, why."""

    address: str
    reachable: bool
    seconds: float
    reason: str = ""


def places(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the addresses: the hub, or the mirror that `HF_ENDPOINT` names, and other sources."""
    hub = environ.get("HF_ENDPOINT", "").strip().rstrip("/") or _HUB
    return (hub, *(each for each in _OTHERS if each != hub))


def reach(addresses: tuple[str, ...], open_address: Callable[[str], None] | None = None) -> tuple[Place, ...]:
    """Ask all addresses at once and return what came of it; takes a few seconds at the most."""
    ask = open_address or _open
    with ThreadPoolExecutor(max_workers=len(addresses)) as pool:
        return tuple(pool.map(lambda address: _reach(address, ask), addresses))


def _reach(address: str, ask: Callable[[str], None]) -> Place:
    begun = time.monotonic()
    reason = ""
    try:
        ask(address)
    except urllib.error.HTTPError as error:
        # Somebody is there; only a proxy that wants to know who is asking is in the way.
        reason = f"HTTP {error.code}" if error.code == 407 else ""
    except urllib.error.URLError as error:
        reason = str(error.reason)
    # Whatever a network or an address can fail with.
    except (OSError, ValueError) as error:
        reason = str(error) or type(error).__name__
    return Place(address=address, reachable=not reason, seconds=round(time.monotonic() - begun, 2), reason=reason)


def _open(address: str) -> None:
    if not address.lower().startswith(("http://", "https://")):
        raise ValueError(address)
    request = urllib.request.Request(address, method="HEAD")  # noqa: S310 - its scheme has been looked at
    # Proxies and certificates are those of the environment.
    with urllib.request.urlopen(request, timeout=_PATIENCE):  # noqa: S310 - likewise
        return
