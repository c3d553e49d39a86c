"""What a server is and can: its kind, its models, its context, how many questions at once; asked before the first one.

- llama.cpp tells its context and slots in `/props`, and reports how far it has read the prompt.
- vLLM and SGLang name `max_model_len` beside each model, ollama has `/api/ps` and `/api/show`, LM Studio
  `/api/v0/models`.
- A server of another kind is asked nothing but `/models`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

from qwen_tui.engine.remote.asking import asked
from qwen_tui.engine.remote.endpoint import Endpoint
from qwen_tui.errors import EngineError, ServerError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed
from qwen_tui.quoting import command_line

Kind = Literal["llama.cpp", "llama-cpp-python", "vLLM", "SGLang", "ollama", "LM Studio", "other"]

# By what servers write as the owner of their models.
_OWNERS: Mapping[str, Kind] = {
    "llamacpp": "llama.cpp",
    "me": "llama-cpp-python",
    "vllm": "vLLM",
    "sglang": "SGLang",
    "library": "ollama",
    "organization_owner": "LM Studio",
}
# How other servers and gateways name the context of a model in their list.
_CONTEXT = ("max_model_len", "context_length", "context_window", "max_context_length")
# ollama gives a model at least so much where nothing else is set, and cuts longer prompts without a word.
_OLLAMAS = 4096
_LONGEST_NAME = 200
_MOST_NAMED = 6
_ABSENT = (400, 404, 405, 501)


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a server has told; `context` and `slots` are None where it does not say.

    `slots` is how many questions it computes at the same time.
    """

    kind: Kind = "other"
    models: Sequence[str] = ()
    context: int | None = None
    slots: int | None = None
    entries: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)


def models(endpoint: Endpoint, named: str = "", *, seconds: float = 15.0) -> Abilities:
    """Return the kind and the models of a server, from `/models`; raises `ServerError`.

    A gateway may lack that call. For a model that is `named`, or that the settings name, this matters nothing.
    """
    try:
        told = asked(endpoint, f"{endpoint.server.base}/models", seconds=seconds)
    except ServerError as error:
        if error.status in _ABSENT and (named or endpoint.server.model):
            return Abilities()
        raise
    data = told.get("data") if isinstance(told, dict) else told
    if not isinstance(data, list):
        # Without a list, this is some other service at the address.
        raise ServerError(
            _("{server}: what it answers is not OpenAI's interface.").format(server=endpoint),
            _("Check the address {url}; mostly it ends in /v1: {command}").format(
                url=endpoint.server.url, command=command_line("qwen", "servers", "add", endpoint.name, "URL")
            ),
        )
    entries = {entry["id"]: entry for entry in data if isinstance(entry, dict) and _is_model(entry.get("id"))}
    owners = [entry.get("owned_by") for entry in entries.values()]
    kind: Kind = next((_OWNERS[owner] for owner in owners if isinstance(owner, str) and owner in _OWNERS), "other")
    return Abilities(kind, tuple(entries), entries=entries)


def _is_model(name: object) -> bool:
    """Whether a server's name for a model can be shown and typed."""
    return isinstance(name, str) and name.isprintable() and 0 < len(name) <= _LONGEST_NAME


def chosen(endpoint: Endpoint, found: Abilities, named: str) -> str:
    """Return the model to ask: the one `named`, that of the settings, or the only one of the server.

    Raises `EngineError` if there are several.
    """
    if model := named or endpoint.server.model:
        return model
    if len(found.models) == 1:
        return found.models[0]
    if not found.models:
        raise EngineError(
            _("{server}: it names no model.").format(server=endpoint),
            _("Name one: -m {name}/MODEL").format(name=endpoint.name),
        )
    several = [*found.models[:_MOST_NAMED], *(["…"] if len(found.models) > _MOST_NAMED else [])]
    raise EngineError(
        _("{server} has several models: {names}").format(server=endpoint, names=listed(several)),
        _("Name one: {example}. To have one meant from now on: {command}").format(
            example=command_line("-m", f"{endpoint.name}/{found.models[0]}"),
            command=command_line("qwen", "servers", "add", endpoint.name, endpoint.server.url, "--model", "MODEL"),
        ),
    )


def with_context(endpoint: Endpoint, found: Abilities, model: str) -> Abilities:
    """Return what the server says of its context for `model`, too; a server that does not say so raises nothing."""
    context, slots = _from_list(found, model), found.slots
    server = endpoint.server
    if found.kind == "llama.cpp":
        # A server with several models has the properties of each.
        props = _quietly(endpoint, f"{server.root}/props?model={quote(model, safe='')}")
        context, slots = _number(_at(props, "default_generation_settings", "n_ctx")), _number(_at(props, "total_slots"))
    elif found.kind == "llama-cpp-python":
        # It computes one question after the other, and stops the one that it answers when another comes.
        slots = 1
    elif found.kind == "ollama":
        context = _ollamas(endpoint, model)
    elif found.kind == "LM Studio":
        loaded = _quietly(endpoint, f"{server.root}/api/v0/models/{quote(model, safe='')}")
        context = _number(_at(loaded, "loaded_context_length")) or _number(_at(loaded, "max_context_length"))
    return Abilities(found.kind, found.models, context, slots, found.entries)


def _from_list(found: Abilities, model: str) -> int | None:
    entry = found.entries.get(model, {})
    return next((number for name in _CONTEXT if (number := _number(entry.get(name)))), None)


def _ollamas(endpoint: Endpoint, model: str) -> int:
    """Return the context that ollama gives `model`: as it is loaded now, as it is set, or the least that it may be."""
    running = _at(_quietly(endpoint, f"{endpoint.server.root}/api/ps"), "models")
    for one in running if isinstance(running, list) else ():
        names = (_at(one, "name"), _at(one, "model"))
        if (model in names or f"{model}:latest" in names) and (number := _number(_at(one, "context_length"))):
            return number
    about = _quietly(endpoint, f"{endpoint.server.root}/api/show", {"model": model})
    lines = str(_at(about, "parameters") or "").splitlines()
    named = [line.split() for line in lines]
    for words in named:
        if len(words) == 2 and words[0] == "num_ctx" and words[1].isdecimal():
            return int(words[1])
    info = _at(about, "model_info")
    about_it = info.items() if isinstance(info, dict) else ()
    trained = [_number(value) for name, value in about_it if name.endswith(".context_length")]
    return min([_OLLAMAS, *(number for number in trained if number)])


def _quietly(endpoint: Endpoint, url: str, body: object = None) -> Any:
    """Return what the server answers, None if it does not: what it does not tell is set, or a default."""
    try:
        return asked(endpoint, url, body)
    except EngineError:
        return None


def _at(told: Any, *names: str) -> Any:
    for name in names:
        told = told.get(name) if isinstance(told, dict) else None
    return told


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 31 else None
