"""The engine on this computer: llama.cpp in a worker process that may die without taking the conversation along."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence

import msgspec

from qwen_tui.engine import failures, wire
from qwen_tui.engine.process import WorkerProcess
from qwen_tui.engine.protocol import EngineInfo, LoadOptions, Request
from qwen_tui.errors import CancelledError, EngineError, why
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Event, Finished, Loading, Message, Prefill, Text, Timings, Usage

# How often a cancellation is looked for while the worker is silent, in seconds.
_TICK = 0.05
# Progress is repeated after so many silent ticks, so that whoever shows it can show time passing too.
_HEARTBEAT = 2
# How long a cancelled worker may take to stop by itself before it is replaced, in seconds.
_CANCEL_PATIENCE = 0.8


class LocalEngine:
    """An `Engine` on llama.cpp. `log` gets each line of llama.cpp's log, which is shown nowhere else."""

    def __init__(self, options: LoadOptions, log: Callable[[str], None] | None = None) -> None:
        self._options = options
        self._log = log
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
        self._worker.send(wire.Load(self._options))

    def load(self) -> Generator[Loading, None, bool]:
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

    def batch_seconds(self, sizes: Sequence[int]) -> tuple[float, ...]:
        """Return the seconds that batches of `sizes` tokens take."""
        self._wait_loaded()
        self._number += 1
        reply = self._ask(wire.Measure(self._number, tuple(sizes)))
        assert isinstance(reply, wire.Measured)
        return reply.seconds

    def stream(self, request: Request) -> Iterator[Event]:
        """Answer `request`; see `Engine.stream`."""
        asked = self._asked or time.perf_counter()
        self._asked = None
        if not (yield from self._load()):
            yield _nothing_came()
            return
        waited = time.perf_counter() - asked
        self._number += 1
        assert self._worker is not None
        self._may_leave = False
        self._worker.send(wire.Generate(self._number, request))
        finished = False
        try:
            for event in self._events():
                finished = isinstance(event, Finished)
                self._may_leave = finished and self._options.store is not None and request.conversation is not None
                yield self._bill(event, waited) if isinstance(event, Finished) else event
        except GeneratorExit:
            # Nobody reads it to its end: the next stream must not begin with the rest of this one.
            self._cancelled = True
            for _event in () if finished else self._events():
                pass
            raise
        finally:
            self._cancelled = False

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

    def _load(self) -> Generator[Loading, None, bool]:
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
                self._loaded = reply
                self._load_s = reply.load_s
            elif isinstance(reply, Loading) or silent == _HEARTBEAT:
                progress, silent = reply if isinstance(reply, Loading) else progress, 0
                yield progress
        return True

    def _wait_loaded(self) -> wire.Loaded:
        """Return what is loaded, waiting if need be; raises `CancelledError` if the wait was cancelled."""
        for _progress in self._load():
            pass
        if self._loaded is None:
            raise CancelledError(_("Interrupted."))
        return self._loaded

    def _events(self) -> Iterator[Event]:
        """Pass the worker's events on; a cancelled worker that does not stop in time is replaced."""
        deadline: float | None = None
        last: Event | None = None
        pieces = silent = 0
        while True:
            if self._cancelled and deadline is None:
                deadline = time.monotonic() + _CANCEL_PATIENCE
                assert self._worker is not None
                self._worker.send(wire.Cancel(self._number))
            reply = self._receive()
            if reply is None:
                if deadline is not None and time.monotonic() > deadline:
                    self._end()
                    yield _nothing_came(completion_tokens=pieces)
                    return
                silent += 1
                if silent % _HEARTBEAT == 0 and isinstance(last, Prefill):
                    yield last
                continue
            assert not isinstance(reply, wire.Loaded | wire.Counted | wire.Measured | wire.Described | wire.Failed)
            pieces += isinstance(reply, Text)
            last, silent = reply, 0
            yield reply
            if isinstance(reply, Finished):
                return

    def _bill(self, finished: Finished, waited: float) -> Finished:
        """Add to the worker's timings what was waited for before it was asked."""
        timings = msgspec.structs.replace(
            finished.timings, load_s=self._load_s, ttft_s=finished.timings.ttft_s + waited
        )
        self._load_s = 0.0
        return msgspec.structs.replace(finished, timings=timings)

    def _ask(self, command: wire.Command) -> wire.Reply:
        """Send what is answered by one reply; a worker that keeps a person waiting who has cancelled is replaced."""
        assert self._worker is not None
        self._worker.send(command)
        deadline: float | None = None
        while (reply := self._receive()) is None:
            if self._cancelled:
                deadline = deadline or time.monotonic() + _CANCEL_PATIENCE
                if time.monotonic() > deadline:
                    self._cancelled = False
                    self._end()
                    raise CancelledError(_("Interrupted."))
        return reply

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
            lines = worker.last_lines(3 if loading else 1)
            raise failures.of_death(code, self._options, lines, loading=loading) from None
        if isinstance(reply, wire.Failed):
            if reply.kind in failures.FATAL:
                self._end()
            raise failures.of_reply(reply, self._options, worker.last_lines())
        return reply


def _nothing_came(completion_tokens: int = 0) -> Finished:
    return Finished(Usage(completion_tokens=completion_tokens), Timings(), "interrupted")
