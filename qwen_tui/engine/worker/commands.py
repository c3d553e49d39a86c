"""Carries out the parent's commands, with one model and one context."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from qwen_tui.engine import leaving, variants, wire
from qwen_tui.engine.protocol import LEAST_ROOM, EngineInfo, LoadOptions, ReplayOptions, Request
from qwen_tui.engine.schema_grammar import GrammarError
from qwen_tui.engine.worker import dry_run
from qwen_tui.engine.worker.backends import Backends
from qwen_tui.engine.worker.binding import LibraryError, load_library
from qwen_tui.engine.worker.context import Context, ContextError, NoRoomError
from qwen_tui.engine.worker.costs import batch_seconds
from qwen_tui.engine.worker.devices import add_rpc_device, device_for_layers
from qwen_tui.engine.worker.generation import ROOM, Generation
from qwen_tui.engine.worker.grammar import Grammars
from qwen_tui.engine.worker.lookup import BatchCosts, Drafter, Lookup, NoDrafts
from qwen_tui.engine.worker.model import LoadError, Model
from qwen_tui.engine.worker.pace import Pace
from qwen_tui.engine.worker.prompt import ChatML
from qwen_tui.engine.worker.reading_ahead import ReadingAhead
from qwen_tui.engine.worker.sampling import ChainSampler, GrammarSampler, ReplaySampler, Sampler, best_two
from qwen_tui.engine.worker.states import PATIENCE, States
from qwen_tui.engine.worker.stop import StopFlag
from qwen_tui.hardware.plan import ALL_LAYERS
from qwen_tui.messages import Loading, Prefill
from qwen_tui.models import identity

# The worker reports the progress of loading at most this often, in seconds.
_PROGRESS_EVERY = 0.05
# The worker saves a state only after so long without a command, in seconds: then it disturbs no question.
_IDLE = 2.0
# A worker that has left runs at the lowest priority: nobody waits for its hash, and others may be computing.
_NICENESS = 19


class Worker:
    """Holds one model and one context, and carries out one command after another."""

    def __init__(self, reply: Callable[[wire.Reply], None], stop: StopFlag) -> None:
        """`reply` sends a reply to the parent; another thread sets `stop`."""
        self._reply = reply
        self._stop = stop
        self._llama: Any = None
        self._model: Model | None = None
        self._context: Context | None = None
        self._states: States | None = None
        self._reading_ahead: ReadingAhead | None = None
        self._backends = Backends()

    def handle(self, command: wire.WorkerCommand) -> None:
        """Carry out one command; an error becomes a `Failed` reply."""
        try:
            match command:
                case wire.Load(options, folder):
                    if options.plan.gpu_layers and folder:
                        leaving.wait(Path(os.fsdecode(folder)))
                    self._load(options)
                case wire.Count():
                    self._count(command)
                case wire.Resize(ctx_size):
                    self._resize(ctx_size)
                case wire.Generate(number, request):
                    self._generate(number, request)
                case wire.ReadAhead(request):
                    if self._reading_ahead:
                        self._reading_ahead.request = request
                case wire.Measure(number, sizes, depth):
                    assert self._model is not None
                    self._stop.begin(number)
                    seconds = batch_seconds(self._model, self._options, self._stop, sizes, min(depth, self._ctx_size))
                    self._reply(wire.Measured(seconds))
                case wire.Describe(options):
                    self._reply(wire.Described(dry_run.describe(self._library(), options, self._backends)))
                case wire.Examine(options):
                    dry_run.examine(self._library(), options)
                    self._reply(wire.Examined())
                case wire.Leave(notice):
                    self._leave(notice)
                case wire.Cancel():
                    raise AssertionError("the thread that reads the commands handles it")
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

    @property
    def idle_after(self) -> float | None:
        """After how many seconds without a command there is other work; None if there is none."""
        if self._reading_ahead and self._reading_ahead.request:
            return 0.0
        return _IDLE if self._states and self._states.pending else None

    def idle(self, should_stop: Callable[[], bool]) -> None:
        """Do that work until `should_stop`: read ahead; or else save what was computed, then hash the model."""
        if self._reading_ahead and self._reading_ahead.request:
            try:
                # A longer prompt leaves no room for an answer, so something else will be asked.
                self._reading_ahead.read(self._context_for, self._ctx_size * 7 // 8, should_stop)
            except (ContextError, MemoryError):
                # When the question is asked, the same fails again, and the person is told.
                self._reading_ahead.forget()
        elif self._states and self._context:
            self._states.save(self._context, should_stop)
            self._states.hash_model(should_stop)

    def count_aside(self, command: wire.Count) -> bool:
        """Count in the thread that reads the commands, if the main thread reads ahead: this need not stop it."""
        if self._reading_ahead is None or not self._reading_ahead.is_reading:
            return False
        self._count(command)
        return True

    def stops_reading_ahead(self, command: wire.WorkerCommand) -> bool:
        """Whether `command` has nothing to do with what is being read ahead."""
        if self._reading_ahead is None or not isinstance(command, wire.Generate | wire.ReadAhead):
            return True
        return not self._reading_ahead.continues(command.request)

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

        if self._states and self._context and self._model:
            self._states.leave(self._context, lambda: self._free(notice), report_leaving)
            report_leaving()
            self._free(notice)
            if hasattr(os, "nice"):
                os.nice(_NICENESS)
            self._states.hash_model(lambda: False)
        os._exit(0)

    def _free(self, notice: bytes) -> None:
        """Free context and model if they are there, then withdraw the `notice` that GPU memory is held."""
        context, model = self._context, self._model
        self._context = self._model = None
        if context and model:
            context.close()
            model.close()
            if notice:
                leaving.withdraw(Path(os.fsdecode(notice)))

    def _load(self, options: LoadOptions) -> None:
        begun = time.perf_counter()
        self._llama = self._library()
        free_before = self._free_on_gpu() if options.plan.gpu_layers else 0
        # Taken before the file is read: if it is replaced meanwhile, this is not the stamp of the new one.
        stamped = identity.stamp(options.path)
        self._states = States(options.store, options, self._backends.variant) if options.store else None
        self._model = Model(self._llama, options, self._progress_reporter(), dry=options.counts_only)
        self._chatml = ChatML(self._model.vocabulary)
        self._grammars = Grammars(self._model.vocabulary)
        self._reading_ahead = ReadingAhead(self._chatml, self._states, self._stop, self._reply)
        self._options = options
        self._costs = BatchCosts(options.costs.batches)
        self._pace = Pace(options.plan.threads)
        self._ctx_size = min(options.plan.ctx_size, self._model.trained_ctx_size)
        layers = self._model.layers
        on_gpu = layers if options.plan.gpu_layers == ALL_LAYERS else min(options.plan.gpu_layers, layers)
        if on_gpu and not device_for_layers(self._llama):
            on_gpu = 0
        if (on_gpu or options.warm_up) and not options.counts_only and not self._warm_up(self._model, on_gpu):
            return
        self._info = EngineInfo(
            model=self._model.name,
            device="GPU" if on_gpu else "CPU",
            ctx_size=self._ctx_size,
            threads=options.plan.threads,
            gpu_layers=on_gpu,
            layers=layers,
            identity=stamped or "",
        )
        self._held = max(0, free_before - self._free_on_gpu()) if on_gpu else 0
        self._reply(wire.Loaded(self._info, time.perf_counter() - begun, self._held))

    def _resize(self, ctx_size: int) -> None:
        """Let the context hold so many tokens; on a GPU its memory is allocated now, as when the model is loaded."""
        assert self._model is not None
        size, on_gpu = min(ctx_size, self._model.trained_ctx_size), bool(self._info.gpu_layers)
        if self._context:
            free_before = self._free_on_gpu() if on_gpu else 0
            self._context.resize(size, at_once=on_gpu)
            self._held += max(0, free_before - self._free_on_gpu()) if on_gpu else 0
        self._ctx_size = size
        self._info = msgspec.structs.replace(self._info, ctx_size=size)
        self._reply(wire.Loaded(self._info, 0.0, self._held))

    def _library(self) -> Any:
        """Load llama.cpp; raises `LibraryError`."""

        def report(backends: Backends) -> None:
            self._backends = backends
            if backends.variant:
                self._reply(wire.Backend(backends.variant, backends.others))

        llama = load_library(os.environ.get(variants.VARIABLE, "").split(","), report)
        add_rpc_device(llama)
        return llama

    def _free_on_gpu(self) -> int:
        """Return the free memory of the GPU in bytes; 0 without one."""
        found = device_for_layers(self._llama)
        return found[1].free if found else 0

    def _warm_up(self, model: Model, on_gpu: int) -> bool:
        """Allocate now the memory that an answer will need: a GPU that runs out of it later may end the process.

        Return False, and reply `Failed`, if that leaves too little memory on the GPU.
        """
        context = Context(model, self._options, self._ctx_size, self._stop)
        if on_gpu:
            context.reserve(self._ctx_size)
        context.warm_up(model.vocabulary.special("<|im_start|>"))
        _handle, card = (device_for_layers(self._llama) if on_gpu else None) or (None, None)
        # An integrated GPU shares the computer's memory. Some drivers report no total.
        if card and card.kind == "gpu" and card.total and card.free < self._options.least_free:
            self._reply(wire.Failed("memory", f"{card.free} bytes left on {card.name}"))
            return False
        self._context = context
        return True

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

    def _generate(self, number: int, request: Request) -> None:
        assert self._model is not None
        begun = time.perf_counter()
        self._stop.begin(number)
        if self._reading_ahead:
            self._reading_ahead.forget()
        if self._states:
            self._states.asked()
            before = self._states.written_before(request.conversation, self._stop, self._report_wait)
            self._chatml.learn(before)
        prompt = self._chatml.tokens(request.messages)
        if len(prompt) + LEAST_ROOM > self._ctx_size:
            self._reply(wire.Failed("too_long", tokens=len(prompt), ctx_size=self._ctx_size))
            return
        whole = [*prompt, *request.begun]
        sampler = self._sampler(request)
        try:
            if self._context is None:
                # Allocating a context may take long, because a gigabyte has to be cleared. So report first.
                self._reply(Prefill(0, len(prompt)))
            context = self._context_for(len(whole))
            drafter = self._drafter(request, whole)
            generation = Generation(
                context, self._model.vocabulary, sampler, drafter, self._stop, begun, self._pace_of(request)
            )
            if self._states:
                self._states.restore(context, whole, request, self._stop, self._report_wait)
            if request.repeats:
                context.reuse(whole, aligned_only=True)
            for event in generation.events(prompt, request.max_tokens, request.begun):
                if self._states:
                    self._states.watch(event)
                self._reply(event)
            self._chatml.remember(generation.text, generation.tokens)
            if self._states:
                self._states.answered(request.conversation)
        finally:
            sampler.close()

    def _context_for(self, tokens: int) -> Context:
        """Return the context; a new one has room for so many tokens and an answer. Raises `NoRoomError`."""
        if self._context is None:
            assert self._model is not None
            context = Context(self._model, self._options, self._ctx_size, self._stop)
            context.reserve(tokens + ROOM)
            self._context = context
        return self._context

    def _count(self, command: wire.Count) -> None:
        prompt = self._chatml.tokens(command.messages)
        self._reply(wire.Counted(len(prompt), self._cached(prompt) if command.cached else 0))

    def _cached(self, prompt: Sequence[int]) -> int:
        """Return how many tokens of a prompt are in the context, or in a state on the disk that would be read."""
        here = self._context.common(prompt) if self._context else 0
        return max(here, self._states.kept_of(prompt, here, self._ctx_size) if self._states else 0)

    def _report_wait(self, tokens: int) -> None:
        """Report that the worker waits for another process, which is writing a state of so many `tokens`."""
        self._reply(Prefill(0, tokens, awaited=True))

    def _sampler(self, request: Request) -> Sampler:
        assert self._model is not None
        vocabulary = self._model.vocabulary
        if isinstance(request.sampler, ReplayOptions):
            read_best = partial(best_two, self._llama, vocabulary.size) if request.sampler.best_two else None
            return ReplaySampler(vocabulary.tokenize(request.sampler.text), vocabulary.special("<|im_end|>"), read_best)
        schema = request.schema
        if schema is None:
            return ChainSampler(self._llama, vocabulary, request.sampler)
        # The grammar is built during the prefill.
        self._grammars.prepare()
        return GrammarSampler(self._llama, vocabulary, request.sampler, lambda: self._grammars.grammar(schema))

    def _pace_of(self, request: Request) -> Pace:
        """Return what chooses the threads: fixed where they change an answer that is to repeat itself, or on a GPU."""
        plan = self._options.plan
        if plan.gpu_layers or (plan.flash_attention and request.is_drawn_alike):
            return Pace(plan.threads, adapts=False)
        return self._pace

    def _drafter(self, request: Request, prompt: Sequence[int]) -> Drafter:
        if not request.lookup:
            return NoDrafts()
        # A batch of another size rounds differently. So where an answer is to repeat itself, its drafts must not depend
        # on the speed of the machine.
        alike = request.is_drawn_alike
        return Lookup(prompt, BatchCosts(self._options.costs.batches) if alike else self._costs, learn_costs=not alike)
