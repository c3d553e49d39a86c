"""A loaded model with its one context: it counts, answers, reads ahead while nothing is asked, and keeps its states."""

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec

from qwen_tui.engine import leaving, wire
from qwen_tui.engine.protocol import LEAST_ROOM, EngineInfo, LoadOptions, ReplayOptions, Request
from qwen_tui.engine.worker.context import Context, ContextError
from qwen_tui.engine.worker.costs import batch_seconds
from qwen_tui.engine.worker.devices import device_for_layers, free_for_layers
from qwen_tui.engine.worker.generation import ROOM, Generation
from qwen_tui.engine.worker.grammar import Grammars
from qwen_tui.engine.worker.lookup import BatchCosts, Drafter, Lookup, NoDrafts
from qwen_tui.engine.worker.model import Model
from qwen_tui.engine.worker.pace import Pace
from qwen_tui.engine.worker.prompt import ChatML
from qwen_tui.engine.worker.reading_ahead import ReadingAhead
from qwen_tui.engine.worker.sampling import ChainSampler, GrammarSampler, ReplaySampler, Sampler, best_two
from qwen_tui.engine.worker.states import States
from qwen_tui.engine.worker.stop import StopFlag
from qwen_tui.hardware.plan import ALL_LAYERS
from qwen_tui.messages import Prefill

# It saves a state only after so long without a command, in seconds: then that disturbs no question.
_IDLE = 2.0
# A worker that has left runs at the lowest priority: nobody waits for its hash, and others may be computing.
_NICENESS = 19


class LoadedModel:
    """Carries out what the parent wants of a loaded model; its methods raise `ContextError` and `MemoryError`."""

    def __init__(
        self,
        model: Model,
        options: LoadOptions,
        states: States | None,
        stop: StopFlag,
        reply: Callable[[wire.Reply], None],
        identity: str,
    ) -> None:
        """`identity` names the weights. Raises `LoadError` if the vocabulary has no ChatML marks."""
        self._model = model
        self._options = options
        self._states = states
        self._stop = stop
        self._reply = reply
        self._llama = model.llama
        self._context: Context | None = None
        self._chatml = ChatML(model.vocabulary)
        self._grammars = Grammars(model.vocabulary)
        self._reading_ahead = ReadingAhead(self._chatml, states, stop, reply)
        self._costs = BatchCosts(options.costs.batches)
        self._pace = Pace(options.plan.threads)
        layers = model.layers
        on_gpu = layers if options.plan.gpu_layers == ALL_LAYERS else min(options.plan.gpu_layers, layers)
        if on_gpu and not device_for_layers(self._llama):
            on_gpu = 0
        self.info = EngineInfo(
            model=model.name,
            device="GPU" if on_gpu else "CPU",
            ctx_size=min(options.plan.ctx_size, model.trained_ctx_size),
            threads=options.plan.threads,
            gpu_layers=on_gpu,
            layers=layers,
            identity=identity,
        )
        # How many bytes of GPU memory it holds.
        self.held = 0

    def warm_up(self) -> bool:
        """Allocate now the memory that an answer will need: a GPU that runs out of it later may end the process.

        Return False, and reply `Failed`, if that leaves too little memory on the GPU.
        """
        on_gpu = bool(self.info.gpu_layers)
        context = Context(self._model, self._options, self.info.ctx_size, self._stop)
        if on_gpu:
            context.reserve(self.info.ctx_size)
        context.warm_up(self._model.vocabulary.special("<|im_start|>"))
        _handle, card = (device_for_layers(self._llama) if on_gpu else None) or (None, None)
        # An integrated GPU shares the computer's memory. Some drivers report no total.
        if card and card.kind == "gpu" and card.total and card.free < self._options.least_free:
            self._reply(wire.Failed("memory", f"{card.free} bytes left on {card.name}"))
            return False
        self._context = context
        return True

    def resize(self, ctx_size: int) -> None:
        """Let the context hold so many tokens; on a GPU its memory is allocated now, as when the model is loaded."""
        size, on_gpu = min(ctx_size, self._model.trained_ctx_size), bool(self.info.gpu_layers)
        if self._context:
            free_before = free_for_layers(self._llama) if on_gpu else 0
            self._context.resize(size, at_once=on_gpu)
            self.held += max(0, free_before - free_for_layers(self._llama)) if on_gpu else 0
        self.info = msgspec.structs.replace(self.info, ctx_size=size)
        self._reply(wire.Loaded(self.info, 0.0, self.held))

    def count(self, command: wire.Count) -> None:
        """Count the tokens of a prompt, and those of them that need no computing."""
        prompt = self._chatml.tokens(command.messages)
        self._reply(wire.Counted(len(prompt), self._cached(prompt) if command.cached else 0))

    def count_aside(self, command: wire.Count) -> bool:
        """Count in the thread that reads the commands, if the main thread reads ahead: this need not stop it."""
        if not self._reading_ahead.is_reading:
            return False
        try:
            self.count(command)
        except MemoryError:
            self._reply(wire.Failed("memory"))
        return True

    def _cached(self, prompt: Sequence[int]) -> int:
        """Return how many tokens of a prompt are in the context, or in a state on the disk that would be read."""
        here = self._context.common(prompt) if self._context else 0
        return max(here, self._states.kept_of(prompt, here, self.info.ctx_size) if self._states else 0)

    def measure(self, number: int, sizes: Sequence[int], depth: int) -> None:
        """Time batches of `sizes` tokens behind `depth` others."""
        self._stop.begin(number)
        depth = min(depth, self.info.ctx_size)
        self._reply(wire.Measured(batch_seconds(self._model, self._options, self._stop, sizes, depth)))

    def read_ahead(self, request: Request | None, place: int) -> None:
        """Read `request` as soon as nothing else is asked; with None, read nothing any more."""
        if request is None:
            self._reading_ahead.forget()
        self._reading_ahead.request, self._reading_ahead.place = request, place

    def stops_reading_ahead(self, command: wire.WorkerCommand) -> bool:
        """Whether `command` has nothing to do with what is being read ahead."""
        if not isinstance(command, wire.Generate | wire.ReadAhead) or command.request is None:
            return True
        return not self._reading_ahead.continues(command.request)

    @property
    def idle_after(self) -> float | None:
        """After how many seconds without a command there is other work; None if there is none."""
        if self._reading_ahead.request:
            return 0.0
        return _IDLE if self._states and self._states.pending else None

    def idle(self, should_stop: Callable[[], bool]) -> None:
        """Do that work until `should_stop`: read ahead; or else save what was computed, then hash the model."""
        if self._reading_ahead.request:
            try:
                # A longer prompt leaves no room for an answer, so something else will be asked.
                self._reading_ahead.read(self._context_for, self.info.ctx_size * 7 // 8, should_stop)
            except (ContextError, MemoryError):
                # When the question is asked, the same fails again, and the person is told.
                self._reading_ahead.forget()
        elif self._states and self._context:
            self._states.save(self._context, should_stop)
            self._states.hash_model(should_stop)

    def leave(self, notice: bytes, on_announced: Callable[[], None]) -> None:
        """Save what was computed, then free the memory and withdraw the `notice` that GPU memory is held.

        `on_announced` is called when other processes can see on the disk which state is coming.
        """
        if self._states and self._context:
            self._states.leave(self._context, lambda: self._free(notice), on_announced)
            on_announced()
            self._free(notice)
            if hasattr(os, "nice"):
                os.nice(_NICENESS)
            self._states.hash_model(lambda: False)

    def _free(self, notice: bytes) -> None:
        context, self._context = self._context, None
        if context:
            context.close()
            self._model.close()
            if notice:
                leaving.withdraw(Path(os.fsdecode(notice)))

    def generate(self, number: int, request: Request) -> None:
        """Answer a question; raises `GrammarError`, too."""
        begun = time.perf_counter()
        self._stop.begin(number)
        self._reading_ahead.forget()
        if self._states:
            self._states.asked()
            before = self._states.written_before(request.conversation, self._stop, self._report_wait)
            self._chatml.learn(before)
        prompt = self._chatml.tokens(request.messages)
        if len(prompt) + LEAST_ROOM > self.info.ctx_size:
            self._reply(wire.Failed("too_long", tokens=len(prompt), ctx_size=self.info.ctx_size))
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
            context = Context(self._model, self._options, self.info.ctx_size, self._stop)
            context.reserve(tokens + ROOM)
            self._context = context
        return self._context

    def _report_wait(self, tokens: int) -> None:
        """Report that the worker waits for another process, which is writing a state of so many `tokens`."""
        self._reply(Prefill(0, tokens, awaited=True))

    def _sampler(self, request: Request) -> Sampler:
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
