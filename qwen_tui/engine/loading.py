"""A worker with the model, loaded in the best way that works; where it ends, another one is started."""

import os
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from qwen_tui import cancellation
from qwen_tui.engine import failures, leaving, wire
from qwen_tui.engine.failures import WorkerFailure
from qwen_tui.engine.ladder import Ladder
from qwen_tui.engine.process import WorkerProcess
from qwen_tui.engine.protocol import Request
from qwen_tui.engine.recovery import OF_MEMORY, POLICY, Action, Cause, Phase, Tries
from qwen_tui.engine.silence import TICK, Silence
from qwen_tui.engine.speeds import Speeds
from qwen_tui.engine.token_costs import DecodeCost, PrefillCost
from qwen_tui.errors import EngineError, QwenError, why
from qwen_tui.hardware.plan import Plan
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Loading, Note

# In so many last lines of its log, a worker may say why it failed.
_LOG_END = 20

# Called with plans with which the worker ended by a signal, with another plan that works, and with the signal.
Crashed = Callable[[Sequence[Plan], Plan, str], None]
StartWorker = Callable[[Callable[[str], None] | None], WorkerProcess]


class LoadedWorker:
    """The worker in use, if there is one, and the way in which it loads the model.

    Where it fails, the table in `recovery` decides what this does.
    """

    def __init__(
        self,
        ladder: Ladder,
        start_worker: StartWorker,
        log: Callable[[str], None] | None,
        notes: Sequence[str],
        crashed: Crashed,
        leaving: Path | None,
        speeds: Speeds | None,
        *,
        again: bool,
    ) -> None:
        """`notes` are shown to the person when the model is loaded. Without `again`, nothing is tried a second time.

        `crashed` is called when another way works than the one that crashed. The folder `leaving` has the notices of
        workers that leave and still hold memory of a GPU. `speeds` are those of earlier sittings.
        """
        self._speeds = speeds
        self._leaving = leaving
        self._crashed = crashed
        self._again = again
        # The plans that have crashed, until another one computes, and the signal of the last crash.
        self._spoilt: list[Plan] = []
        self._signal = ""
        # Whether the next worker will use another variant of a portable llama.cpp than the one that has died.
        self._steps_down = False
        # Whether the worker in use has computed anything.
        self._computed = False
        self._ladder = ladder
        self._start_worker = start_worker
        self._log = log
        # What to tell the person when the model is loaded.
        self._notes = list(notes)
        self._process: WorkerProcess | None = None
        self._silence = Silence()
        self._forget_costs()
        # How many layers the model has; 0 until the first loading.
        self._layers = 0
        # What the worker has loaded; None while it loads, and after its end.
        self.loaded: wire.Loaded | None = None
        # The seconds of loading that no answer has in its figures yet.
        self._load_s = 0.0

    @property
    def _phase(self) -> Phase:
        if self.loaded is None:
            return "loading"
        return "answering" if self._computed else "first decode"

    @property
    def keeps_states(self) -> bool:
        """Whether the worker may keep computed states on the disk."""
        return self._ladder.options.store is not None

    def start(self) -> None:
        """Start the worker and its loading, and return at once; a worker that died while idle is replaced."""
        process = self._process
        if process is not None and (self.loaded is None or process.is_alive()):
            return
        if process is not None and process.steps_down(code := process.wait()):
            # It died while it read ahead.
            self._tell_way(failures.of_death(code, self._ladder.options, "", self._phase))
            self._forget_costs()
        self.end()
        self._computed = False
        try:
            self._process = self._start_worker(self._log)
        except OSError as error:
            raise EngineError(
                _("The engine could not be started: {reason}").format(reason=why(error)),
                _("Close other programs and try again."),
            ) from error
        self._process.send(wire.Load(self._ladder.options, os.fsencode(self._leaving) if self._leaving else b""))

    def fraction(self) -> float | None:
        """Return how much of the model is loaded, from 0 to 1, without waiting; None where nothing is being loaded."""
        process = self._process
        if process is None or process.loaded >= 1 or not process.is_alive():
            return None
        return process.loaded

    def load(self) -> Generator[Loading | Note, None, bool]:
        """Load the model in one way after another, until one works; raises the error of the last one.

        Yields the progress, then what the person should know. Returns False if the operation is cancelled; the loading
        goes on then.
        """
        tries = self.tries()
        while True:
            try:
                if not (yield from self._step()):
                    return False
                notes, self._notes = self._notes, []
                yield from map(Note, notes)
                return True
            except WorkerFailure as failure:
                self.retry(failure, tries)

    def tries(self) -> Tries:
        """Return what may be tried in one loading, or in one answer."""
        return Tries() if self._again else Tries(again=0)

    def retry(self, failure: WorkerFailure, tries: Tries) -> None:
        """Do what may help after a failure outside an answer; raises the error to show where nothing does.

        The model is not loaded yet when this returns. The person is told with the next loading.
        """
        action = self._act(failure.cause, failure.phase, tries, failure.crash)
        if action is None:
            raise self.hopeless(failure) from None
        if action in ("other code", "no repacking", "older instructions"):
            self._tell_way(failure)

    def _tell_way(self, failure: WorkerFailure) -> None:
        self.tell_later(_("{what} It is loaded in another way.").format(what=failure.headline))

    def recover(self, failure: WorkerFailure, tries: Tries) -> str:
        """Do what may help after a failure in an answer, and return what the person should know; empty: nothing does.

        The model is not loaded yet when this returns.
        """
        what = failure.headline
        match self._act(failure.cause, failure.phase, tries, failure.crash):
            case None:
                return ""
            case "again":
                return _("{what} It is started again, and the answer goes on.").format(what=what)
            case "other code" | "older instructions":
                return _("{what} The model is loaded in another way, and the answer goes on.").format(what=what)
            case _:
                news = self._ladder.news(self._layers)
                return news if failure.cause in OF_MEMORY else f"{what} {news}"

    def _act(self, cause: Cause, phase: Phase, tries: Tries, crash: str = "") -> Action | None:
        """Take the first action of the table that can be taken, and return it; None where there is none."""
        for action in POLICY[phase].get(cause, ()):
            plan = self._ladder.options.plan
            if tries.allows(action) and self._takes(action, cause):
                tries.count(action)
                if action != "again":
                    self._forget_costs()
                if action == "older instructions":
                    self._steps_down = False
                if action in ("other code", "no repacking"):
                    # The caller says so.
                    self._ladder.told()
                    self._spoilt.append(plan)
                    self._signal = crash
                return action
        return None

    def _takes(self, action: Action, cause: Cause) -> bool:
        """Whether there is another way for this action; then it is taken."""
        if action == "older instructions":
            return self._steps_down
        return action == "again" or self._ladder.take(action, cause)

    def _step(self) -> Generator[Loading | Note, None, bool]:
        self.start()
        self._silence.broken(Loading(0.0))
        while self.loaded is None:
            if cancellation.current().requested:
                return False
            reply = self.receive()
            if reply is None:
                yield from self._silence.tick(gpu=self._ladder.options.plan.gpu_layers != 0)
            elif isinstance(reply, Loading):
                self._silence.broken(reply)
                yield reply
            elif isinstance(reply, wire.Loaded):
                self._take(reply)
        return True

    def _take(self, loaded: wire.Loaded) -> None:
        """Take over what was loaded; without the GPU for which the plan has layers, load the next way instead."""
        self._load_s += loaded.load_s
        lost = self._ladder.options.plan.gpu_layers and not loaded.info.gpu_layers
        if lost and self._act("card gone", "loading", Tries()):
            self.end()
            self.start()
            return
        self.loaded, self._layers = loaded, loaded.info.layers
        self._ladder.works()
        if sentence := self._ladder.news(loaded.info.layers):
            self.tell_later(sentence)

    @property
    def plan(self) -> Plan:
        """The plan in use, or with which the model will be loaded next."""
        return self._ladder.options.plan

    def resized(self, loaded: wire.Loaded) -> None:
        """Know that the context has another size, also for a worker that replaces this one."""
        self.loaded = loaded
        self._ladder.grow(loaded.info.ctx_size)

    def take_load_s(self) -> float:
        """Return the seconds of loading since the last call."""
        taken, self._load_s = self._load_s, 0.0
        return taken

    def tell_later(self, sentence: str) -> None:
        """Show `sentence` to the person with the next question."""
        self._notes.append(sentence)

    def computes(self) -> None:
        """Know that the worker has computed something: if other ways crashed before, they are remembered."""
        self._computed = True
        if self._spoilt:
            self._crashed(self._spoilt, self._ladder.options.plan, self._signal)
            self._spoilt = []

    def hopeless(self, failure: WorkerFailure) -> QwenError:
        """Return the error to show when nothing is left to try; it names a smaller context if only that may help."""
        smaller = self._ladder.smaller_context()
        if failure.cause in OF_MEMORY and smaller:
            return failures.no_memory_for_context(self._ladder.options, smaller)
        return failure.error

    def read_ahead(self, request: Request | None, place: int) -> None:
        """Let the worker read ahead; see `Engine.read_ahead`. Where there is no worker, do nothing."""
        if self._process is not None:
            # Until the worker has counted, the total is not known.
            self._process.read_ahead_progress = wire.ReadAheadProgress(0, 0 if request is None else 1)
            self._process.send(wire.ReadAhead(request, place))

    def reading_ahead(self) -> wire.ReadAheadProgress | None:
        """Return how far the worker has read ahead; None if it reads nothing."""
        process = self._process
        progress = process.read_ahead_progress if process is not None and process.is_alive() else None
        return progress if progress and progress.done < progress.total else None

    def send(self, command: wire.WorkerCommand) -> None:
        """Send a command to the worker, which has to be started before."""
        assert self._process is not None
        self._process.send(command)

    def receive(self) -> wire.Reply | None:
        """Return the next reply, or None after a tick; raises `WorkerFailure` for `Failed` or the worker's death."""
        process = self._process
        assert process is not None
        try:
            reply = process.receive(TICK)
        except EOFError:
            phase, code, starved = self._phase, process.wait(), process.memory_ran_out()
            self._steps_down = process.steps_down(code)
            # When the process is closed, all of its log has been read.
            self.end()
            failure = failures.of_death(
                code, self._ladder.options, process.last_lines(_LOG_END), phase, starved=starved
            )
            if not self._again and phase != "loading":
                # Nobody talks to an engine that measures, so the message speaks of no conversation.
                failure.error.remedy = _("See what this PC has and lacks with: qwen doctor")
            raise failure from None
        if isinstance(reply, wire.Failed):
            phase = self._phase
            if reply.kind in failures.FATAL:
                self.end()
            raise failures.of_reply(reply, self._ladder.options, process.last_lines(_LOG_END), phase)
        return reply

    def end(self) -> None:
        """End the worker now."""
        if self._process is not None:
            self._process.close()
        self._process = self.loaded = None

    def leave(self) -> None:
        """Let the worker save what it has to keep, and end in its own time."""
        if self._process is not None:
            sign = None
            if self._leaving and self.loaded and self.loaded.held:
                sign = leaving.announce(self._leaving, self._process.number, self.loaded.held)
            self._process.leave(sign)
        self._process = self.loaded = None

    def _forget_costs(self) -> None:
        """Begin to learn what a token costs, because it is computed in another way from now on."""
        costs = self._ladder.options.costs
        if not costs.prefill_tps and self._speeds:
            costs = self._speeds.recall(self.plan)
        self.prefill_cost = PrefillCost(1 / costs.prefill_tps if costs.prefill_tps else 0.0)
        self.decode_cost = DecodeCost(1 / costs.decode_tps if costs.decode_tps else 0.0)

    def note_speeds(self) -> None:
        """Remember what a token costs, if that was measured in this sitting."""
        if self._speeds and self.prefill_cost.is_measured:
            self._speeds.keep(self.plan, self.prefill_cost.token_s, self.decode_cost.token_s)

    def pause(self) -> None:
        """Stop computing until `resume`."""
        if self._process is not None:
            self._process.pause()

    def resume(self) -> None:
        """Go on computing."""
        if self._process is not None:
            self._process.resume()
