"""What the worker does: it carries out the parent's commands with one model and one context."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qwen_tui.engine import leaving, wire
from qwen_tui.engine.protocol import ALL_LAYERS, EngineInfo, LoadOptions, ReplayOptions, Request
from qwen_tui.engine.schema import GrammarError
from qwen_tui.engine.worker import dry_run
from qwen_tui.engine.worker.binding import LibraryError, load_library
from qwen_tui.engine.worker.context import Context, ContextError, NoRoomError
from qwen_tui.engine.worker.costs import batch_seconds
from qwen_tui.engine.worker.devices import add_rpc_device, device_for_layers
from qwen_tui.engine.worker.generation import ROOM, Generation
from qwen_tui.engine.worker.grammar import Grammars
from qwen_tui.engine.worker.lookup import BatchCosts, Drafter, Lookup, NoDrafts
from qwen_tui.engine.worker.model import LoadError, Model
from qwen_tui.engine.worker.prompt import ChatML
from qwen_tui.engine.worker.sampling import ChainSampler, GrammarSampler, ReplaySampler, Sampler
from qwen_tui.engine.worker.states import PATIENCE, States
from qwen_tui.engine.worker.stop import StopFlag
from qwen_tui.messages import Loading, Prefill

# An answer needs at least this much room, in tokens; a prompt that leaves less is refused.
_LEAST_ROOM = 16
# Progress of the loading is reported at most this often, in seconds.
_PROGRESS_EVERY = 0.05
# A hash that nobody waits for takes next to nothing from those who compute.
_NICENESS = 19


class Worker:
    """Holds one model, one context, and answers one command after another."""

    def __init__(self, reply: Callable[[wire.Reply], None], stop: StopFlag) -> None:
        self._reply = reply
        self._stop = stop
        self._llama: Any = None
        self._model: Model | None = None
        self._context: Context | None = None
        self._states: States | None = None

    def handle(self, command: wire.Command) -> None:
        """Carry out one command; what cannot be done becomes a `Failed` reply."""
        try:
            match command:
                case wire.Load(options, folder):
                    if options.gpu_layers and folder:
                        leaving.wait(Path(os.fsdecode(folder)))
                    self._load(options)
                case wire.Count(messages):
                    self._reply(wire.Counted(len(self._chatml.tokens(messages))))
                case wire.Generate(number, request):
                    self._generate(number, request)
                case wire.Measure(number, sizes, depth):
                    assert self._model is not None
                    self._stop.begin(number)
                    seconds = batch_seconds(self._model, self._options, self._stop, sizes, min(depth, self._ctx_size))
                    self._reply(wire.Measured(seconds))
                case wire.Describe(options):
                    self._reply(wire.Described(dry_run.describe(_library(), options)))
                case wire.Leave(sign):
                    self._leave(sign)
                case wire.Cancel():
                    raise AssertionError("the reader takes it")
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
    def has_more(self) -> bool:
        """Whether there is something to do when nothing else is."""
        return self._states is not None and self._states.pending

    def idle(self, wanted: Callable[[], bool]) -> None:
        """Save what was computed, until this worker is `wanted`."""
        if self._states and self._context:
            self._states.save(self._context, wanted)
            self._states.find_out(wanted)

    def _leave(self, sign: bytes) -> None:
        """Save what was computed, and end: within the time that others wait for it, whether it is saved or not.

        The parent ends once it is told, and who asks next sees on the disk what is coming.
        """
        ending = threading.Timer(PATIENCE, os._exit, (0,))
        ending.daemon = True
        ending.start()

        def tell() -> None:
            # A parent that has ended meanwhile need not be told.
            with contextlib.suppress(OSError):
                self._reply(wire.Leaving())

        if self._states and self._context and self._model:
            self._states.leave(self._context, lambda: self._free(sign), tell)
            tell()
            self._free(sign)
            if hasattr(os, "nice"):
                os.nice(_NICENESS)
            self._states.find_out(lambda: False)
        os._exit(0)

    def _free(self, sign: bytes) -> None:
        """Free context and model, if that is still to be done; `sign` tells others that memory of a GPU is held."""
        context, model = self._context, self._model
        self._context = self._model = None
        if context and model:
            context.close()
            model.close()
            if sign:
                leaving.withdraw(Path(os.fsdecode(sign)))

    def _load(self, options: LoadOptions) -> None:
        begun = time.perf_counter()
        self._llama = _library()
        before = self._free_on_gpu() if options.gpu_layers else 0
        self._states = States(options.store, options) if options.store else None
        self._model = Model(self._llama, options, self._progress())
        self._chatml = ChatML(self._model.vocabulary)
        self._grammars = Grammars(self._model.vocabulary)
        self._options = options
        self._costs = BatchCosts(options.batch_costs)
        self._ctx_size = min(options.ctx_size, self._model.trained_ctx_size)
        layers = self._model.layers
        on_gpu = layers if options.gpu_layers == ALL_LAYERS else min(options.gpu_layers, layers)
        if on_gpu and not device_for_layers(self._llama):
            on_gpu = 0
        if (on_gpu or options.warm_up) and not self._warm_up(self._model, on_gpu):
            return
        info = EngineInfo(
            model=self._model.name,
            device="GPU" if on_gpu else "CPU",
            ctx_size=self._ctx_size,
            threads=options.threads,
            gpu_layers=on_gpu,
            layers=layers,
        )
        held = max(0, before - self._free_on_gpu()) if on_gpu else 0
        self._reply(wire.Loaded(info, time.perf_counter() - begun, held))

    def _free_on_gpu(self) -> int:
        found = device_for_layers(self._llama)
        return found[1].free if found else 0

    def _warm_up(self, model: Model, on_gpu: int) -> bool:
        """Take now what memory an answer will take; False if that leaves too little on the GPU, which is told.

        A GPU that runs out of it later may end the process.
        """
        context = Context(model, self._options, self._ctx_size, self._stop)
        if on_gpu:
            context.reserve(self._ctx_size)
        context.warm_up(model.vocabulary.special("<|im_start|>"))
        _handle, card = (device_for_layers(self._llama) if on_gpu else None) or (None, None)
        # An integrated one shares the computer's memory, and some do not tell.
        if card and card.kind == "gpu" and card.total and card.free < self._options.least_free:
            self._reply(wire.Failed("memory", f"{card.free} bytes left on {card.name}"))
            return False
        self._context = context
        return True

    def _progress(self) -> Callable[[float], None]:
        last = 0.0

        def report(fraction: float) -> None:
            nonlocal last
            now = time.monotonic()
            # After the last, the warm-up is what is waited for.
            if now - last >= _PROGRESS_EVERY or fraction >= 1:
                last = now
                self._reply(Loading(fraction))

        return report

    def _generate(self, number: int, request: Request) -> None:
        assert self._model is not None
        begun = time.perf_counter()
        self._stop.begin(number)
        if self._states:
            before = self._states.written_before(request.conversation, self._stop, self._waiting)
            self._chatml.learn(before)
        prompt = self._chatml.tokens(request.messages)
        if len(prompt) + _LEAST_ROOM > self._ctx_size:
            self._reply(wire.Failed("too_long", tokens=len(prompt), ctx_size=self._ctx_size))
            return
        whole = [*prompt, *request.begun]
        sampler = self._sampler(request)
        try:
            if self._context is None:
                # Making it may clear a gigabyte: say what is ahead before, not after.
                self._reply(Prefill(0, len(prompt)))
                context = Context(self._model, self._options, self._ctx_size, self._stop)
                context.reserve(len(whole) + ROOM)
                self._context = context
            drafter = self._drafter(request, whole)
            generation = Generation(self._context, self._model.vocabulary, sampler, drafter, self._stop, begun)
            if self._states:
                self._states.restore(self._context, whole, request, self._stop, self._waiting)
            if request.repeats:
                self._context.reuse(whole, aligned_only=True)
            for event in generation.events(prompt, request.max_tokens, request.begun):
                if self._states:
                    self._states.watch(event)
                self._reply(event)
            self._chatml.remember(generation.text, generation.tokens)
            if self._states:
                self._states.answered(request.conversation)
        finally:
            sampler.close()

    def _waiting(self, tokens: int) -> None:
        self._reply(Prefill(0, tokens, awaited=True))

    def _sampler(self, request: Request) -> Sampler:
        assert self._model is not None
        vocabulary = self._model.vocabulary
        if isinstance(request.sampler, ReplayOptions):
            return ReplaySampler(vocabulary.tokenize(request.sampler.text), vocabulary.special("<|im_end|>"))
        schema = request.schema
        if schema is None:
            return ChainSampler(self._llama, vocabulary, request.sampler)
        # It goes on while the prompt is read.
        self._grammars.prepare()
        return GrammarSampler(self._llama, vocabulary, request.sampler, lambda: self._grammars.grammar(schema))

    def _drafter(self, request: Request, prompt: Sequence[int]) -> Drafter:
        if not request.lookup:
            return NoDrafts()
        # A batch of another size rounds differently: where an answer is to repeat itself, its drafts must not depend on
        # how fast the machine was.
        alike = request.is_drawn_alike
        return Lookup(prompt, BatchCosts(self._options.batch_costs) if alike else self._costs, learn_costs=not alike)


def _library() -> Any:
    llama = load_library()
    add_rpc_device(llama)
    return llama
