"""An answer as its asker has it: what is needed to go on with it in another worker."""

import time

import msgspec

from qwen_tui.engine.protocol import Request
from qwen_tui.messages import Finished, Prefill, Text, Timings, Usage


class Answer:
    """A request, and the tokens that have come for it.

    The tokens themselves, not only their text: the tokenizer might cut the text otherwise than the model wrote it, and
    a grammar or a penalty would then stand elsewhere.
    """

    def __init__(self, request: Request, asked: float) -> None:
        """`asked` is when the person began to wait, by `time.perf_counter`."""
        self._request = request
        self._tokens: list[int] = []
        # When the first piece came, and the same where that was before the worker that answers now.
        self._first_s: float | None = None
        self._came_s: float | None = None
        self._prompt_tokens = 0
        self.asked = asked

    def prefill(self, progress: Prefill) -> None:
        """Take how long the prompt is; what is read again with the answer behind it is longer."""
        if not self._tokens:
            self._prompt_tokens = progress.total

    def add(self, text: Text) -> None:
        """Take what came."""
        self._tokens += text.tokens
        if self._first_s is None:
            self._first_s = time.perf_counter() - self.asked

    def remaining(self) -> Request:
        """Return the request for the rest of the answer."""
        self._came_s = self._first_s
        return msgspec.structs.replace(self._request, begun=(*self._request.begun, *self._tokens))

    def bill(self, finished: Finished, load_s: float, waited: float) -> Finished:
        """Add to the worker's timings what the loading took, and what was `waited` before the worker was asked."""
        first_s = finished.timings.ttft_s + waited if self._came_s is None else self._came_s
        timings = msgspec.structs.replace(finished.timings, load_s=load_s, ttft_s=first_s)
        return msgspec.structs.replace(finished, timings=timings)

    def interrupted(self) -> Finished:
        """Return the end of an answer that nobody finishes."""
        usage = Usage(prompt_tokens=self._prompt_tokens, completion_tokens=len(self._tokens))
        return Finished(usage, Timings(ttft_s=self._first_s or 0.0), "interrupted")
