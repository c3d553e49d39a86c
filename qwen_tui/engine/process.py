"""The worker process as its parent sees it: commands and replies in queues, a log, and an exit code."""

import collections
import contextlib
import errno
import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from qwen_tui import child
from qwen_tui.engine import variants, wire
from qwen_tui.engine.library import without_foreign
from qwen_tui.engine.threads import start_thread
from qwen_tui.hardware.memory import kills_so_far
from qwen_tui.messages import Loading

# A thread that waits for the others spins so often, then sleeps and leaves its core to other programs. OpenMP's own
# number is thirty times as high: beside a busy program, the threads then spin for one that is not scheduled.
# `scripts/bench/busy.py` measures it.
_ENVIRONMENT = {"GOMP_SPINCOUNT": "10000"}
# The signal of an illegal instruction.
_ILLEGAL = getattr(signal, "SIGILL", 4)
# How many lines of the worker's own output are kept for error messages.
_KEPT_LINES = 200
# The loaded fraction while the warm-up is still to come.
_ALMOST = 0.99
# How long the worker may take to end by itself before the parent kills it, in seconds.
_PATIENCE = 1.0
# How long a worker that leaves may take to put up the sign of its state, in seconds. It takes a millisecond, on a busy
# PC some.
_SIGN_PATIENCE = 1.0


class WorkerProcess:
    """One running worker. `log` is called with each line that it prints to stderr, which is llama.cpp's log."""

    def __init__(
        self, log: Callable[[str], None] | None = None, oom_kills: Callable[[], int | None] = kills_so_far
    ) -> None:
        """Start the worker; raises `OSError`. `oom_kills` counts the processes killed for lack of memory."""
        self._oom_kills = oom_kills
        self._kills_before = oom_kills()
        own = without_foreign(os.environ)
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            child.command(child.WORKER),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Without the last variable, an abort inside llama.cpp starts a debugger.
            env={**_ENVIRONMENT, **own, "GGML_NO_BACKTRACE": "1", wire.AVOIDED: ",".join(variants.avoided())},
            # A process group of its own: Ctrl-C in the terminal reaches only the parent.
            process_group=0,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._log = log
        # The loaded fraction of the model, 1 when it is ready: known without receiving the replies.
        self.loaded = 0.0
        # How far the worker has read ahead, by its last word: known without receiving the replies, too.
        self.read_ahead_progress: wire.ReadAheadProgress | None = None
        # The variant for this processor, if llama.cpp is a portable build.
        self._backend: wire.Backend | None = None
        self._lines: collections.deque[str] = collections.deque(maxlen=_KEPT_LINES)
        self._commands: queue.Queue[wire.WorkerCommand | None] = queue.Queue()
        self._replies: queue.Queue[wire.Reply | None] = queue.Queue()
        try:
            # In the order in which they end.
            self._threads = [start_thread(run) for run in (self._read_replies, self._read_log, self._write_commands)]
        except RuntimeError as error:
            # Without all threads, nobody would read the worker's output, or give it commands.
            self.kill()
            self._process.wait()
            raise OSError(errno.EAGAIN, str(error)) from error

    def is_alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def cpu_seconds(self) -> float:
        """Return the CPU time that the worker has used, in seconds; 0 where that is not known."""
        return child.cpu_seconds(self._process.pid)

    def send(self, command: wire.WorkerCommand) -> None:
        """Send a command; never waits. If the worker has ended, `receive` raises the error, not this method."""
        if isinstance(command, wire.Generate):
            self._kills_before = self._oom_kills()
        self._commands.put(command)

    def receive(self, timeout: float) -> wire.Reply | None:
        """Return the next reply, or None if there is none within `timeout` seconds; raises `EOFError` at the end."""
        try:
            reply = self._replies.get(timeout=timeout)
        except queue.Empty:
            return None
        if reply is None:
            # The next call must find the end, too.
            self._replies.put(None)
            raise EOFError
        return reply

    def last_lines(self, count: int = 3) -> str:
        """Return the last `count` lines that the worker printed, for an error message."""
        # The list is copied, because the reading thread may be appending.
        lines = [line for line in list(self._lines) if line.strip(" .")]
        return "\n".join(lines[-count:])

    def wait(self) -> int:
        """Return the exit code of a worker whose replies have ended. A negative code is the signal that ended it."""
        try:
            code = self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._process.wait()
        # On Windows, the exit code of a crash is an NTSTATUS.
        return {0xC0000005: -signal.SIGSEGV, 0xC000001D: -signal.SIGILL, 0xC0000409: -signal.SIGABRT}.get(code, code)

    def steps_down(self, code: int) -> bool:
        """Whether a worker that ended with `code` died of the instructions of a variant, and another will be tried.

        Each time that this is true, the workers that start from then on have one variant less.
        """
        backend = self._backend
        if code != -_ILLEGAL or backend is None or not backend.others:
            return False
        variants.avoid(backend.variant)
        return True

    def memory_ran_out(self) -> bool:
        """Whether the kernel killed for lack of memory since this worker started, or got its last question."""
        before, now = self._kills_before, self._oom_kills()
        return before is not None and now is not None and now > before

    def close(self) -> None:
        """End the worker now, whatever it is doing."""
        self.kill()
        self._clean_up()

    @property
    def number(self) -> int:
        """The process id."""
        return self._process.pid

    def leave(self, notice: Path | None = None) -> None:
        """Let the worker save what is worth it, remove the `notice` that it holds GPU memory, and end by itself.

        Returns when other processes can see which state it is writing.
        """
        self.send(wire.Leave(os.fsencode(notice) if notice else b""))
        deadline = time.monotonic() + _SIGN_PATIENCE
        reply: wire.Reply | None = None
        with contextlib.suppress(EOFError):
            while not isinstance(reply, wire.Leaving) and (left := deadline - time.monotonic()) > 0:
                reply = self.receive(left)
        # If this program goes on, a thread waits for the worker's end, so that no zombie and no open pipe is left.
        try:
            start_thread(self._clean_up)
        except RuntimeError:
            self.kill()

    def kill(self) -> None:
        """Kill the worker. Nothing is lost: the parent has everything that the worker holds."""
        self._process.kill()

    def pause(self) -> None:
        """Stop computing until `resume`, as Ctrl-Z does (POSIX)."""
        if self.is_alive() and sys.platform != "win32":
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on computing (POSIX)."""
        if self.is_alive() and sys.platform != "win32":
            self._process.send_signal(signal.SIGCONT)

    def _clean_up(self) -> None:
        """Wait for the end of the process, then close its pipes."""
        self._process.wait()
        self._commands.put(None)
        for ended in self._threads:
            ended.wait(_PATIENCE)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                # Closing flushes what nobody will read, and fails if the worker has ended.
                try:
                    stream.close()
                except OSError:
                    continue

    def _write_commands(self) -> None:
        """Write the commands: a worker that does not read lets its pipe become full, and then writing waits."""
        assert self._process.stdin is not None
        to_read: wire.ReadAhead | None = None
        while (command := self._commands.get()) is not None:
            if isinstance(command, wire.ReadAhead) and not self._commands.empty():
                # Another one may follow, which is in force then: each key may bring one, with the whole conversation.
                to_read = command
                continue
            replaces = isinstance(command, wire.ReadAhead | wire.Generate)
            due = [command] if to_read is None or replaces else [to_read, command]
            to_read = None
            try:
                for one in due:
                    wire.write(self._process.stdin, one)
            except OSError:
                # `receive` will find the end of the replies, and then the reason is asked for.
                return
            except MemoryError:
                # Half a command may have been written. Nobody must wait for its reply.
                self.kill()
                return

    def _read_replies(self) -> None:
        assert self._process.stdout is not None
        try:
            while (reply := wire.read_reply(self._process.stdout)) is not None:
                if isinstance(reply, wire.ReadAheadProgress):
                    self.read_ahead_progress = reply
                    continue
                if isinstance(reply, wire.Backend):
                    self._backend = reply
                    continue
                if isinstance(reply, Loading | wire.Loaded):
                    self.loaded = min(reply.fraction, _ALMOST) if isinstance(reply, Loading) else 1.0
                self._replies.put(reply)
        finally:
            self._replies.put(None)

    def _read_log(self) -> None:
        assert self._process.stderr is not None
        for raw in self._process.stderr:
            line = raw.decode("utf-8", "replace").rstrip()
            self._lines.append(line)
            if self._log is not None:
                # If writing the log fails, the thread reads on: the worker would block on a full pipe.
                with contextlib.suppress(OSError):
                    self._log(line)
