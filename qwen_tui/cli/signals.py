"""Handles signals: Ctrl-C, SIGTERM and SIGHUP, and Ctrl-Z while an answer streams."""

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

# The signals that end the program, as far as this platform has them.
_ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]

Handler = Callable[[int, FrameType | None], None]


@contextmanager
def heeded() -> Iterator[Cancellation]:
    """Run the block as an operation that Ctrl-C and the signals that end the program cancel."""
    # Ctrl-C must not interrupt Python's clean-up at exit.
    atexit.register(_ignore_ctrl_c)
    with cancellation.operation() as operation, _handled(dict.fromkeys((signal.SIGINT, *_ENDING), _heed)):
        yield operation


@contextmanager
def telling(on_ending: Callable[[], None]) -> Iterator[None]:
    """Call `on_ending` too if SIGTERM or SIGHUP comes while the block runs."""

    def end(number: int, frame: FrameType | None) -> None:
        on_ending()
        _heed(number, frame)

    with _handled(dict.fromkeys(_ENDING, end)):
        yield


@contextmanager
def suspending(
    engine: "Callable[[], Engine]", on_suspended: Callable[[], None], on_resumed: Callable[[], None]
) -> Iterator[None]:
    """While the block runs, Ctrl-Z stops the worker together with the program.

    `on_suspended` is called before both stop, `on_resumed` when both go on. `engine` returns the engine that is in use
    then.
    """

    def suspend(number: int, _frame: FrameType | None) -> None:
        # The terminal stops only this process, because the worker is in a process group of its own.
        engine().pause()
        on_suspended()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        # The shell has continued the program, for example by fg.
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
    """Install the handlers until the end of the block, and then the handlers that were there before.

    Python allows that only in the main thread; in another thread, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # nohup starts the program with some signals ignored. They stay ignored.
    taken = {n: h for n, h in handlers.items() if signal.getsignal(n) not in (signal.SIG_IGN, None)}
    before: dict[int, Any] = {number: signal.signal(number, handler) for number, handler in taken.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
