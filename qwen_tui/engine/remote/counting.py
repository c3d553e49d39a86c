"""Counts the tokens of a prompt: by the server where it does that, else by an estimate that learns from its bills."""

import threading
from collections.abc import Sequence
from typing import Any

from qwen_tui.engine.remote.abilities import Kind
from qwen_tui.engine.remote.asking import asked
from qwen_tui.engine.remote.endpoint import Endpoint
from qwen_tui.errors import EngineError
from qwen_tui.messages import Message

# Tokens a character, a little on the safe side of what common tokenizers make of prose and code: of ASCII, and of
# the bytes of all else. A Chinese character has three bytes and is mostly one token or less.
_PER_ASCII, _PER_OTHER_BYTE = 0.3, 0.34
# A chat template adds about so many tokens to each message, and to open the answer.
_PER_MESSAGE, _PER_PROMPT = 4, 3
# A bill changes the estimate at most to these times of what the figures above say.
_LEAST, _MOST = 0.5, 3.0
# The next prompt mostly begins with messages that were counted before; so many counts are remembered.
_REMEMBERED = 64
# These kinds of servers count; all others are not asked.
_COUNTING: tuple[Kind, ...] = ("llama.cpp", "llama-cpp-python", "vLLM")


class Counter:
    """Counts for one model of a server; several threads may ask."""

    def __init__(self, endpoint: Endpoint, kind: Kind, model: str) -> None:
        self._endpoint = endpoint
        self._kind = kind
        self._model = model
        self._lock = threading.Lock()
        self._counted: dict[tuple[Message, ...], int] = {}
        self._factor = 1.0
        self.estimates = kind not in _COUNTING

    def known(self, messages: Sequence[Message]) -> int | None:
        """Return the number of prompt tokens if the server has counted them before, else None."""
        with self._lock:
            return self._counted.get(tuple(messages))

    def count(self, messages: Sequence[Message]) -> int:
        """Return the number of prompt tokens; where the server does not count them, `estimates` is true from then on.

        Raises `CancelledError`.
        """
        key = tuple(messages)
        if (counted := self.known(key)) is not None:
            return counted
        counted = None if self.estimates else self._by_server(key)
        if counted is None:
            self.estimates = True
            return self.estimate(messages)
        with self._lock:
            if len(self._counted) >= _REMEMBERED:
                self._counted.pop(next(iter(self._counted)))
            self._counted[key] = counted
        return counted

    def estimate(self, messages: Sequence[Message]) -> int:
        """Return about how many tokens a prompt has."""
        return round(_plain(messages) * self._factor) + _PER_MESSAGE * len(messages) + _PER_PROMPT

    def learn(self, messages: Sequence[Message], tokens: int) -> None:
        """Take note that the server has billed so many `tokens` for a prompt."""
        plain = _plain(messages)
        # A short prompt says more about the chat template than about its text.
        if tokens > 100 and plain > 0:
            self._factor = min(_MOST, max(_LEAST, tokens / plain))

    def _by_server(self, messages: Sequence[Message]) -> int | None:
        told = [{"role": message.role, "content": message.content} for message in messages]
        try:
            if self._kind == "vLLM":
                return _number(self._ask("tokenize", messages=told)["count"])
            if self._kind == "llama.cpp":
                prompt = self._ask("apply-template", messages=told)["prompt"]
                return len(self._ask("tokenize", content=prompt, add_special=True, parse_special=True)["tokens"])
            # The Python binding counts texts, and does not show its template: each message is taken as ChatML.
            text = "".join(f"<|im_start|>{one.role}\n{one.content}<|im_end|>\n" for one in messages)
            return _number(self._ask("extras/tokenize/count", input=f"{text}<|im_start|>assistant\n")["count"])
        except (EngineError, TypeError, LookupError):
            return None

    def _ask(self, call: str, **body: Any) -> Any:
        return asked(self._endpoint, f"{self._endpoint.server.root}/{call}", {"model": self._model, **body})


def _plain(messages: Sequence[Message]) -> float:
    tokens = 0.0
    for message in messages:
        ascii_only = len(message.content.encode("ascii", "ignore"))
        others = len(message.content.encode("utf-8", "replace")) - ascii_only
        tokens += _PER_ASCII * ascii_only + _PER_OTHER_BYTE * others
    return tokens


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
