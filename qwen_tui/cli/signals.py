"""Ctrl-C, Ctrl-Z, and being told to end, while an answer streams."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from qwen_tui.engine.protocol import Engine

# Those that end the program; not every platform has them all.
_ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Signals:
    """What was signalled while `handled` was in force. The handlers never raise into a stream: they cancel it."""

    def __init__(
        self,
        engine: Callable[[], Engine],
        *,
        on_resumed: Callable[[], None],
        on_ending: Callable[[], None] = lambda: None,
    ) -> None:
        """`engine` returns the one in use by then.

        `on_resumed` is called when the program goes on after a stop, `on_ending` when it is told to end.
        """
        self._engine = engine
        self._on_resumed = on_resumed
        self._on_ending = on_ending
        self.interrupted = False
        self.ending: int | None = None

    @property
    def exit_code(self) -> int:
        """The exit code that the signals call for, 0 if there were none."""
        if self.ending is not None:
            return 128 + self.ending
        return 128 + signal.SIGINT if self.interrupted else 0

    @contextmanager
    def handled(self) -> Iterator["Signals"]:
        """Take the signals until the end of the block, then leave them to whom they belonged."""
        handlers: dict[int, Callable[[int, FrameType | None], None]] = {signal.SIGINT: self._interrupt}
        handlers |= dict.fromkeys(_ENDING, self._end)
        if hasattr(signal, "SIGTSTP"):
            handlers[signal.SIGTSTP] = self._suspend
        # What the program was started to ignore, as by nohup, it goes on ignoring.
        handlers = {n: h for n, h in handlers.items() if signal.getsignal(n) not in (signal.SIG_IGN, None)}
        before: dict[int, Any] = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self.interrupted = True
        self._engine().cancel()

    def _end(self, number: int, _frame: FrameType | None) -> None:
        self.ending = number
        self._engine().cancel()
        self._on_ending()

    def _suspend(self, number: int, _frame: FrameType | None) -> None:
        """Stop the worker too, which is in a group of its own, then this process as if nobody had asked."""
        self._engine().pause()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        # Here the program has been continued.
        signal.signal(number, self._suspend)
        self._on_resumed()
        self._engine().resume()
