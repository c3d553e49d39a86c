"""Whether the addresses that models come from can be reached; asked only where a person wants to know."""

import os
import threading
import time
from collections.abc import Callable, Mapping

import msgspec

from qwen_tui import cancellation
from qwen_tui.models.fetching.source import MODELSCOPE, named_endpoint
from qwen_tui.network.request import RequestError, Timeouts

_TIMEOUTS = Timeouts(response=5.0, stall=5.0)


class Reachability(msgspec.Struct, frozen=True, kw_only=True):
    """An address, whether it answered, in how many seconds, and if it did not, why and what helps."""

    address: str
    reachable: bool
    seconds: float
    reason: str = ""
    # What helps against that reason alone, such as a proxy's; empty where only the general advice does.
    remedy: str = ""


def addresses(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the addresses: the hub, or the mirror that `HF_ENDPOINT` names, and ModelScope."""
    return tuple(dict.fromkeys((named_endpoint(environ), MODELSCOPE)))


def reach(addresses: tuple[str, ...], ask: Callable[[str], None] | None = None) -> tuple[Reachability, ...]:
    """Ask all addresses at once and return what came of it; takes a few seconds at the most."""
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
        # A name look-up takes as long as it likes: it is left behind.
        cancellation.current().run(lambda: ask(address), _TIMEOUTS.response)
    except (RequestError, OSError) as error:
        told = translated(error, address)
        reason, remedy = told.reason, told.remedy
    seconds = round(time.monotonic() - begun, 2)
    return Reachability(address=address, reachable=not reason, seconds=seconds, reason=reason, remedy=remedy)


def _ask(address: str) -> None:
    """Ask for anything: whoever answers is there."""
    from qwen_tui.network.client import client, translated

    try:
        with client(_TIMEOUTS) as session:
            session.head(address)
    except Exception as error:
        raise translated(error, address) from None
