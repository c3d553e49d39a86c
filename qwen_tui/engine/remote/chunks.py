"""One chunk of an answer: the JSON of an event, read with care, because every server writes it a little differently."""

import json
from typing import Any, NamedTuple

from qwen_tui.messages import Prefill

# Servers name the reasoning of a model in one of these ways: DeepSeek, llama.cpp, SGLang; ollama, OpenRouter, vLLM.
_REASONING = ("reasoning_content", "reasoning")
# The largest number of tokens, or of milliseconds, that is believed.
_MOST = 1 << 40


class Counts(NamedTuple):
    """The tokens that a server has counted; None where it has not."""

    prompt: int | None = None
    cached: int | None = None
    completion: int | None = None


class Speeds(NamedTuple):
    """What llama.cpp's server measures: seconds and tokens per second, and the tokens that it drafted and accepted."""

    prefill_s: float
    prefill_tps: float
    decode_s: float
    decode_tps: float
    cached: int = 0
    drafted: int = 0
    accepted: int = 0


class Chunk(NamedTuple):
    """What one event brings; a chunk may hold several of these."""

    text: str = ""
    reasoning: str = ""
    reason: str = ""
    counts: Counts = Counts()
    speeds: Speeds | None = None
    progress: Prefill | None = None
    # What the server says about a failure in the middle of the answer, as it came.
    error: Any = None


class NotUnderstoodError(Exception):
    """Data that is no chunk of an answer."""


def read(data: bytes) -> Chunk:
    """Return what the data of an event says; raises `NotUnderstoodError`."""
    try:
        told = json.loads(data)
    # RecursionError: nested too deeply. ValueError: no JSON, no UTF-8, or a number of too many digits.
    except (ValueError, RecursionError) as error:
        raise NotUnderstoodError from error
    if not isinstance(told, dict):
        raise NotUnderstoodError
    if told.get("error"):
        return Chunk(error=told)
    choice = _choice(told.get("choices"))
    # A server that was asked for a stream may answer with a whole message all the same.
    delta = choice.get("delta") or choice.get("message") or {}
    if not isinstance(delta, dict):
        raise NotUnderstoodError
    reason = choice.get("finish_reason")
    return Chunk(
        text=_text(delta.get("content")) or _text(delta.get("refusal")),
        reasoning=next((text for name in _REASONING if (text := _text(delta.get(name)))), ""),
        reason=reason if isinstance(reason, str) else "",
        counts=_counts(told.get("usage")),
        speeds=_speeds(told.get("timings")),
        progress=_progress(told.get("prompt_progress")),
    )


def _choice(choices: object) -> dict[str, Any]:
    """Return the first choice; the chunk with the usage has none."""
    if choices is None or choices == []:
        return {}
    if not isinstance(choices, list) or not isinstance(choices[0], dict):
        raise NotUnderstoodError
    return choices[0]


def _text(content: object) -> str:
    """Return the text of a message: a string, or parts as some servers send them."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        return "".join(part["text"] for part in content if isinstance(part.get("text"), str))
    raise NotUnderstoodError


def _counts(usage: object) -> Counts:
    if not isinstance(usage, dict):
        return Counts()
    details = usage.get("prompt_tokens_details")
    cached = _number(details.get("cached_tokens")) if isinstance(details, dict) else None
    return Counts(_number(usage.get("prompt_tokens")), cached, _number(usage.get("completion_tokens")))


def _speeds(timings: object) -> Speeds | None:
    """Return llama.cpp's timings, None unless the essential ones are there."""
    if not isinstance(timings, dict):
        return None
    names = ("prompt_ms", "prompt_per_second", "predicted_ms", "predicted_per_second")
    measured = [timings.get(name) for name in names]
    if not all(isinstance(value, int | float) and 0 <= value < _MOST for value in measured):
        return None
    prompt_ms, prompt_tps, decode_ms, decode_tps = (float(value or 0) for value in measured)
    cached, drafted, accepted = (_number(timings.get(name)) or 0 for name in ("cache_n", "draft_n", "draft_n_accepted"))
    return Speeds(prompt_ms / 1000, prompt_tps, decode_ms / 1000, decode_tps, cached, drafted, accepted)


def _progress(progress: object) -> Prefill | None:
    """Return how far llama.cpp's server has read the prompt."""
    if not isinstance(progress, dict):
        return None
    total, done, cached = (_number(progress.get(name)) for name in ("total", "processed", "cache"))
    if total is None or done is None:
        return None
    return Prefill(min(done, total), total, min(cached or 0, done, total))


def _number(value: object) -> int | None:
    """Return a number of tokens, None for what is none; true and false are none either."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST else None


class Joiner:
    """Makes text of the strings in JSON: a character beyond U+FFFF may come as two halves, even in two chunks."""

    def __init__(self) -> None:
        self._half = ""

    def feed(self, text: str, *, last: bool = False) -> str:
        """Return `text` with its halves joined; a half without the other becomes U+FFFD."""
        text, self._half = self._half + text, ""
        if text and "\ud800" <= text[-1] <= "\udbff" and not last:
            text, self._half = text[:-1], text[-1]
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
