"""What a server says about itself when it is tested, and whether it answers."""

import time

import msgspec

from qwen_tui.engine.protocol import Request
from qwen_tui.engine.remote.abilities import models
from qwen_tui.engine.remote.engine import RemoteEngine
from qwen_tui.messages import Message, Reasoning, Text
from qwen_tui.planning import access
from qwen_tui.planning.access import Access
from qwen_tui.servers import Server


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What a server has told. Scripts rely on the names.

    Without a `model`, nobody has said which of the `models` is meant. `context_is_told` is false for a context that is
    only assumed, `estimates` true where the server counts no tokens. `first_s` is how long the first token of a short
    question took, None if it was not asked.
    """

    name: str
    host: str
    kind: str
    models: tuple[str, ...]
    model: str = ""
    ctx_size: int = 0
    context_is_told: bool = False
    estimates: bool = True
    parallel: int = 1
    first_s: float | None = None


def check(name: str, server: Server, entry: Access, *, ctx_size: int = 8192, asking: bool = True) -> Check:
    """Ask a server what it is and can and, with `asking`, for one token.

    Raises `ServerError`, and what else an answer can raise.
    """
    endpoint = access.endpoint(name, server, entry)
    found = models(endpoint)
    told = Check(name=name, host=server.host, kind=found.kind, models=tuple(found.models))
    if not server.model and len(found.models) != 1:
        return told
    engine = RemoteEngine(endpoint, ctx_size=ctx_size)
    info, known = engine.info(), engine.context_is_told
    told = msgspec.structs.replace(
        told,
        model=info.model,
        ctx_size=info.ctx_size,
        context_is_told=known,
        estimates=info.estimates,
        parallel=engine.parallel,
    )
    return msgspec.structs.replace(told, first_s=_first(engine)) if asking else told


def _first(engine: RemoteEngine) -> float | None:
    """Return how long the first token takes; raises `ServerError`, `CancelledError`."""
    begun = time.monotonic()
    request = Request(messages=(Message("user", "Hi"),), max_tokens=1)
    first: float | None = None
    for event in engine.stream(request):
        if first is None and isinstance(event, Text | Reasoning):
            first = time.monotonic() - begun
    return first
