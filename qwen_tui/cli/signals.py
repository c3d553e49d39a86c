"""The signals that the program takes: Ctrl-C, being told to end, and Ctrl-Z while an answer streams."""

import atexit
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from qwen_tui import cancellation
from qwen_tui.cancellation import Cancellation

if TYPE_CHECKING:
    from qwen_tui.engine.protocol import Engine

# Those that end the program; not every platform has them all.
_ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]

Handler = Callable[[int, FrameType | None], None]


@contextmanager
def heeded() -> Iterator[Cancellation]:
    """Run the block as an operation that Ctrl-C and the signals that end the program cancel."""
    # Once Python tidies up, Ctrl-C would only tear that apart.
    atexit.register(_ignore_ctrl_c)
    with cancellation.operation() as operation, _handled(dict.fromkeys((signal.SIGINT, *_ENDING), _heed)):
        yield operation


@contextmanager
def telling(on_ending: Callable[[], None]) -> Iterator[None]:
    """Call `on_ending` as well when the program is told to end while the block runs."""

    def end(number: int, frame: FrameType | None) -> None:
        on_ending()
        _heed(number, frame)

    with _handled(dict.fromkeys(_ENDING, end)):
        yield


@contextmanager
def suspending(engine: "Callable[[], Engine]", on_resumed: Callable[[], None]) -> Iterator[None]:
    """Stop the worker with the program at Ctrl-Z while the block runs; `on_resumed` is called when both go on.

    `engine` returns the one in use by then.
    """

    def suspend(number: int, _frame: FrameType | None) -> None:
        # The worker is in a group of its own. This process stops as if nobody had asked.
        engine().pause()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        # Here the program has been continued.
        signal.signal(number, suspend)
        on_resumed()
        engine().resume()

    with _handled({signal.SIGTSTP: suspend} if hasattr(signal, "SIGTSTP") else {}):
        yield


def _ignore_ctrl_c() -> None:
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _heed(number: int, _frame: FrameType | None) -> None:
    cancellation.current().heed(number)


@contextmanager
def _handled(handlers: dict[int, Handler]) -> Iterator[None]:
    """Take the signals until the end of the block, then leave them to whom they belonged.

    Only the main thread can take any.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # What the program was started to ignore, as by nohup, it goes on ignoring.
    taken = {n: h for n, h in handlers.items() if signal.getsignal(n) not in (signal.SIG_IGN, None)}
    before: dict[int, Any] = {number: signal.signal(number, handler) for number, handler in taken.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
