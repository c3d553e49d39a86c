"""An engine on a server: asks it what it can, then one question after the other, or several at a time."""

import threading
import time
from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple

import msgspec

from qwen_tui import cancellation
from qwen_tui.engine.protocol import EngineInfo, Request
from qwen_tui.engine.remote import question, refusals
from qwen_tui.engine.remote.abilities import Abilities, chosen, models, with_context
from qwen_tui.engine.remote.answer import RemoteAnswer
from qwen_tui.engine.remote.asking import LOOK_EVERY
from qwen_tui.engine.remote.counting import Counter
from qwen_tui.engine.remote.endpoint import Endpoint
from qwen_tui.engine.remote.in_flight import InFlight, Stay
from qwen_tui.engine.remote.out_of_reach import OutOfReach
from qwen_tui.engine.remote.resending import NOT_READY, Resending
from qwen_tui.errors import CancelledError, PromptTooLongError, QwenError, ServerError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed
from qwen_tui.messages import Event, Finished, Loading, Message, Note, Timings, Usage, Waiting

# So many questions at a time where neither the settings nor the server say more.
_PARALLEL = 4
# A server may count itself able to do far more at once than helps.
_MOST_PARALLEL = 64
# How often a server is asked that is still loading its model, in seconds.
_ASK_AGAIN = 0.5


class _Known(NamedTuple):
    """What is known of a server and the model on it; `is_told` says that its context is not only assumed."""

    abilities: Abilities
    model: str
    ctx_size: int
    is_told: bool
    counter: Counter


class RemoteEngine(OutOfReach):
    """An `Engine` that a server computes.

    Nothing is sent before `start`. A question is sent once. If the server refuses it before any of the answer has come,
    and it may be asked again or in another way, a `Note` says that it is sent again.
    """

    def __init__(self, endpoint: Endpoint, model: str = "", *, ctx_size: int = 8192, most: int | None = None) -> None:
        """`model` is the one to ask, "" for the usual one of the server.

        `ctx_size` is the context where neither the settings of the server nor the server itself name one; `most` is
        the largest that the person wants.
        """
        self._endpoint = endpoint
        self._named = model
        self._ctx_size, self._most = ctx_size, most
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._failure: QwenError | None = None
        self._known: _Known | None = None
        # Whether the person knows which options this server does not know.
        self._told_left_out = False
        self._in_flight = InFlight()
        self._resending = Resending(endpoint, self._in_flight)
        # The seconds per token of the last prefill, and per token that was written.
        self._token_s = self._written_s = 0.0
        self._is_closed = False

    @property
    def parallel(self) -> int:
        """How many questions the server takes at a time: as set, as it tells, or four; fewer if it refused so many."""
        slots = self._known.abilities.slots if self._known else None
        n = self._endpoint.server.parallel or min(slots or _PARALLEL, _MOST_PARALLEL)
        return min(n, self._in_flight.most or n)

    @property
    def host(self) -> str:
        """The host of the server, "" if that is this computer."""
        return "" if self._endpoint.server.is_here else self._endpoint.server.host

    @property
    def context_is_told(self) -> bool:
        """Whether the context is set or told, and not only assumed."""
        return self._known is not None and self._known.is_told

    def start(self) -> None:
        """Begin to ask the server what it can, and return at once."""
        with self._lock:
            if self._known is None and self._failure is None and not (self._asking and self._asking.is_alive()):
                self._asking = threading.Thread(target=self._ask, daemon=True)
                self._asking.start()

    def load(self) -> Generator[Loading | Waiting | Note, None, bool]:
        """Yield progress until the server has told what it can, and return True; False after a cancellation."""
        self.start()
        asking, begun = self._asking, time.monotonic()
        while asking is not None and asking.is_alive():
            if cancellation.current().requested:
                return False
            asking.join(LOOK_EVERY)
            yield Waiting(self._endpoint.server.host, time.monotonic() - begun)
        with self._lock:
            failure, self._failure = self._failure, None
        if failure is not None:
            # The next time, the server is asked again: it may run by then.
            raise failure
        return True

    def info(self) -> EngineInfo:
        """Describe the model on the server; wait until the server has answered first."""
        known = self._wait()
        return EngineInfo(
            model=known.model,
            device=self._endpoint.server.host,
            ctx_size=known.ctx_size,
            threads=0,
            gpu_layers=0,
            estimates=known.counter.estimates,
        )

    def count(self, messages: Sequence[Message]) -> int:
        """Return the number of prompt tokens, an estimate if `info` says so."""
        return self._wait().counter.count(messages)

    def estimate(self, tokens: int, cached: int = 0, written: int = 0) -> float | None:
        """Return about how long the server takes to read a prompt and to write so much, by its last answer."""
        if not self._token_s or (written and not self._written_s):
            return None
        return max(0, tokens - cached) * self._token_s + written * self._written_s

    def stream(self, request: Request) -> Iterator[Event]:
        """Answer `request`; see `Engine.stream`."""
        if not (yield from self.load()):
            yield Finished(Usage(), Timings(), "interrupted")
            return
        known = self._wait()
        self._refuse_too_long(known, request)
        if note := self._left_out(known, request):
            yield Note(note)
        tries = 0
        while stay := (yield from self._turn()):
            fields = question.body(request, known.abilities.kind, known.model, self._resending.without)
            answer = RemoteAnswer(self._endpoint, known.model, known.abilities.kind)
            others, refusal = 0, None
            try:
                for event in answer.events(request, fields):
                    if isinstance(event, Finished):
                        self._learn(known, request, event)
                        event = _billed(known, request, event)
                    yield event
            except QwenError as error:
                if answer.has_begun:
                    raise
                refusal = error
            finally:
                others = self._in_flight.leave(stay)
            if refusal is None:
                return
            again = self._resending.after(refusal, fields, tries=tries, others=others)
            tries += 1
            if again is None:
                raise refusal
            if again.note:
                yield Note(again.note)
            if not (yield from self._pause(again.seconds)):
                break
        yield Finished(Usage(), Timings(), "interrupted")

    def close(self) -> None:
        """Ask nothing more. A running stream ends when its iterator is closed."""
        self._is_closed = True

    def _ask(self) -> None:
        """Ask the server what it can; runs in a thread of its own."""
        try:
            while True:
                try:
                    self._known = self._learned()
                    return
                except ServerError as error:
                    # llama.cpp's server says so while it loads its model.
                    if self._is_closed or error.status != NOT_READY or "loading" not in error.message.lower():
                        raise
                    time.sleep(_ASK_AGAIN)
        except QwenError as error:
            self._failure = error

    def _learned(self) -> _Known:
        found = models(self._endpoint, self._named)
        model = chosen(self._endpoint, found, self._named)
        found = with_context(self._endpoint, found, model)
        context = self._endpoint.server.ctx_size or found.context
        ctx_size = context or self._ctx_size
        ctx_size = min(ctx_size, self._most) if self._most else ctx_size
        return _Known(found, model, ctx_size, context is not None, Counter(self._endpoint, found.kind, model))

    def _wait(self) -> _Known:
        """Return what is known of the server; ask it first. Raises what that raises, and `CancelledError`."""
        for _progress in () if self._known else self.load():
            pass
        if self._known is None:
            raise CancelledError
        return self._known

    def _refuse_too_long(self, known: _Known, request: Request) -> None:
        """Raise `PromptTooLongError` for a prompt that is known not to fit, before it is sent.

        An estimate refuses nothing but at ollama: that cuts what does not fit without a word.
        """
        if not known.is_told or (known.counter.estimates and known.abilities.kind != "ollama"):
            return
        tokens = known.counter.count(request.messages)
        if tokens < known.ctx_size:
            return
        said = (
            _("{server}: the question has about {n} tokens by estimate, and its context holds {size}.")
            if known.counter.estimates
            else _("{server}: the question has {n} tokens, and its context holds {size}.")
        )
        raise PromptTooLongError(
            said.format(server=self._endpoint, n=f"{tokens:,}", size=f"{known.ctx_size:,}"),
            refusals.how_to_fit(self._endpoint),
        )

    def _left_out(self, known: _Known, request: Request) -> str:
        """Return the sentence that names the options which this server does not know; "" if it was said before."""
        names = question.left_out(request, known.abilities.kind)
        if self._told_left_out or not names:
            return ""
        self._told_left_out = True
        return _("{server} is not known to take {names}: not sent.").format(
            server=self._endpoint.name, names=listed(names)
        )

    def _turn(self) -> Generator[Waiting, None, Stay | None]:
        """Wait until the server takes one more question; return None if that was cancelled."""
        begun = time.monotonic()
        while not (stay := self._in_flight.enter(LOOK_EVERY)):
            if cancellation.current().requested:
                return None
            yield Waiting(self._endpoint.server.host, time.monotonic() - begun)
        return stay

    def _pause(self, seconds: float) -> Generator[Waiting, None, bool]:
        """Wait; return False if that was cancelled."""
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < seconds:
            if cancellation.current().requested:
                return False
            time.sleep(min(LOOK_EVERY, seconds - passed))
            yield Waiting(self._endpoint.server.host, passed)
        return True

    def _learn(self, known: _Known, request: Request, finished: Finished) -> None:
        """Take the figures of an answer for the next estimates."""
        usage = finished.usage
        if known.counter.estimates:
            known.counter.learn(request.messages, usage.prompt_tokens)
        computed = usage.prompt_tokens - usage.cached_tokens
        if computed > 0 and finished.timings.prefill_s:
            self._token_s = finished.timings.prefill_s / computed
        if finished.timings.decode_tps:
            self._written_s = 1 / finished.timings.decode_tps


def _billed(known: _Known, request: Request, finished: Finished) -> Finished:
    """Return the end of an answer with the tokens of its prompt, which some servers do not bill."""
    if finished.usage.prompt_tokens or not finished.usage.completion_tokens:
        return finished
    # Counted before the question was sent, so that the server is not asked once more for it.
    tokens = known.counter.known(request.messages)
    estimated = tokens is None
    if tokens is None:
        tokens = known.counter.estimate(request.messages)
    usage = msgspec.structs.replace(finished.usage, prompt_tokens=tokens)
    return msgspec.structs.replace(finished, usage=usage, estimated=estimated)
