"""Puts the parts of a long text to the engine, as many at a time as it takes, and keeps every answer as it ends."""

import contextvars
import queue
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

from qwen_tui import cancellation
from qwen_tui.cancellation import Cancellation
from qwen_tui.chat.fitting.kept_parts import KeptParts, PartAnswer, key_of
from qwen_tui.chat.fitting.way import seconds_in_all
from qwen_tui.chat.reasoning import separate_reasoning
from qwen_tui.engine.protocol import Engine, Request
from qwen_tui.errors import CancelledError, why
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import ngettext
from qwen_tui.messages import Event, Finished, Note, Reasoning, Step, Text

# The thread that waits for others looks so often whether a signal has come, in seconds.
_LOOK_EVERY = 0.05


class Ended(NamedTuple):
    """The answer to the part of this number, from 0, is whole or broke off; `is_kept`: it comes from an earlier run."""

    part: int
    answer: PartAnswer
    is_kept: bool = False


class PartAnswers:
    """The answers to `requests`, one for each part. They are kept in `kept`; None keeps nothing.

    Each answer will have about as many tokens as `expected` says.
    """

    def __init__(
        self,
        engine: Engine,
        requests: Sequence[Request],
        kept: KeptParts | None,
        expected: Sequence[int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._kept = kept
        info, host = engine.info(), engine.host
        self._keys = [key_of(request, info, host) for request in requests]
        found = [kept.find(key) if kept else None for key in self._keys]
        # The answers of an earlier run, by the index of their part, and the parts that are to be answered now.
        self._before = {index: answer for index, answer in enumerate(found) if answer is not None}
        self._parts = {i: _Part(i, request) for i, request in enumerate(requests) if i not in self._before}
        sizes = {i: (engine.count(requests[i].messages), expected[i]) for i in self._parts}
        self._pace = _Pace(engine, sizes, clock)
        self._is_refused = False

    def events(self) -> Generator[Event | Ended, None, None]:
        """Yield what happens in each part, and then `Ended`, in the order of the parts; raises what the engine raises.

        Between them stands how far the work is. After a part that was interrupted, nothing follows.
        """
        if self._before:
            yield Note(self._from_before())
        yield self._step()
        current = 0
        # What has come of parts that are not yet the turn of, because an earlier one is still being answered.
        held: dict[int, list[Event | Ended]] = defaultdict(list)
        with closing(self._arriving()) as arriving:
            for index, arrived in arriving:
                if index != current:
                    held[index].append(arrived)
                    if isinstance(arrived, Ended):
                        yield self._step()
                    continue
                coming = deque([arrived])
                while coming:
                    event = coming.popleft()
                    yield event
                    if isinstance(event, Ended):
                        if event.answer.reason == "interrupted":
                            return
                        current += 1
                        yield self._step()
                        coming.extend(held.pop(current, ()))
                    elif isinstance(event, Text | Reasoning):
                        yield self._step(self._parts[current].written)

    def forget(self) -> None:
        """Remove what is kept of these parts, because the same work would have another result."""
        for key in self._keys:
            if self._kept:
                self._kept.drop(key)

    def _arriving(self) -> Generator[tuple[int, Event | Ended], None, None]:
        """Yield what comes of each part, at the time when it comes."""
        for index, answer in self._before.items():
            yield index, Ended(index, answer, is_kept=True)
        parts = list(self._parts.values())
        at_once = min(self._engine.parallel, len(parts))
        streams = _side_by_side(self._engine, parts, at_once) if at_once > 1 else _one_by_one(self._engine, parts)
        with closing(streams):
            for index, event in streams:
                if isinstance(event, Ended) and event.answer.reason != "interrupted":
                    self._pace.end(index)
                    if refused := self._keep(event):
                        yield index, Note(refused)
                yield index, event

    def _keep(self, ended: Ended) -> str:
        """Keep an answer; return what to tell the person if that fails for the first time."""
        if self._kept is None or self._is_refused:
            return ""
        try:
            self._kept.keep(self._keys[ended.part], ended.answer)
        except OSError as error:
            self._is_refused = True
            return _("Finished parts cannot be kept: {reason}. Stopped, the work would begin anew.").format(
                reason=why(error)
            )
        return ""

    def _step(self, written: int = 0) -> Step:
        total = len(self._keys)
        return Step(total - self._pace.left, total, self._pace.left_s(), written)

    def _from_before(self) -> str:
        n, total = len(self._before), len(self._keys)
        if n == total:
            return _("All parts are kept from before.")
        if max(self._before) + 1 == n:
            sentence = ngettext(
                "Part 1 of {total} is kept from before.", "Parts 1 to {n} of {total} are kept from before.", n
            )
        else:
            sentence = ngettext(
                "One part of {total} is kept from before.", "{n} parts of {total} are kept from before.", n
            )
        return sentence.format(n=n, total=total)


class _Pace:
    """How long the parts take. `sizes` are the tokens to read and to write, by the index of the part."""

    def __init__(self, engine: Engine, sizes: dict[int, tuple[int, int]], clock: Callable[[], float]) -> None:
        self._engine = engine
        self._sizes = dict(sizes)
        self._done = 0
        self._clock = clock
        self._begun = clock()

    @property
    def left(self) -> int:
        """How many parts are left."""
        return len(self._sizes)

    def end(self, index: int) -> None:
        """Take note that a part is answered."""
        self._done += sum(self._sizes.pop(index))

    def left_s(self) -> float | None:
        """Return about how many seconds the rest takes: by the parts so far; before the first, by the engine's word."""
        if self._done:
            return (self._clock() - self._begun) / self._done * sum(map(sum, self._sizes.values()))
        return seconds_in_all(self._engine, self._sizes.values())


class _Part:
    """One part while it is answered. `written` counts the tokens of its answer so far."""

    def __init__(self, index: int, request: Request) -> None:
        self.index = index
        self._request = request
        self._text = ""
        self.written = 0

    def answered(self, engine: Engine) -> Iterator[Event | Ended]:
        """Yield the events of the answer, with `Ended` in the place of `Finished`."""
        for event in separate_reasoning(self._counted(engine.stream(self._request))):
            if isinstance(event, Text):
                self._text += event.piece
            elif isinstance(event, Reasoning) and event.taken_back:
                self._text = ""
            if isinstance(event, Finished):
                yield Ended(self.index, PartAnswer(self._text, event.reason, event.usage, event.timings))
            else:
                yield event

    def _counted(self, events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            if isinstance(event, Text):
                self.written += max(1, len(event.tokens))
            yield event


_Arriving = Generator[tuple[int, Event | Ended], None, None]


def _one_by_one(engine: Engine, parts: Sequence[_Part]) -> _Arriving:
    for part in parts:
        for event in part.answered(engine):
            yield part.index, event


def _side_by_side(engine: Engine, parts: Sequence[_Part], at_once: int) -> _Arriving:
    """Answer so many parts `at_once`, each in a thread of its own, and yield their events as they come."""
    waiting = deque(parts)
    operations: list[Cancellation] = []
    closed = threading.Event()
    # None says that a thread has ended.
    arrived: queue.Queue[tuple[int, Event | Ended] | Exception | None] = queue.Queue()

    def answer() -> None:
        try:
            with cancellation.operation() as operation:
                operations.append(operation)
                while not closed.is_set() and not operation.requested and (part := _taken(waiting)):
                    for event in part.answered(engine):
                        arrived.put((part.index, event))
        except CancelledError:
            # Whoever cancelled the work knows that nothing more comes.
            return
        except Exception as error:
            # The thread that waits for the parts raises it.
            arrived.put(error)
        finally:
            arrived.put(None)

    for _number in range(at_once):
        # In a copy of this thread's context, so that Ctrl-C reaches the stream.
        threading.Thread(target=contextvars.copy_context().run, args=(answer,), daemon=True).start()
    running = at_once
    try:
        while running:
            try:
                event = arrived.get(timeout=_LOOK_EVERY)
            except queue.Empty:
                continue
            if isinstance(event, Exception):
                raise event
            if event is None:
                running -= 1
            else:
                yield event
    finally:
        closed.set()
        for operation in operations:
            operation.cancel()


def _taken(waiting: deque[_Part]) -> _Part | None:
    try:
        return waiting.popleft()
    except IndexError:
        return None
