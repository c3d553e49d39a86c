"""Carries out the parent's commands: loads a model, hands what is asked of it on, and turns errors into replies."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qwen_tui.engine import leaving, wire
from qwen_tui.engine.protocol import LoadOptions
from qwen_tui.engine.schema_grammar import GrammarError
from qwen_tui.engine.worker import dry_run
from qwen_tui.engine.worker.backends import Backends
from qwen_tui.engine.worker.binding import LibraryError, initialise, open_library
from qwen_tui.engine.worker.context import ContextError, NoRoomError
from qwen_tui.engine.worker.devices import add_rpc_device, free_for_layers
from qwen_tui.engine.worker.loaded_model import LoadedModel
from qwen_tui.engine.worker.model import LoadError, Model
from qwen_tui.engine.worker.states import PATIENCE, States
from qwen_tui.engine.worker.stop import StopFlag
from qwen_tui.messages import Loading
from qwen_tui.models import identity

# The worker reports the progress of loading at most this often, in seconds.
_PROGRESS_EVERY = 0.05


class Worker:
    """Carries out one command after another, most of them with the one model that it loads."""

    def __init__(self, reply: Callable[[wire.Reply], None], stop: StopFlag) -> None:
        """`reply` sends a reply to the parent; another thread sets `stop`."""
        self._reply = reply
        self._stop = stop
        self._loaded: LoadedModel | None = None
        self._backends = Backends()

    @property
    def _model(self) -> LoadedModel:
        assert self._loaded is not None, "the parent lets a model be loaded first"
        return self._loaded

    def handle(self, command: wire.WorkerCommand) -> None:
        """Carry out one command; an error becomes a `Failed` reply."""
        try:
            self._carry_out(command)
        except LibraryError as error:
            self._reply(wire.Failed("library", str(error)))
        except LoadError as error:
            self._reply(wire.Failed("model", str(error)))
        except GrammarError as error:
            self._reply(wire.Failed("schema", str(error)))
        except ContextError as error:
            self._reply(wire.Failed("context" if isinstance(error, NoRoomError) else "decode", str(error)))
        except MemoryError:
            self._reply(wire.Failed("memory"))

    def _carry_out(self, command: wire.WorkerCommand) -> None:
        match command:
            case wire.Load(options, folder):
                if options.plan.gpu_layers and folder:
                    leaving.wait(Path(os.fsdecode(folder)))
                self._load(options)
            case wire.Count():
                self._model.count(command)
            case wire.Resize(ctx_size):
                self._model.resize(ctx_size)
            case wire.Generate(number, request):
                self._model.generate(number, request)
            case wire.ReadAhead(request, place):
                if self._loaded:
                    self._loaded.read_ahead(request, place)
            case wire.Measure(number, sizes, depth):
                self._model.measure(number, sizes, depth)
            case wire.Describe(options):
                self._describe(options)
            case wire.Examine(options):
                dry_run.examine(self._library(cards=False), options)
                self._reply(wire.Examined())
            case wire.Leave(notice):
                self._leave(notice)
            case wire.Cancel():
                raise AssertionError("the thread that reads the commands handles it")

    @property
    def idle_after(self) -> float | None:
        """After how many seconds without a command there is other work; None if there is none."""
        return self._loaded.idle_after if self._loaded else None

    def idle(self, should_stop: Callable[[], bool]) -> None:
        """Do that work until `should_stop`."""
        self._model.idle(should_stop)

    def count_aside(self, command: wire.Count) -> bool:
        """Count in the thread that reads the commands, if the main thread reads ahead; return whether it does."""
        return self._loaded is not None and self._loaded.count_aside(command)

    def stops_reading_ahead(self, command: wire.WorkerCommand) -> bool:
        """Whether `command` has nothing to do with what is being read ahead."""
        return self._loaded is None or self._loaded.stops_reading_ahead(command)

    def _leave(self, notice: bytes) -> None:
        """Save what was computed, then end the process: after `PATIENCE` at the latest, even if not all is saved.

        The parent ends after the reply `Leaving`. By then, other processes can see on the disk which state is coming.
        """
        ending = threading.Timer(PATIENCE, os._exit, (0,))
        ending.daemon = True
        ending.start()

        def report_leaving() -> None:
            # The parent may have ended already.
            with contextlib.suppress(OSError):
                self._reply(wire.Leaving())

        if self._loaded:
            self._loaded.leave(notice, report_leaving)
        os._exit(0)

    def _describe(self, options: Sequence[LoadOptions]) -> None:
        llama = open_library()
        # The drivers of graphics cards say what is wrong with them when they are loaded, and not again.
        with dry_run.kept_log(llama) as lines:
            self._initialise(llama, cards=True)
            self._reply(wire.Described(dry_run.describe(llama, options, self._backends, lines)))

    def _load(self, options: LoadOptions) -> None:
        begun = time.perf_counter()
        llama = self._library(cards=options.plan.gpu_layers != 0)
        free_before = free_for_layers(llama) if options.plan.gpu_layers else 0
        # Taken before the file is read: if it is replaced meanwhile, this is not the stamp of the new one.
        stamped = identity.stamp(options.path)
        states = States(options.store, options, self._backends.variant) if options.store else None
        model = Model(llama, options, self._progress_reporter(), dry=options.counts_only)
        loaded = LoadedModel(model, options, states, self._stop, self._reply, stamped or "")
        on_gpu = loaded.info.gpu_layers
        if (on_gpu or options.warm_up) and not options.counts_only and not loaded.warm_up():
            return
        loaded.held = max(0, free_before - free_for_layers(llama)) if on_gpu else 0
        self._loaded = loaded
        self._reply(wire.Loaded(loaded.info, time.perf_counter() - begun, loaded.held))

    def _library(self, *, cards: bool) -> Any:
        """Load llama.cpp; raises `LibraryError`."""
        llama = open_library()
        self._initialise(llama, cards=cards)
        return llama

    def _initialise(self, llama: Any, *, cards: bool) -> None:
        def report(backends: Backends) -> None:
            self._backends = backends
            self._reply(wire.Backend(backends.variant, backends.others))

        initialise(llama, os.environ.get(wire.AVOIDED, "").split(","), report, cards=cards)
        add_rpc_device(llama)

    def _progress_reporter(self) -> Callable[[float], None]:
        last = 0.0

        def report(fraction: float) -> None:
            nonlocal last
            now = time.monotonic()
            # A fraction of 1 is always reported: after it, the parent waits for the warm-up.
            if now - last >= _PROGRESS_EVERY or fraction >= 1:
                last = now
                self._reply(Loading(fraction))

        return report
