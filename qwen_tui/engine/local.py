"""The engine on this computer: llama.cpp in a worker process that may die without taking the conversation along."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence

from qwen_tui.engine import failures, wire
from qwen_tui.engine.answer import Answer
from qwen_tui.engine.failures import WorkerFailure
from qwen_tui.engine.ladder import Ladder, Worked
from qwen_tui.engine.process import WorkerProcess
from qwen_tui.engine.protocol import EngineInfo, LoadOptions, Request
from qwen_tui.errors import CancelledError, EngineError, QwenError, why
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Event, Finished, Loading, Message, Note, Prefill, Text

# How often a cancellation is looked for while the worker is silent, in seconds.
_TICK = 0.05
# Progress is repeated after so many silent ticks, so that whoever shows it can show time passing too.
_HEARTBEAT = 2
# How long a cancelled worker may take to stop by itself before it is replaced, in seconds.
_CANCEL_PATIENCE = 0.8
# Of the log, what may tell why a worker failed, in lines.
_LOG_END = 20


class LocalEngine:
    """An `Engine` on llama.cpp.

    What fails for lack of memory, or dies, is tried again in a more modest way as long as there is one, in the middle
    of an answer too; there, what was well until then is first tried once more as it was.
    """

    def __init__(
        self,
        options: LoadOptions | Sequence[LoadOptions],
        log: Callable[[str], None] | None = None,
        worked: Worked | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        """`options` are the ways to load the model in the order in which to try them; `worked` knows what did.

        `log` gets each line of llama.cpp's log, which is shown nowhere else. `notes` are for the person, once the model
        is loaded.
        """
        self._ladder = Ladder([options] if isinstance(options, LoadOptions) else options, worked)
        self._log = log
        # How many layers the model has, once that is known.
        self._layers = 0
        # What the person should be told with the next events.
        self._notes = list(notes)
        self._worker: WorkerProcess | None = None
        self._loaded: wire.Loaded | None = None
        self._number = 0
        self._cancelled = False
        # Whether the worker has computed something that may be kept, and is not about to compute.
        self._may_leave = False
        # When the person began to wait, and what of the wait was the loading; both belong to the next answer.
        self._asked: float | None = None
        self._load_s = 0.0

    def start(self) -> None:
        """Start the worker and its loading; returns at once. One that died while idle is replaced."""
        if self._worker is not None and (self._loaded is None or self._worker.is_alive()):
            return
        self._end()
        try:
            self._worker = WorkerProcess(self._log)
        except OSError as error:
            raise EngineError(
                _("The engine could not be started: {reason}").format(reason=why(error)),
                _("Close other programs and try again."),
            ) from error
        self._loaded = None
        self._worker.send(wire.Load(self._ladder.options))

    def load(self) -> Generator[Loading | Note, None, bool]:
        """Yield progress until the model is loaded; False if `cancel` ended the wait (the loading goes on)."""
        self._cancelled = False
        self._asked = time.perf_counter()
        return (yield from self._load())

    def loading(self) -> float | None:
        """Return how much of the model is loaded, from 0 to 1, without waiting; None where nothing is being loaded."""
        worker = self._worker
        if worker is None or worker.loaded >= 1 or not worker.is_alive():
            return None
        return worker.loaded

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
        again = True
        while True:
            if not (yield from self._load()):
                yield answer.interrupted()
                return
            try:
                yield from self._answer(answer)
                return
            except WorkerFailure as failure:
                once_more = failure.again and again
                # Without knowledge of the memory it may be an accident: the same once more, and only then less.
                accident = once_more and not failure.memory
                note = "" if accident else self._less(failure)
                if not note and once_more:
                    again = False
                    what = failure.error.message.splitlines()[0]
                    note = _("{what} It is started again, and the answer goes on.").format(what=what)
                if not note:
                    raise self._hopeless(failure) from None
                yield Note(note)

    def _less(self, failure: WorkerFailure) -> str:
        """Go on in a way that takes less, if that may help and there is one, and return what the person should know."""
        if not (failure.lighter and self._ladder.step_down(memory=failure.memory, keep=failure.memory)):
            return ""
        news = self._ladder.news(self._layers)
        return news if failure.memory else f"{failure.error.message.splitlines()[0]} {news}"

    def _answer(self, answer: Answer) -> Iterator[Event]:
        """Answer, or go on with an answer that has begun; raises `WorkerFailure`."""
        waited = time.perf_counter() - answer.asked
        self._number += 1
        assert self._worker is not None
        request = answer.remaining()
        self._may_leave = False
        self._worker.send(wire.Generate(self._number, request))
        finished = False
        try:
            for event in self._events(answer):
                finished = isinstance(event, Finished)
                if isinstance(event, Finished):
                    keeps = self._ladder.options.store is not None
                    self._may_leave = keeps and request.conversation is not None
                    event = answer.bill(event, self._load_s, waited)
                    self._load_s = 0.0
                yield event
        except WorkerFailure:
            if not self._cancelled:
                raise
            yield answer.interrupted()
        except GeneratorExit:
            # Nobody reads it to its end: the next stream must not begin with the rest of this one.
            self._cancelled = True
            self._drain(finished, answer)
            raise
        finally:
            self._cancelled = False

    def _drain(self, finished: bool, answer: Answer) -> None:
        try:
            for _event in () if finished else self._events(answer):
                pass
        except WorkerFailure:
            # It died of being stopped: the next question starts another.
            return

    def cancel(self) -> None:
        """End the running `load` or `stream` soon."""
        self._cancelled = True

    def close(self) -> None:
        """End the worker; one that has something to keep saves it in its own time."""
        if self._worker is not None and self._may_leave:
            self._worker.leave()
            self._worker = self._loaded = None
        self._end()

    def _end(self) -> None:
        """End the worker now."""
        self._may_leave = False
        if self._worker is not None:
            self._worker.close()
            self._worker = self._loaded = None

    def pause(self) -> None:
        """Stop computing until `resume`: the program is being suspended."""
        if self._worker is not None:
            self._worker.pause()

    def resume(self) -> None:
        """Go on computing."""
        if self._worker is not None:
            self._worker.resume()

    def _load(self) -> Generator[Loading | Note, None, bool]:
        """Load in the ways there are until one works; raises what the last one failed at."""
        while True:
            try:
                if not (yield from self._load_step()):
                    return False
                notes, self._notes = self._notes, []
                yield from map(Note, notes)
                return True
            except WorkerFailure as failure:
                if not (failure.lighter and self._ladder.step_down(memory=failure.memory)):
                    raise self._hopeless(failure) from None

    def _load_step(self) -> Generator[Loading, None, bool]:
        self.start()
        progress = Loading(0.0)
        silent = 0
        while self._loaded is None:
            if self._cancelled:
                self._cancelled = False
                return False
            reply = self._receive()
            silent = 0 if reply else silent + 1
            if isinstance(reply, wire.Loaded):
                self._take(reply)
            elif isinstance(reply, Loading) or silent == _HEARTBEAT:
                progress, silent = reply if isinstance(reply, Loading) else progress, 0
                yield progress
        return True

    def _take(self, loaded: wire.Loaded) -> None:
        """Take note of what was loaded; a GPU that is not there any more is a reason to go on without it."""
        lost = self._ladder.options.gpu_layers and not loaded.info.gpu_layers
        if lost and self._ladder.without_gpu():
            self._end()
            self.start()
            return
        self._loaded, self._load_s, self._layers = loaded, loaded.load_s, loaded.info.layers
        self._ladder.works()
        if sentence := self._ladder.news(loaded.info.layers):
            self._notes.append(sentence)

    def _hopeless(self, failure: WorkerFailure) -> QwenError:
        """Return the error of a failure that nothing helps against, but perhaps a smaller context."""
        smaller = self._ladder.smaller_context()
        if failure.memory and smaller:
            return failures.no_memory_for_context(self._ladder.options, smaller)
        return failure.error

    def _wait_loaded(self) -> wire.Loaded:
        """Return what is loaded, waiting if need be; raises `CancelledError` if the wait was cancelled."""
        for progress in self._load():
            # Nobody looks now, but when the answer comes.
            if isinstance(progress, Note):
                self._notes.append(progress.sentence)
        if self._loaded is None:
            raise CancelledError(_("Interrupted."))
        return self._loaded

    def _events(self, answer: Answer) -> Iterator[Event]:
        """Pass the worker's events on; a cancelled worker that does not stop in time is replaced."""
        deadline: float | None = None
        last: Event | None = None
        silent = 0
        while True:
            if self._cancelled and deadline is None:
                deadline = time.monotonic() + _CANCEL_PATIENCE
                assert self._worker is not None
                self._worker.send(wire.Cancel(self._number))
            reply = self._receive()
            if reply is None:
                if deadline is not None and time.monotonic() > deadline:
                    self._end()
                    yield answer.interrupted()
                    return
                silent += 1
                if silent % _HEARTBEAT == 0 and isinstance(last, Prefill):
                    yield last
                continue
            assert not isinstance(reply, wire.Loaded | wire.Counted | wire.Measured | wire.Described | wire.Failed)
            if isinstance(reply, Text):
                answer.add(reply)
            elif isinstance(reply, Prefill):
                answer.prefill(reply)
            last, silent = reply, 0
            yield reply
            if isinstance(reply, Finished):
                return

    def _ask(self, command: wire.Command) -> wire.Reply:
        """Send what is answered by one reply; a worker that keeps a person waiting who has cancelled is replaced."""
        assert self._worker is not None
        self._worker.send(command)
        deadline: float | None = None
        while (reply := self._receive_or_raise()) is None:
            if self._cancelled:
                deadline = deadline or time.monotonic() + _CANCEL_PATIENCE
                if time.monotonic() > deadline:
                    self._cancelled = False
                    self._end()
                    raise CancelledError(_("Interrupted."))
        return reply

    def _receive_or_raise(self) -> wire.Reply | None:
        """The same where nothing is tried again; raises the error itself."""
        try:
            return self._receive()
        except WorkerFailure as failure:
            raise failure.error from None

    def _receive(self) -> wire.Reply | None:
        """Return the next reply, or None after a tick; raises what a failure or the worker's death means."""
        worker = self._worker
        assert worker is not None
        try:
            reply = worker.receive(_TICK)
        except EOFError:
            loading, code = self._loaded is None, worker.wait()
            # Closing reads the log to its end.
            self._end()
            raise failures.of_death(code, self._ladder.options, worker.last_lines(_LOG_END), loading=loading) from None
        if isinstance(reply, wire.Failed):
            if reply.kind in failures.FATAL:
                self._end()
            raise failures.of_reply(reply, self._ladder.options, worker.last_lines(_LOG_END))
        return reply
