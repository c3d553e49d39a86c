"""The engine on this computer: llama.cpp in a worker process that may die without taking the conversation along."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

from qwen_tui import cancellation
from qwen_tui.engine import wire
from qwen_tui.engine.answer import Answer
from qwen_tui.engine.failures import WorkerFailure
from qwen_tui.engine.ladder import Ladder, Worked
from qwen_tui.engine.loading import Crashed, LoadedWorker, StartWorker
from qwen_tui.engine.process import WorkerProcess
from qwen_tui.engine.protocol import EngineInfo, LoadOptions, Request
from qwen_tui.engine.silence import HEARTBEAT
from qwen_tui.errors import CancelledError
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Event, Finished, Loading, Message, Note, Prefill, Text

# How long a cancelled worker may take to stop by itself before it is replaced, in seconds.
_CANCEL_PATIENCE = 0.8


class LocalEngine:
    """An `Engine` on llama.cpp.

    What fails for lack of memory is tried again in a more modest way as long as there is one, in the middle of an
    answer too. What dies without a word of memory is first tried once more as it was, and then in a more modest way: in
    the loading, only as long as layers are on a GPU, and soon without it.
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
        *,
        again: bool = True,
    ) -> None:
        """`options` are the ways to load the model in the order in which to try them; `worked` knows what did.

        `log` gets each line of llama.cpp's log, which is shown nowhere else. `notes` are for the person, once the model
        is loaded. `start_worker` starts each of the workers that it takes. `crashed` learns which way never works on
        this processor. `leaving` is the folder with the signs of workers that still hold memory of a GPU. Without
        `again` nothing is tried a second time: who measures wants to know what fails.
        """
        ladder = Ladder([options] if isinstance(options, LoadOptions) else options, worked)
        self._worker = LoadedWorker(ladder, start_worker, log, notes, crashed, leaving, again=again)
        self._again = again
        self._number = 0
        # Whether the worker has computed something that may be kept, and is not about to compute.
        self._may_leave = False
        # When the person began to wait for the next answer.
        self._asked: float | None = None

    def start(self) -> None:
        """Start the worker and its loading; returns at once. One that died while idle is replaced."""
        self._worker.start()

    def load(self) -> Generator[Loading | Note, None, bool]:
        """Yield progress until the model is loaded; False if the wait was cancelled (the loading goes on)."""
        self._asked = time.perf_counter()
        return (yield from self._worker.load())

    def loading(self) -> float | None:
        """Return how much of the model is loaded, from 0 to 1, without waiting; None where nothing is being loaded."""
        return self._worker.fraction()

    def info(self) -> EngineInfo:
        """Describe what is loaded; waits for the loading."""
        return self._wait_loaded().info

    def count(self, messages: Sequence[Message]) -> int:
        """Return the number of prompt tokens of `messages`."""
        self._wait_loaded()
        reply = self._ask(wire.Count(tuple(messages)))
        assert isinstance(reply, wire.Counted)
        return reply.tokens

    def batch_seconds(self, sizes: Sequence[int], depth: int = 0) -> tuple[float, ...]:
        """Return the seconds that batches of `sizes` tokens take behind `depth` others."""
        self._wait_loaded()
        self._number += 1
        reply = self._ask(wire.Measure(self._number, tuple(sizes), depth))
        assert isinstance(reply, wire.Measured)
        return reply.seconds

    def stream(self, request: Request) -> Iterator[Event]:
        """Answer `request`; see `Engine.stream`."""
        asked = self._asked or time.perf_counter()
        self._asked = None
        answer = Answer(request, asked)
        again = self._again
        while True:
            if not (yield from self._worker.load()):
                yield self._interrupted(answer)
                return
            try:
                yield from self._answer(answer)
                return
            except WorkerFailure as failure:
                once_more = failure.again and again
                # Without knowledge of the memory it may be an accident: the same once more, and only then less.
                accident = once_more and not failure.memory
                note = "" if accident else self._worker.less(failure)
                if not note and once_more:
                    again = False
                    what = failure.error.message.splitlines()[0]
                    note = _("{what} It is started again, and the answer goes on.").format(what=what)
                if not note:
                    raise self._worker.hopeless(failure) from None
                yield Note(note)

    def _answer(self, answer: Answer) -> Iterator[Event]:
        """Answer, or go on with an answer that has begun; raises `WorkerFailure`."""
        waited = time.perf_counter() - answer.asked
        self._number += 1
        request = answer.remaining()
        self._may_leave = False
        self._worker.send(wire.Generate(self._number, request))
        finished = False
        try:
            for event in self._events(answer):
                finished = isinstance(event, Finished)
                if isinstance(event, Finished):
                    self._may_leave = self._worker.keeps_states and request.conversation is not None
                    event = answer.bill(event, self._worker.take_load_s(), waited)
                yield event
            if not finished:
                # Its worker was ended: there is nothing left to drain.
                finished = True
                yield self._interrupted(answer)
        except WorkerFailure:
            if not cancellation.current().requested:
                raise
            yield self._interrupted(answer)
        except GeneratorExit:
            # Nobody reads it to its end: the next stream must not begin with the rest of this one.
            self._drain(finished, answer)
            raise

    def _interrupted(self, answer: Answer) -> Finished:
        return answer.interrupted(self._worker.take_load_s())

    def _drain(self, finished: bool, answer: Answer) -> None:
        try:
            for _event in () if finished else self._events(answer, unwanted=True):
                pass
        except WorkerFailure:
            # It died of being stopped: the next question starts another.
            return

    @property
    def held(self) -> int:
        """The bytes of a GPU that the worker holds, as far as is known."""
        return self._worker.loaded.held if self._worker.loaded else 0

    def close(self) -> None:
        """End the worker; one that has something to keep saves it in its own time."""
        # One that was started since has nothing.
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
        """Return what is loaded, waiting if need be; raises `CancelledError` if the wait was cancelled."""
        for progress in self._worker.load():
            # Nobody looks now, but when the answer comes.
            if isinstance(progress, Note):
                self._worker.tell_later(progress.sentence)
        if self._worker.loaded is None:
            raise CancelledError
        return self._worker.loaded

    def _events(self, answer: Answer, *, unwanted: bool = False) -> Iterator[Event]:
        """Pass the worker's events on, until the answer is cancelled or, from the start, `unwanted`.

        A worker that does not stop in time then is ended, without `Finished`.
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
            assert not isinstance(
                reply, wire.Loaded | wire.Counted | wire.Measured | wire.Described | wire.Failed | wire.Leaving
            )
            if isinstance(reply, Text) or (isinstance(reply, Prefill) and reply.done > reply.cached):
                self._worker.computes()
            if isinstance(reply, Text):
                answer.add(reply)
            elif isinstance(reply, Prefill) and not reply.awaited:
                answer.prefill(reply)
            last, silent = reply, 0
            yield reply
            if isinstance(reply, Finished):
                return

    def _ask(self, command: wire.Command) -> wire.Reply:
        """Send what is answered by one reply; a worker that keeps a person waiting who has cancelled is replaced."""
        self._worker.send(command)
        deadline: float | None = None
        while (reply := self._receive_or_raise()) is None:
            if cancellation.current().requested:
                deadline = deadline or time.monotonic() + _CANCEL_PATIENCE
                if time.monotonic() > deadline:
                    self._worker.end()
                    raise CancelledError
        return reply

    def _receive_or_raise(self) -> wire.Reply | None:
        """The same where nothing is tried again; raises the error itself."""
        try:
            return self._worker.receive()
        except WorkerFailure as failure:
            raise failure.error from None
