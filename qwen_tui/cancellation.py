"""How an operation ends when the person presses Ctrl-C, or when the system tells the program to end.

One rule holds everywhere: **a signal is noted, and whoever takes long looks.** The signal handler notes it in the
`Cancellation` of the operation that runs, and raises nothing: a write to the database, a rename, a call from C and
prompt_toolkit are never torn apart. Whatever may take longer than 0.2 s looks at least every 50 ms, and then raises
`CancelledError`, at a place where that is safe:

- a loop calls `check`, between two pieces of work;
- a pause is a `sleep`;
- a call that blocks in C, where no handler ends it (a name look-up, a driver, a slow disk), goes through `run`: a
  thread makes the call, this one waits for it and looks, and leaves it behind when it is cancelled;
- another program is waited for by `communicate`, which ends it;
- one blocking read of a terminal, a pipe or a file may stand in `interruptible`: there, and nowhere else, the handler
  raises, because the read holds nothing that could be lost.

What must be finished once it has begun, because half of it would be worse than a wait, stands in `shielded`.

A command is one operation, and in the REPL so is each line: `operation` begins one within the one that runs. Ctrl-C
ends the innermost, SIGTERM and SIGHUP end all. A thread has no operation unless it begins one: it never looks.

An operation that does not look for `_HANGS` seconds has a fault. So that it can be ended all the same, the next signal
raises `KeyboardInterrupt` in the middle of it, as Python does.
"""

import contextlib
import contextvars
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from qwen_tui.errors import CancelledError

if TYPE_CHECKING:
    import subprocess

T = TypeVar("T")

# Whoever waits looks this often, in seconds.
_LOOK_EVERY = 0.05
# An operation that was cancelled so long ago, in seconds, and still runs, does not look.
_HANGS = 3.0
# A program that was told to end has so long to do it, in seconds.
_PATIENCE = 0.5


class Cancellation:
    """Whether an operation is to end, and for which signal."""

    def __init__(self, within: "Cancellation | None" = None) -> None:
        """`within` is the operation of which this one is a part: what ends that ends this too."""
        self._within = within
        self._cause: int | None = None
        self._since = 0.0
        self._raises = False

    @property
    def cause(self) -> int | None:
        """The signal that cancelled it, None as long as nothing has."""
        outer = self._within.cause if self._within else None
        return self._cause if outer is None else outer

    @property
    def requested(self) -> bool:
        """Whether it is to end."""
        return self.cause is not None

    @property
    def exit_code(self) -> int:
        """The exit code that the signal calls for, 0 without one."""
        return 0 if self.cause is None else 128 + self.cause

    def cancel(self, number: int = signal.SIGINT) -> None:
        """Have it end soon; any thread may call this, and calling it again changes nothing but a lesser signal."""
        if self._cause in (None, signal.SIGINT):
            self._cause = number
        self._since = self._since or time.monotonic()

    def heed(self, number: int) -> None:
        """Take a signal, as the handler of the main thread: Ctrl-C ends this operation, any other signal all of them.

        Raises `CancelledError` within `interruptible`, and `KeyboardInterrupt` where nobody has looked for long.
        """
        hangs = self._since and time.monotonic() - self._since > _HANGS
        outermost = self
        while number != signal.SIGINT and outermost._within:
            outermost = outermost._within
        outermost.cancel(number)
        self._since = self._since or time.monotonic()
        if self._raises:
            raise CancelledError
        if hangs:
            raise KeyboardInterrupt

    def forgive(self) -> None:
        """Forget a Ctrl-C that came while nothing was done; a signal that ends the program stays."""
        if self._cause == signal.SIGINT:
            self._cause, self._since = None, 0.0

    def check(self) -> None:
        """Raise `CancelledError` if it is to end."""
        if self.requested:
            raise CancelledError

    def sleep(self, seconds: float) -> None:
        """Wait; raises `CancelledError`."""
        until = time.monotonic() + seconds
        self.check()
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_EVERY))
            self.check()

    def join(self, thread: threading.Thread, seconds: float | None = None) -> None:
        """Wait for the end of a thread, at most so many seconds; raises `CancelledError`."""
        until = None if seconds is None else time.monotonic() + seconds
        # In steps, also because Windows interrupts no wait.
        while thread.is_alive() and (until is None or time.monotonic() < until):
            self.check()
            thread.join(_LOOK_EVERY)

    def run(self, call: Callable[[], T], seconds: float | None = None) -> T:
        """Return what `call` returns, or raise what it raises, in a thread that is left behind if it takes too long.

        Raises `TimeoutError` after so many `seconds`, and `CancelledError`.
        """
        outcome: list[T] = []
        failure: list[BaseException] = []

        def make() -> None:
            try:
                outcome.append(call())
            except BaseException as error:
                failure.append(error)

        if self is _NOBODYS and seconds is None:
            return call()
        self.check()
        thread = threading.Thread(target=make, daemon=True)
        thread.start()
        self.join(thread, seconds)
        # Another program that was waited for may have died of the same Ctrl-C: what it left is no result.
        self.check()
        if failure:
            raise failure[0]
        if not outcome:
            raise TimeoutError
        return outcome[0]

    def communicate(self, process: "subprocess.Popen[bytes]") -> tuple[bytes, bytes]:
        """Return what another program writes until it has ended; ends it, and raises `CancelledError`."""
        try:
            return self.run(process.communicate)
        except CancelledError:
            process.terminate()
            until = time.monotonic() + _PATIENCE
            while process.poll() is None and time.monotonic() < until:
                time.sleep(_LOOK_EVERY)
            process.kill()
            raise

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let a signal raise `CancelledError` at any moment in the block, which must hold nothing that can be lost."""
        self._raises = True
        try:
            self.check()
            yield
            # Python swallows what is raised in a destructor, or in a callback of its garbage collector.
            self.check()
        finally:
            self._raises = False


class _Shield(Cancellation):
    """Never cancelled itself: what comes is for the operation around it."""

    def __init__(self, around: Cancellation) -> None:
        super().__init__()
        self._around = around

    def cancel(self, number: int = signal.SIGINT) -> None:
        self._around.heed(number)


_NOBODYS = Cancellation()
_running: contextvars.ContextVar[Cancellation] = contextvars.ContextVar("operation", default=_NOBODYS)


def current() -> Cancellation:
    """Return the cancellation of the operation that runs in this thread; nobody cancels one that was never begun."""
    return _running.get()


def is_running() -> bool:
    """Whether an operation runs in this thread."""
    return _running.get() is not _NOBODYS


@contextlib.contextmanager
def operation() -> Iterator[Cancellation]:
    """Run the block as an operation, within the one that runs."""
    with _instead(Cancellation(current() if is_running() else None)) as begun:
        yield begun


@contextlib.contextmanager
def shielded() -> Iterator[None]:
    """Run the block as if nobody had cancelled anything; a signal that comes meanwhile counts after it."""
    with _instead(_Shield(current())):
        yield


@contextlib.contextmanager
def _instead(begun: Cancellation) -> Iterator[Cancellation]:
    before = _running.set(begun)
    try:
        yield begun
    finally:
        _running.reset(before)


def check() -> None:
    """Raise `CancelledError` if the operation that runs is to end."""
    current().check()
