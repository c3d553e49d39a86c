"""One answer of a server: the events that come of its stream, and the figures at its end."""

import time
from collections.abc import Generator, Iterator
from typing import Any

from qwen_tui import cancellation
from qwen_tui.engine.protocol import Request
from qwen_tui.engine.remote import chunks, refusals
from qwen_tui.engine.remote.abilities import Kind
from qwen_tui.engine.remote.asking import LOOK_EVERY, Waits, pieces
from qwen_tui.engine.remote.chunks import Chunk, Counts, Joiner, Speeds
from qwen_tui.engine.remote.endpoint import CONNECT, Endpoint
from qwen_tui.engine.remote.event_stream import EventStream, TooLargeError
from qwen_tui.errors import CancelledError, QwenError
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Event, Finished, FinishReason, Limit, Loss, Note, Reasoning, Text, Timings, Usage, Waiting
from qwen_tui.network.call import Call
from qwen_tui.network.request import RequestError, ResponseHead

_OK = 200
_DONE = b"[DONE]"
# An error's text is read for so many seconds.
_ERROR_SECONDS = 5.0
_MOST_OF_ERROR = 64 << 10


class RemoteAnswer:
    """Asks once, and passes on what comes. After an error, `has_begun` says whether any of the answer has come."""

    def __init__(self, endpoint: Endpoint, model: str, kind: Kind = "other") -> None:
        self._endpoint = endpoint
        self._model = model
        self._kind = kind
        self._text, self._thought = Joiner(), Joiner()
        self._counts = Counts()
        self._speeds: Speeds | None = None
        self._reason = ""
        self._is_done = self._tells_progress = False
        self._pieces = 0
        self._asked = time.perf_counter()
        self._first = self._last = 0.0

    @property
    def has_begun(self) -> bool:
        """Whether any of the answer or of the reasoning has come."""
        return self._pieces > 0

    def events(self, request: Request, fields: dict[str, Any]) -> Iterator[Event]:
        """Send `fields`, the JSON for `request`, and yield what comes, at last `Finished`, also after a cancellation.

        Raises `ServerError`, `PromptTooLongError`. Closing the iterator closes the connection at once.
        """
        url = f"{self._endpoint.server.base}/chat/completions"
        call = self._endpoint.call(url, fields, accept="text/event-stream")
        try:
            head = yield from self._head(call)
            if head.status != _OK:
                raise self._refusal(call, head)
            yield from self._body(call, head)
        except CancelledError:
            yield self._finished("interrupted", request)
            return
        except RequestError as error:
            if not call.is_connected:
                raise refusals.unreachable(self._endpoint, error) from None
            raise refusals.broke_off(self._endpoint, error.reason, said=self.has_begun) from None
        finally:
            # This cuts the connection, so a server that still computes sees that nobody waits any more.
            call.close()
        yield from self._rest()
        if self._reason == "content_filter":
            sentence = _("{server} held back the rest: its filter of contents.")
            yield Note(Loss(sentence.format(server=self._endpoint.name)))
        reason: FinishReason = "length" if self._reason in ("length", "max_tokens") else "stop"
        yield self._finished(reason, request)

    def _head(self, call: Call) -> Generator[Waiting, None, ResponseHead]:
        """Yield `Waiting` until the head of the response is here, and return it."""
        waits = Waits()
        while (head := call.head(LOOK_EVERY)) is None:
            seconds = waits.look()
            if seconds > (self._endpoint.server.patience if call.is_connected else CONNECT):
                raise refusals.silent(self._endpoint, connected=call.is_connected)
            yield Waiting(self._endpoint.server.host, seconds)
        return head

    def _refusal(self, call: Call, head: ResponseHead) -> QwenError:
        content = b""
        try:
            content = b"".join(pieces(call, Waits(), _ERROR_SECONDS, _MOST_OF_ERROR))
        except (RequestError, TimeoutError):
            # The status says enough.
            return refusals.refused(self._endpoint, head, content, self._model)
        return refusals.refused(self._endpoint, head, content, self._model)

    def _body(self, call: Call, head: ResponseHead) -> Iterator[Event]:
        """Yield the events of the response, whether the server streams it or answers at once."""
        if "json" in head.headers.get("content-type", ""):
            yield from self._whole(call, head)
            return
        stream, begun = EventStream(), b""
        has_event = False
        try:
            for piece in self._arriving(call):
                if isinstance(piece, Waiting):
                    yield piece
                    continue
                begun = begun or piece[:1024]
                for data in stream.feed(piece):
                    has_event = True
                    yield from self._event(data)
                    if self._is_done:
                        return
            for data in stream.end():
                has_event = True
                yield from self._event(data)
        except (TooLargeError, chunks.NotUnderstoodError):
            reason = _("what it sends is not understood")
            raise refusals.broke_off(self._endpoint, reason, said=self.has_begun) from None
        if not begun.strip():
            raise refusals.empty(self._endpoint)
        if not has_event:
            raise refusals.not_understood(self._endpoint, head, begun)
        if not self._reason:
            reason = _("the connection broke in the middle of the answer")
            raise refusals.broke_off(self._endpoint, reason, said=self.has_begun)

    def _arriving(self, call: Call) -> Iterator[bytes | Waiting]:
        """Yield the bytes, and while none come `Waiting`; raises `ServerError` when that lasts too long."""
        waits, server = Waits(), self._endpoint.server
        while (piece := call.take(LOOK_EVERY)) != b"":
            if piece is not None:
                waits.restart()
                yield piece
                continue
            # Until the first token comes, the server may be reading the prompt, or working for others.
            longest = server.silence if self.has_begun else server.patience
            if (seconds := waits.look()) > longest:
                if self.has_begun:
                    raise refusals.fell_silent(self._endpoint, said=True)
                raise refusals.silent(self._endpoint, connected=True)
            if not self.has_begun and not self._tells_progress:
                yield Waiting(server.host, seconds)

    def _whole(self, call: Call, head: ResponseHead) -> Iterator[Event]:
        """Yield the events of an answer that is not streamed."""
        content = b""
        for piece in self._arriving(call):
            if isinstance(piece, Waiting):
                yield piece
            else:
                content += piece
        try:
            yield from self._event(content)
        except chunks.NotUnderstoodError:
            raise refusals.not_understood(self._endpoint, head, content) from None

    def _event(self, data: bytes) -> Iterator[Event]:
        """Yield what one chunk brings; raises `NotUnderstoodError`, and what the server reports as its failure."""
        cancellation.check()
        if data.strip() == _DONE:
            if not self._reason and self._kind == "llama-cpp-python":
                # So it ends an answer when anybody asks it something else.
                reason = _("it stopped this answer for another question (unless started with {option})")
                reason = reason.format(option="--interrupt_requests false")
                raise refusals.broke_off(self._endpoint, reason, said=self.has_begun)
            self._is_done, self._reason = True, self._reason or "stop"
            return
        chunk = chunks.read(data)
        if chunk.error is not None:
            said = refusals.told(self._endpoint, chunk.error)
            raise refusals.failed(self._endpoint, said, said_some=self.has_begun)
        if chunk.progress:
            self._tells_progress = True
            yield chunk.progress
        self._note(chunk)
        if chunk.reasoning:
            self._arrived()
            yield from self._thoughts(self._thought.feed(chunk.reasoning))
        if chunk.text:
            self._arrived()
            yield from self._said(self._text.feed(chunk.text))

    def _note(self, chunk: Chunk) -> None:
        self._reason = chunk.reason or self._reason
        self._speeds = chunk.speeds or self._speeds
        if any(count is not None for count in chunk.counts):
            self._counts = chunk.counts

    def _arrived(self) -> None:
        self._last = time.perf_counter()
        self._first = self._first or self._last
        self._pieces += 1

    def _rest(self) -> Iterator[Event]:
        """Yield what was held back because its second half might have come."""
        yield from self._thoughts(self._thought.feed("", last=True))
        yield from self._said(self._text.feed("", last=True))

    def _thoughts(self, text: str) -> Iterator[Reasoning]:
        if text:
            yield Reasoning(text)

    def _said(self, text: str) -> Iterator[Text]:
        if text:
            yield Text(text)

    def _finished(self, reason: FinishReason, request: Request) -> Finished:
        """Return the end with its figures: the server's own where it gives them, else what was seen from here."""
        counts, speeds = self._counts, self._speeds
        # Nearly all servers send one token a piece.
        completion = self._pieces if counts.completion is None else counts.completion
        prompt = counts.prompt or 0
        cached = counts.cached if counts.cached is not None else speeds.cached if speeds else 0
        first = self._first - self._asked if self._first else 0.0
        decode = max(0.0, self._last - self._first)
        usage = Usage(
            prompt_tokens=prompt,
            cached_tokens=min(cached, prompt),
            completion_tokens=completion,
            drafted_tokens=speeds.drafted if speeds else 0,
            accepted_tokens=speeds.accepted if speeds else 0,
        )
        measured = Speeds(
            first,
            (prompt - cached) / first if first and prompt > cached else 0.0,
            decode,
            (completion - 1) / decode if decode and completion > 1 else 0.0,
        )
        told = speeds or measured
        timings = Timings(
            prefill_s=told.prefill_s,
            decode_s=told.decode_s,
            ttft_s=first,
            prefill_tps=told.prefill_tps,
            decode_tps=told.decode_tps,
        )
        # Beside the person's own limit there are only the server's: its context, or what it allows one answer.
        limit: Limit = "server" if request.max_tokens is None else "max_tokens"
        return Finished(usage, timings, reason, limit=limit if reason == "length" else None)
