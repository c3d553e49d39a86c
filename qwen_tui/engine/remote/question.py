"""A question as the body of a request: what each kind of server knows of sampling, schemas and progress."""

import json
import re
from collections.abc import Collection
from typing import Any

from qwen_tui.engine.protocol import Request, SamplingOptions
from qwen_tui.engine.remote.abilities import Kind

# These kinds sample with top_k and min_p as well; others refuse or ignore what OpenAI's interface does not have.
_SAMPLES_MORE: Collection[Kind] = ("llama.cpp", "llama-cpp-python", "vLLM", "SGLang", "LM Studio")
# What a server may be asked without, one after the other, if it refuses a question because of it.
OPTIONAL = (
    "stream_options",
    "return_progress",
    "top_k",
    "min_p",
    "presence_penalty",
    "seed",
    "top_p",
    "temperature",
    "max_tokens",
)
_REFUSES = re.compile(
    r"unsupported|not supported|not support|unrecogni[sz]ed|unknown|unexpected|extra|not permitted|not allowed"
    r"|invalid|does not",
    re.IGNORECASE,
)


def body(request: Request, kind: Kind, model: str, without: Collection[str] = ()) -> dict[str, Any]:
    """Return the JSON of a request for an answer, without the fields that the server has refused."""
    sampler = request.sampler
    assert isinstance(sampler, SamplingOptions), "only a worker of our own can replay a text"
    fields: dict[str, Any] = {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": sampler.temperature,
        "top_p": sampler.top_p,
    }
    if sampler.presence_penalty:
        fields["presence_penalty"] = sampler.presence_penalty
    if sampler.seed is not None:
        fields["seed"] = sampler.seed
    if request.max_tokens is not None:
        fields["max_tokens"] = request.max_tokens
    if kind in _SAMPLES_MORE:
        # Where there is no limit, SGLang wants -1, and the Python binding refuses that.
        no_limit = -1 if kind == "SGLang" else 0
        fields |= {"top_k": sampler.top_k or no_limit, "min_p": sampler.min_p}
    if kind == "llama.cpp":
        fields["return_progress"] = True
    if request.schema is not None:
        fields["response_format"] = _response_format(request.schema, kind)
    for name in without:
        value = fields.pop(name, None)
        if name == "max_tokens" and value is not None:
            # OpenAI has renamed it for its newer models.
            fields["max_completion_tokens"] = value
    return fields


def _response_format(schema: str, kind: Kind) -> dict[str, Any]:
    decoded = json.loads(schema)
    if kind == "llama-cpp-python":
        return {"type": "json_object", "schema": decoded}
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": decoded, "strict": True}}


def refused_field(said: str, sent: Collection[str]) -> str | None:
    """Return the optional field among those `sent` that an error speaks of, None if it does not refuse one."""
    if not _REFUSES.search(said):
        return None
    return next((name for name in OPTIONAL if name in sent and re.search(rf"\b{name}\b", said)), None)


def left_out(request: Request, kind: Kind) -> list[str]:
    """Return the options of the person that this kind of server does not know, so that they are not sent."""
    sampler = request.sampler
    if kind in _SAMPLES_MORE or not isinstance(sampler, SamplingOptions) or sampler.temperature == 0:
        return []
    usual = SamplingOptions()
    return [name for name in ("top_k", "min_p") if getattr(sampler, name) != getattr(usual, name)]
