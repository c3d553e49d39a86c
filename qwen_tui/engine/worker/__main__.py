"""The worker: llama.cpp in a process of its own, spoken to in frames over stdin and stdout.

Started as `python -P -m qwen_tui.engine.worker`. Native output goes to stderr, which the parent keeps for its error
messages. One thread reads commands, so that a cancellation and the parent's death are noticed while llama.cpp works.
"""

import os
import queue
import sys
from typing import BinaryIO

from qwen_tui.engine import wire
from qwen_tui.engine.threads import start_thread
from qwen_tui.engine.worker.commands import Worker
from qwen_tui.engine.worker.stop import StopFlag

# Nobody is hurried by a state that is saved after so long a silence, in seconds.
_IDLE = 2.0


def main() -> None:
    """Serve the parent until it ends."""
    commands, replies = _take_pipes()
    stop = StopFlag()
    pending: queue.SimpleQueue[wire.Command] = queue.SimpleQueue()
    start_thread(lambda: _read(commands, pending, stop))
    worker = Worker(lambda reply: wire.write(replies, reply), stop)
    try:
        while True:
            try:
                worker.handle(pending.get(timeout=_IDLE if worker.has_more else None))
            except queue.Empty:
                worker.idle(lambda: not pending.empty())
    except BrokenPipeError:
        # The parent is gone: nobody is left to tell.
        os._exit(0)


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep stdin and stdout for frames; whatever else writes to stdout reaches stderr, whoever reads stdin, nothing."""
    commands = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return commands, replies


def _read(commands: BinaryIO, pending: "queue.SimpleQueue[wire.Command]", stop: StopFlag) -> None:
    command: wire.Command | None = None
    try:
        while not isinstance(command, wire.Leave) and (command := wire.read_command(commands)) is not None:
            if isinstance(command, wire.Cancel):
                stop.cancel(command.number)
            else:
                pending.put(command)
    finally:
        # The parent has ended, in whatever way: a worker without one must not go on, not even in native code.
        # Only one that was told to leave finishes what it does, within its time.
        if not isinstance(command, wire.Leave):
            os._exit(0)


if __name__ == "__main__":
    main()
