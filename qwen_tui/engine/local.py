"""The engine on this computer: llama.cpp in a worker process, whose death does not end the conversation."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

import msgspec

from qwen_tui import cancellation
from qwen_tui.engine import wire
from qwen_tui.engine.answer import PartialAnswer, Trial
from qwen_tui.engine.failures import WorkerFailure
from qwen_tui.engine.ladder import Ladder, Worked
from qwen_tui.engine.loading import Crashed, LoadedWorker, StartWorker
from qwen_tui.engine.process import WorkerProcess
from qwen_tui.engine.protocol import EngineInfo, LargerContext, LoadOptions, Request
from qwen_tui.engine.silence import HEARTBEAT
from qwen_tui.engine.speeds import Speeds
from qwen_tui.errors import CancelledError
from qwen_tui.hardware.plan import Plan
from qwen_tui.messages import Event, Finished, Loading, Message, Note, Prefill, Text

# How long a cancelled worker may take to stop by itself before the parent replaces it, in seconds.
_CANCEL_PATIENCE = 0.8
# A batch of so many tokens tells about how long reading takes, where no prompt can be begun.
_MANY = 16


class LocalEngine:
    """An `Engine` on llama.cpp.

    Where a worker fails, it loads the model again in the same way or in another, also in the middle of an answer. The
    table in `recovery` says when it does what.
    """

    def __init__(
        self,
        options: LoadOptions | Sequence[LoadOptions],
        log: Callable[[str], None] | None = None,
        worked: Worked | None = None,
        notes: Sequence[str] = (),
        start_worker: StartWorker = WorkerProcess,
        crashed: Crashed = lambda *_what: None,
        leaving: Path | None = None,
        speeds: Speeds | None = None,
        larger: Callable[[Plan, int], LargerContext] = lambda _plan, ctx_size: LargerContext(ctx_size),
        *,
        again: bool = True,
    ) -> None:
        """`options` are the ways to load the model, in the order in which to try them; `worked` knows which one worked.

        `log` is called with each line of llama.cpp's log, which is shown nowhere else. `notes` are shown to the person
        when the model is loaded. `start_worker` starts each worker. `crashed` is called with a way that never works on
        this processor. `leaving` is the folder with the notices of workers that still hold GPU memory. `speeds` are
        those of earlier sittings. `larger` says what it takes to let the context of a plan hold so many tokens. Without
        `again`, nothing is tried a second time, because a measurement has to know what fails.
        """
        ladder = Ladder([options] if isinstance(options, LoadOptions) else options, worked)
        self._worker = LoadedWorker(ladder, start_worker, log, notes, crashed, leaving, speeds, again=again)
        self._larger = larger
        self._number = 0
        # Whether the worker has computed a state that may be stored, and has not been asked another question.
        self._may_leave = False
        # What was computed of the next prompt to foretell the wait for it.
        self._tried: Trial | None = None
        # When the person began to wait for the next answer, by `time.perf_counter`.
        self._asked: float | None = None

    @property
    def parallel(self) -> int:
        """One stream at a time: the worker has one context."""
        return 1

    @property
    def host(self) -> str:
        """No other computer is asked."""
        return ""

    def start(self) -> None:
        """Start the worker and the loading, and return at once; a worker that died while idle is replaced."""
        self._worker.start()

    def load(self) -> Generator[Loading | Note, None, bool]:
        """Yield progress until the model is loaded; False if the wait was cancelled, while the loading goes on."""
        self._asked = time.perf_counter()
        return (yield from self._worker.load())

    def loading(self) -> float | None:
        """Return the loaded fraction of the model, from 0 to 1, without waiting; None where nothing is being loaded."""
        return self._worker.fraction()

    def info(self) -> EngineInfo:
        """Describe what is loaded; wait for the loading first."""
        return self._wait_loaded().info

    def larger(self, ctx_size: int) -> LargerContext:
        """Return what a context of `ctx_size` tokens would take; see `Engine.larger`."""
        if ctx_size <= self.info().ctx_size:
            return LargerContext(ctx_size)
        return self._larger(self._worker.plan, ctx_size)

    def resize(self, ctx_size: int) -> None:
        """Let the context hold `ctx_size` tokens; see `Engine.resize`."""
        self._wait_loaded()
        reply = self._ask(wire.Resize(ctx_size))
        assert isinstance(reply, wire.Loaded)
        self._worker.resized(reply)

    def count(self, messages: Sequence[Message]) -> int:
        """Return the number of prompt tokens of `messages`."""
        return self._counted(messages, cached=False).tokens

    def cached(self, messages: Sequence[Message]) -> int:
        """Return how many prompt tokens of `messages` need no computing; see `Engine.cached`."""
        return self._counted(messages, cached=True).cached

    def _counted(self, messages: Sequence[Message], *, cached: bool) -> wire.Counted:
        self._wait_loaded()
        reply = self._ask(wire.Count(tuple(messages), cached))
        assert isinstance(reply, wire.Counted)
        return reply

    def estimate(self, tokens: int, cached: int = 0, written: int = 0) -> float | None:
        """Return about how many seconds it takes to read `tokens` and write `written`; see `Engine.estimate`."""
        reading, writing = self._worker.prefill_cost, self._worker.decode_cost.token_s
        if not reading.is_known or (written and not writing):
            return None
        return reading.seconds(tokens, cached) + written * writing

    def try_out(self, messages: Sequence[Message]) -> Iterator[Event]:
        """Compute a part of the prompt, or two batches if there is none, unless it is known; see `Engine.try_out`."""
        asked = self._asked
        if messages and self.estimate(0) is None:
            # Without a conversation, the worker keeps nothing of it on the disk.
            reading = self.stream(Request(messages=tuple(messages)))
            begun, last = time.perf_counter(), Prefill(0, 0)
            for event in reading:
                last = event if isinstance(event, Prefill) else last
                if self._worker.prefill_cost.is_measured or not isinstance(event, Loading | Prefill | Note):
                    break
                yield event
            assert isinstance(reading, Generator)
            # Its end stops the worker behind the batch that it computes.
            reading.close()
            seconds = time.perf_counter() - begun
            self._tried = Trial(tuple(messages), last.cached, last.done - last.cached, seconds)
        if not messages and self.estimate(0, written=1) is None:
            one, many = (*self.batch_seconds((1, _MANY)), 0.0, 0.0)[:2]
            self._worker.prefill_cost.known_s = self._worker.prefill_cost.known_s or many / _MANY
            self._worker.decode_cost.known_s = one
        self._asked = asked

    def batch_seconds(self, sizes: Sequence[int], depth: int = 0) -> tuple[float, ...]:
        """Return the seconds that batches of `sizes` tokens take behind `depth` others."""
        self._wait_loaded()
        self._number += 1
        reply = self._ask(wire.Measure(self._number, tuple(sizes), depth))
        assert isinstance(reply, wire.Measured)
        return reply.seconds

    def read_ahead(self, request: Request | None, place: int = 0) -> None:
        """Let the worker prefill what the next question will go on with; see `Engine.read_ahead`."""
        self._worker.read_ahead(request, place)

    def reading_ahead(self) -> tuple[int, int] | None:
        """Return how many tokens are read ahead, and of how many; None if nothing is being read."""
        progress = self._worker.reading_ahead()
        return (progress.done, progress.total) if progress else None

    def stream(self, request: Request) -> Iterator[Event]:
        """Answer `request`; see `Engine.stream`."""
        asked = self._asked or time.perf_counter()
        self._asked = None
        tried, self._tried = self._tried, None
        answer = PartialAnswer(request, asked, tried)
        tries = self._worker.tries()
        while True:
            if not (yield from self._worker.load()):
                yield self._interrupted(answer)
                return
            try:
                yield from self._answer(answer)
                return
            except WorkerFailure as failure:
                note = self._worker.recover(failure, tries)
                if not note:
                    raise self._worker.hopeless(failure) from None
                yield Note(note)

    def _answer(self, answer: PartialAnswer) -> Iterator[Event]:
        """Begin or continue an answer; raises `WorkerFailure`."""
        waited = time.perf_counter() - answer.asked
        self._number += 1
        request = answer.remaining()
        self._may_leave = False
        self._worker.prefill_cost.begin()
        self._worker.send(wire.Generate(self._number, request))
        finished = False
        try:
            for event in self._events(answer):
                finished = isinstance(event, Finished)
                if isinstance(event, Finished):
                    self._worker.decode_cost.learn(event)
                    self._worker.note_speeds()
                    self._may_leave = self._worker.keeps_states and request.conversation is not None
                    event = answer.bill(event, self._worker.take_load_s(), waited)
                yield event
            if not finished:
                # The worker was ended, so no events are left to drain.
                finished = True
                yield self._interrupted(answer)
        except WorkerFailure:
            if not cancellation.current().requested:
                raise
            yield self._interrupted(answer)
        except GeneratorExit:
            # The caller stopped reading. The events that are left must not become part of the next stream.
            self._drain(finished, answer)
            raise

    def _interrupted(self, answer: PartialAnswer) -> Finished:
        return answer.interrupted(self._worker.take_load_s())

    def _drain(self, finished: bool, answer: PartialAnswer) -> None:
        if finished or self._worker.loaded is None:
            # Nothing is left, or the engine was closed before this stream.
            return
        try:
            for _event in self._events(answer, unwanted=True):
                pass
        except WorkerFailure:
            # The cancellation ended the worker: the next question starts another one.
            return

    @property
    def held(self) -> int:
        """The bytes of GPU memory that the worker holds; 0 where that is not known."""
        return self._worker.loaded.held if self._worker.loaded else 0

    def close(self) -> None:
        """End the worker. One that has a state to save ends by itself after saving it; this does not wait for that."""
        # A worker that was started after the last answer has nothing to save.
        if self._may_leave and self._worker.loaded:
            self._worker.leave()
        self._may_leave = False
        self._worker.end()

    def pause(self) -> None:
        """Stop computing until `resume`: the program is being suspended."""
        self._worker.pause()

    def resume(self) -> None:
        """Go on computing."""
        self._worker.resume()

    def _wait_loaded(self) -> wire.Loaded:
        """Return what is loaded; wait for it first. Raises `CancelledError` if the wait was cancelled."""
        for progress in self._worker.load():
            # Nothing is shown now, so the note is shown with the next answer.
            if isinstance(progress, Note):
                self._worker.tell_later(progress.sentence)
        if self._worker.loaded is None:
            raise CancelledError
        return self._worker.loaded

    def _events(self, answer: PartialAnswer, *, unwanted: bool = False) -> Iterator[Event]:
        """Yield the worker's events, until the answer is cancelled; if `unwanted`, it is cancelled at once.

        A worker that does not stop in time is ended, and then no `Finished` comes.
        """
        operation = cancellation.current()
        deadline: float | None = None
        last: Event | None = None
        silent = 0
        while True:
            if (unwanted or operation.requested) and deadline is None:
                deadline = time.monotonic() + _CANCEL_PATIENCE
                self._worker.send(wire.Cancel(self._number))
            reply = self._worker.receive()
            if reply is None:
                if deadline is not None and time.monotonic() > deadline:
                    self._worker.end()
                    return
                silent += 1
                if silent % HEARTBEAT == 0 and isinstance(last, Prefill):
                    yield last
                continue
            assert isinstance(reply, Loading | wire.AnswerEvent)
            if isinstance(reply, Text) or (isinstance(reply, Prefill) and reply.done > reply.cached):
                self._worker.computes()
            if isinstance(reply, Text):
                answer.add(reply)
            elif isinstance(reply, Prefill) and not reply.awaited:
                answer.prefill(reply)
                self._worker.prefill_cost.watch(reply)
                reply = msgspec.structs.replace(reply, left_s=self.estimate(reply.total, reply.done))
            last, silent = reply, 0
            yield reply
            if isinstance(reply, Finished):
                return

    def _ask(self, command: wire.WorkerCommand) -> wire.Reply:
        """Return the one reply to a command; where the worker fails, another one is asked, as in an answer."""
        tries = self._worker.tries()
        while True:
            try:
                return self._reply_to(command)
            except WorkerFailure as failure:
                if isinstance(command, wire.Resize) and failure.cause != "illegal instruction":
                    # A way that takes less memory has no room for a larger context either.
                    raise failure.error from None
                self._worker.retry(failure, tries)
            self._wait_loaded()

    def _reply_to(self, command: wire.WorkerCommand) -> wire.Reply:
        """Send a command and return its one reply; raises `WorkerFailure`.

        A worker that does not stop in time when cancelled is ended.
        """
        self._worker.send(command)
        deadline: float | None = None
        while (reply := self._worker.receive()) is None:
            if cancellation.current().requested:
                deadline = deadline or time.monotonic() + _CANCEL_PATIENCE
                if time.monotonic() > deadline:
                    self._worker.end()
                    raise CancelledError
        return reply
