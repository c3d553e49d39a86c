"""How an operation ends when the person presses Ctrl-C, or when the system tells the program to end.

One rule holds everywhere: **the signal handler notes the signal, and long operations look for it.** The handler notes
it in the `Cancellation` of the running operation, and raises nothing. So no signal interrupts a write to the database,
a rename, a callback from C or prompt_toolkit half-way. Code that may take longer than 0.2 s looks at least every 50 ms,
and then raises `CancelledError`, at a place where that is safe:

- a loop calls `check` between two pieces of work;
- a pause is a `sleep`;
- a wait for another thread has a timeout, and is none of a `SimpleQueue`: after a signal that may wait for ever;
- a call that blocks in C, where a handler cannot end it (a name look-up, a driver, a slow disk), goes through `run`: a
  thread makes the call, the calling thread waits and looks, and leaves that thread behind when it is cancelled;
- `communicate` waits for another program, and ends that program when it is cancelled;
- one blocking read of a terminal, a pipe or a file may stand in `interruptible`: there, and nowhere else, the handler
  raises, because such a read holds nothing that could be lost.

Work that must be finished once it has begun, because half of it would be worse than a wait, stands in `shielded`.

A command is one operation, and in the REPL so is each line: `operation` begins one within the running one. Ctrl-C ends
the innermost operation, SIGTERM and SIGHUP end all of them. A thread has no operation unless it begins one, and without
one it never looks.

An operation that does not look for `_HANGS` seconds has a fault. To end it all the same, the next signal raises
`KeyboardInterrupt` in the middle of it, as Python does.
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

# Every wait looks for a signal at this interval, in seconds.
_LOOK_EVERY = 0.05
# An operation that still runs this many seconds after it was cancelled does not look.
_HANGS = 3.0
# A program has this many seconds to end after SIGTERM; then it is killed.
_PATIENCE = 0.5


class Cancellation:
    """Holds whether an operation is to end, and which signal asked for it."""

    def __init__(self, within: "Cancellation | None" = None) -> None:
        """`within` is the operation that this one is a part of: if that is cancelled, so is this one."""
        self._within = within
        self._cause: int | None = None
        self._since = 0.0
        self._raises = False

    @property
    def cause(self) -> int | None:
        """The number of the signal that cancelled the operation; None if it is not cancelled."""
        outer = self._within.cause if self._within else None
        return self._cause if outer is None else outer

    @property
    def requested(self) -> bool:
        """Whether the operation is to end."""
        return self.cause is not None

    @property
    def exit_code(self) -> int:
        """The exit code for the signal, 128 plus its number; 0 without a signal."""
        return 0 if self.cause is None else 128 + self.cause

    def cancel(self, number: int = signal.SIGINT) -> None:
        """Ask the operation to end; any thread may call this. A later signal replaces only an earlier Ctrl-C."""
        if self._cause in (None, signal.SIGINT):
            self._cause = number
        self._since = self._since or time.monotonic()

    def heed(self, number: int) -> None:
        """Handle a signal in the main thread: Ctrl-C cancels this operation, any other signal also those around it.

        Raises `CancelledError` within `interruptible`, and `KeyboardInterrupt` if the operation has not looked for
        `_HANGS` seconds.
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
        """Forget a Ctrl-C that came while the program was idle; a signal that ends the program stays."""
        if self._cause == signal.SIGINT:
            self._cause, self._since = None, 0.0

    def check(self) -> None:
        """Raise `CancelledError` if the operation is to end."""
        if self.requested:
            raise CancelledError

    def sleep(self, seconds: float) -> None:
        """Wait so many `seconds`; raises `CancelledError`."""
        until = time.monotonic() + seconds
        self.check()
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_EVERY))
            self.check()

    def join(self, thread: threading.Thread, seconds: float | None = None) -> None:
        """Wait for a thread to end, at most so many `seconds`; raises `CancelledError`."""
        until = None if seconds is None else time.monotonic() + seconds
        # It waits in steps. On Windows, no signal interrupts a wait.
        while thread.is_alive() and (until is None or time.monotonic() < until):
            self.check()
            thread.join(_LOOK_EVERY)

    def run(self, call: Callable[[], T], seconds: float | None = None) -> T:
        """Make `call` in a thread, and return what it returns or raise what it raises.

        Raises `TimeoutError` after so many `seconds`, and `CancelledError`. In both cases the thread is left behind.
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
        # If `call` waited for another program, the same Ctrl-C may have killed that program. Its output is no result.
        self.check()
        if failure:
            raise failure[0]
        if not outcome:
            raise TimeoutError
        return outcome[0]

    def communicate(self, process: "subprocess.Popen[bytes]") -> tuple[bytes, bytes]:
        """Wait for another program, and return its stdout and stderr.

        If the operation is cancelled, end the program and raise `CancelledError`.
        """
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
        """Let a signal raise `CancelledError` anywhere in the block; the block must hold nothing that could be lost."""
        self._raises = True
        try:
            self.check()
            yield
            # Python drops an exception that the handler raises in a destructor or a garbage collector's callback.
            self.check()
        finally:
            self._raises = False


class _Shield(Cancellation):
    """Is never cancelled itself; it passes every signal to the operation around it."""

    def __init__(self, around: Cancellation) -> None:
        super().__init__()
        self._around = around

    def cancel(self, number: int = signal.SIGINT) -> None:
        self._around.heed(number)


_NOBODYS = Cancellation()
_running: contextvars.ContextVar[Cancellation] = contextvars.ContextVar("operation", default=_NOBODYS)


def current() -> Cancellation:
    """Return the cancellation of this thread's operation; without an operation, one that is never cancelled."""
    return _running.get()


def is_running() -> bool:
    """Whether an operation runs in this thread."""
    return _running.get() is not _NOBODYS


@contextlib.contextmanager
def operation() -> Iterator[Cancellation]:
    """Run the block as an operation within the running one."""
    with _instead(Cancellation(current() if is_running() else None)) as begun:
        yield begun


@contextlib.contextmanager
def shielded() -> Iterator[None]:
    """Run the block as if nothing were cancelled; a signal that comes meanwhile takes effect after it."""
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
    """Raise `CancelledError` if the running operation is to end."""
    current().check()
