"""The worker's main module: llama.cpp in a process of its own, connected to its parent by frames over two pipes.

The parent starts it as `python -P -m qwen_tui.engine.worker`. Native output goes to stderr; the parent keeps it for its
error messages. A thread reads the commands, so that the worker notices a cancellation or the parent's end while
llama.cpp computes.
"""

import os
import queue
import sys
import threading
from typing import BinaryIO

from qwen_tui.engine import wire
from qwen_tui.engine.threads import start_thread
from qwen_tui.engine.worker.commands import Worker
from qwen_tui.engine.worker.stop import StopFlag


def main() -> None:
    """Serve the parent until it ends."""
    commands, replies = _take_pipes()
    stop = StopFlag()
    pending: queue.Queue[wire.WorkerCommand] = queue.Queue()
    # Two threads reply.
    lock = threading.Lock()

    def reply(frame: wire.Reply) -> None:
        with lock:
            wire.write(replies, frame)

    worker = Worker(reply, stop)
    start_thread(lambda: _read(commands, pending, stop, worker))
    try:
        while True:
            try:
                worker.handle(pending.get(timeout=worker.idle_after))
            except queue.Empty:
                worker.idle(lambda: not pending.empty())
    except BrokenPipeError:
        # The parent has ended, so nobody reads the replies.
        os._exit(0)


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Take stdin and stdout for frames. Other code that writes to stdout then writes to stderr, and reads no input."""
    commands = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return commands, replies


def _read(commands: BinaryIO, pending: "queue.Queue[wire.WorkerCommand]", stop: StopFlag, worker: Worker) -> None:
    command: wire.WorkerCommand | None = None
    try:
        while not isinstance(command, wire.Leave) and (command := wire.read_command(commands)) is not None:
            if isinstance(command, wire.Cancel):
                stop.cancel(command.number)
                stop.stop_reading_ahead()
            elif not (isinstance(command, wire.Count) and worker.count_aside(command)):
                pending.put(command)
                if worker.stops_reading_ahead(command):
                    stop.stop_reading_ahead()
    finally:
        # The parent has ended. The worker must not go on without it, not even in native code. Only after the command
        # `Leave` does it finish its work, within its time.
        if not isinstance(command, wire.Leave):
            os._exit(0)


if __name__ == "__main__":
    main()
