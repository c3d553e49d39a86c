"""Prefills the beginning of the next prompt while the parent asks for nothing: most prompts are known before they come.

The main thread of the worker reads, a batch at a time. The thread that takes the commands stops it for everything but a
command that goes on with what is being read: then the batch in progress is not lost.
"""

from collections.abc import Callable

from qwen_tui.engine import wire
from qwen_tui.engine.protocol import Request
from qwen_tui.engine.worker.context import Context, full_batches
from qwen_tui.engine.worker.prompt import ChatML
from qwen_tui.engine.worker.states import States
from qwen_tui.engine.worker.stop import StopFlag
from qwen_tui.messages import Prefill

# What would make the context forget more tokens of the same conversation than this is not read before it is asked: the
# person may think better of it.
_MAY_FORGET = 256


class ReadingAhead:
    """What is known of the next prompt, and whether it is being read."""

    def __init__(
        self, chatml: ChatML, states: States | None, stop: StopFlag, reply: Callable[[wire.Reply], None]
    ) -> None:
        self._chatml = chatml
        self._states = states
        self._stop = stop
        self._reply = reply
        # The request that the next one will probably go on with, None if there is nothing left to read of it.
        self.request: Request | None = None
        # The number of its conversation, and that of the conversation which was read ahead before.
        self.place = self._place = 0
        # Whether the main thread is reading.
        self.is_reading = False

    def continues(self, request: Request) -> bool:
        """Whether `request` goes on with what is being read, so that the batch in progress serves it."""
        begun = self.request
        if begun is None:
            return False
        *before, last = begun.messages
        *known, here = request.messages[: len(begun.messages)]
        return known == before and here.role == last.role and here.content.startswith(last.content)

    def read(self, context_for: Callable[[int], Context], room: int, should_stop: Callable[[], bool]) -> None:
        """Read the request, batch by batch, until `should_stop`.

        `context_for` returns the context, with a capacity for so many tokens; a prompt may have `room` tokens at most.
        Raises `ContextError`.
        """
        request = self.request
        assert request is not None
        self.is_reading = True
        self._stop.begin_reading_ahead()
        try:
            # A command that came before that has not seen that it must stop the reading.
            if should_stop():
                return
            if self._states:
                self._states.begins_reading_ahead()
                # The answers of a conversation that another process has answered are the tokens that it wrote.
                before = self._states.written_before(request.conversation, self._stop, lambda _tokens: None)
                self._chatml.learn(before)
            prompt = self._chatml.beginning(request.messages)
            if not prompt or len(prompt) > room or self._read(context_for(len(prompt)), prompt, request, should_stop):
                self.forget()
        finally:
            self.is_reading = False

    def forget(self) -> None:
        """Read nothing any more, because everything is read, or cannot be."""
        if self.request is not None:
            self.request = None
            self._reply(wire.ReadAheadProgress(0, 0))

    def _read(self, context: Context, prompt: list[int], request: Request, should_stop: Callable[[], bool]) -> bool:
        """Read `prompt` into the context; False if it was stopped before the end."""
        # `reuse` leaves out the last token, because an answer needs its logits. Here every token counts.
        wanted = [*prompt, -1]
        if self.place != self._place:
            self._place = self.place
            if self._states:
                # It is the last moment for the state of the conversation that the person has left.
                self._states.save(context, should_stop)
                self._states.asked()
        elif len(context.tokens) - context.common(wanted) > _MAY_FORGET:
            return True
        if self._states:
            self._states.restore(context, wanted, request, self._stop, lambda _tokens: None)
        if request.repeats:
            # Such an answer uses full batches alone.
            del prompt[full_batches(len(prompt), context.batch_size) :]
        if context.reusable([*prompt, -1], aligned_only=request.repeats) == len(prompt):
            # All of it is there, and what stands behind it may be needed again.
            return True
        cached = context.reuse([*prompt, -1], aligned_only=request.repeats)
        # A context that grew later would compute with all threads again.
        context.reserve(len(prompt))
        with context.one_thread_fewer(exactly=request.repeats):
            while (done := len(context.tokens)) < len(prompt):
                self._reply(wire.ReadAheadProgress(done, len(prompt)))
                if self._states:
                    # What a token costs decides if the state is worth keeping.
                    self._states.watch(Prefill(done, len(prompt), cached))
                if should_stop() or self._stop or not context.decode(prompt[done : done + context.batch_size]):
                    return False
                context.synchronize()
        if self._states:
            self._states.answered(request.conversation)
        return True
