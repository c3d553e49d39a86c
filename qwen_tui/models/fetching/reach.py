"""Tests whether the servers of models can be reached, for `qwen doctor --network`."""

import os
import threading
import time
from collections.abc import Callable, Mapping

import msgspec

from qwen_tui import cancellation
from qwen_tui.models.address import MODELSCOPE
from qwen_tui.models.fetching.source import named_endpoint
from qwen_tui.network.request import RequestError, Timeouts

_TIMEOUTS = Timeouts(response=5.0, stall=5.0)


class Reachability(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a server responded, after how many seconds, and if not, why."""

    address: str
    reachable: bool
    seconds: float
    reason: str = ""
    # What helps against this very reason, such as a wrong proxy; empty if there is only general advice.
    remedy: str = ""


def addresses(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the servers to test: the hub, or the mirror that `HF_ENDPOINT` names, and ModelScope."""
    return tuple(dict.fromkeys((named_endpoint(environ), MODELSCOPE)))


def reach(addresses: tuple[str, ...], ask: Callable[[str], None] | None = None) -> tuple[Reachability, ...]:
    """Ask all servers at the same time, and return a result for each; takes a few seconds at most."""
    reached: dict[str, Reachability] = {}

    def look(address: str) -> None:
        reached[address] = _reach(address, ask or _ask)

    threads = [threading.Thread(target=look, args=(address,), daemon=True) for address in addresses]
    for thread in threads:
        thread.start()
    for thread in threads:
        cancellation.current().join(thread)
    return tuple(reached[address] for address in addresses)


def _reach(address: str, ask: Callable[[str], None]) -> Reachability:
    from qwen_tui.network.client import translated

    begun = time.monotonic()
    reason = remedy = ""
    try:
        # A look-up of a name has no time-out. If it takes too long, its thread goes on alone.
        cancellation.current().run(lambda: ask(address), _TIMEOUTS.response)
    except (RequestError, OSError) as error:
        told = translated(error, address)
        reason, remedy = told.reason, told.remedy
    seconds = round(time.monotonic() - begun, 2)
    return Reachability(address=address, reachable=not reason, seconds=seconds, reason=reason, remedy=remedy)


def _ask(address: str) -> None:
    """Send a request; any response shows that the server can be reached."""
    from qwen_tui.network.client import client, translated

    try:
        with client(_TIMEOUTS) as session:
            session.head(address)
    except Exception as error:
        raise translated(error, address) from None
