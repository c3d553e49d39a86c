"""Opens the engine that a model's name asks for: on this computer, or on a server."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from qwen_tui.config import FIELDS, Config
from qwen_tui.engine import examining
from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import Engine
from qwen_tui.errors import ServerError
from qwen_tui.planning import access
from qwen_tui.planning.access import Access
from qwen_tui.planning.planner import Watcher, planner_of
from qwen_tui.planning.tuned import Purpose
from qwen_tui.servers import OnServer, on_server

if TYPE_CHECKING:
    from qwen_tui.engine.remote.engine import RemoteEngine

# For the list of a server's models, in seconds, while the person waits for the Tab key.
_FOR_NAMES = 2.0


def engine_of(settings: Config, watcher: Watcher, entry: Access, purpose: Purpose = "chat") -> Engine:
    """Return the engine for the model in `settings`, not yet started: nothing is sent and nothing is loaded.

    Raises `ModelNotFoundError`, `InvalidModelError`, and `ServerError` for a server that may not be asked.
    """
    if found := on_server(settings.model, settings.servers):
        return remote_engine(settings, found, entry)
    return planner_of(settings, watcher).engine(purpose)


def remote_engine(settings: Config, found: OnServer, entry: Access) -> "RemoteEngine":
    """Return the engine for a model on a server; raises `ServerError` if it may not be asked."""
    # Imported only here, because the import takes time, and most models are on this computer.
    from qwen_tui.engine.remote.engine import RemoteEngine

    endpoint = access.endpoint(found.server, settings.servers[found.server], entry)
    # The usual context is meant for this computer. Whoever names another wants no larger one anywhere.
    is_own = settings.ctx_size != FIELDS["ctx_size"].default
    most = settings.ctx_size if is_own else None
    return RemoteEngine(endpoint, found.model, ctx_size=settings.ctx_size, most=most)


def opener(settings: Config, watcher: Watcher, in_use: Engine, entry: Access) -> Callable[[str], Engine]:
    """Return a function that builds an engine with another model, by its name, in all else as `settings` say.

    The new engine replaces the one `in_use`, or the last one that the function has built. So the memory of a card that
    the old engine holds counts as free.
    """
    engines = [in_use]

    def build(model: str) -> Engine:
        other = msgspec.structs.replace(settings, model=model)
        built: Engine
        if found := on_server(model, settings.servers):
            built = remote_engine(other, found, entry)
        else:
            held = sum(each.held for each in engines if isinstance(each, LocalEngine))
            planner = planner_of(other, watcher, freeing=held)
            # What cannot answer is refused before the old engine is given up for it.
            if problem := examining.problem(planner.path):
                raise problem
            built = planner.engine()
        engines[:] = [built]
        return built

    return build


def names_on(server: str, settings: Config, entry: Access) -> list[str]:
    """Return `NAME/MODEL` for each model that a server names, none if it does not answer soon or may not be asked."""
    from qwen_tui.engine.remote.abilities import models

    try:
        endpoint = access.endpoint(server, settings.servers[server], entry)
        return [str(OnServer(server, model)) for model in models(endpoint, seconds=_FOR_NAMES).models]
    except ServerError:
        return []
