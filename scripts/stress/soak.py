"""Run thousands of turns of conversation with one engine, and watch memory, speed and the worker.

    python scripts/stress/soak.py MODEL [--turns 10000] [--ctx-size 2048] [--seed 0]

MODEL should be a tiny one, as `tests/tiny_model.py` makes it. The conversation grows until half of the context is full,
then a new one begins. Prompts are Chinese, English and emoji, and sometimes a turn is interrupted. At the end, memory,
open files, threads and speed should be as at the start, in the same worker.
"""

import json
import os
import random
import statistics
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from qwen_tui import cancellation
from qwen_tui.cancellation import Cancellation
from qwen_tui.columns import markdown_table
from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import LoadOptions, Request, SamplingOptions
from qwen_tui.hardware.plan import Plan
from qwen_tui.messages import Finished, Message, Text
from scripts.command_line import command_line, report_progress

MB = 1_000_000
WARM_UP = 100
SAMPLE_EVERY = 1000
# One of so many turns is interrupted, at a random moment of its first so many seconds.
INTERRUPT_ONE_IN = 25
INTERRUPT_WITHIN_S = 0.02
MAX_TOKENS = 24

PIECES = (
    "你好，我们现在有一个问题。",
    "因为没有时间，所以请你回答！",
    "请用中文说说这个模型，谢谢。",
    "please review this code and explain the change",
    "what is a token, and why does the model read text like that?",
    "def main():\n    print('hello world')\n",
    "😀🎉👩\u200d👩\u200d👧",
    "🇨🇳 和 🇬🇧",
    "𠮷野家 café naïve",
    "<|im_end|> is text here",
    "=" * 64,
    " " * 40,
)


class Sample(NamedTuple):
    """The bytes, open files and threads of the two processes after so many turns."""

    turns: int
    worker_rss: int
    worker_files: int
    worker_threads: int
    parent_rss: int
    parent_files: int
    parent_threads: int


class Talk:
    """A conversation that begins anew when it fills half of the context."""

    def __init__(self, engine: LocalEngine, rng: random.Random) -> None:
        self._engine = engine
        self._rng = rng
        self._messages: list[Message] = []
        self._ctx_size = engine.info().ctx_size
        self.interrupted = 0
        self.restarted = 0

    def turn(self) -> float:
        """Ask, add the answer, and return the seconds of the turn."""
        with cancellation.operation() as operation:
            return self._turn(operation)

    def _turn(self, operation: Cancellation) -> float:
        question = Message("user", " ".join(self._rng.choices(PIECES, k=self._rng.randint(1, 6))))
        timer = self._timer(operation)
        begun = time.perf_counter()
        self._load()
        request = Request(
            messages=(*self._messages, question),
            sampler=SamplingOptions(presence_penalty=self._rng.choice((0.0, 1.0))),
            max_tokens=self._rng.randint(1, MAX_TOKENS),
        )
        text = ""
        for event in self._engine.stream(request):
            if isinstance(event, Text):
                text += event.piece
            elif isinstance(event, Finished):
                finished = event
        seconds = time.perf_counter() - begun
        if timer is not None:
            timer.cancel()
            timer.join()
        self.interrupted += finished.reason == "interrupted"
        if text:
            self._messages += [question, Message("assistant", text)]
        if finished.usage.prompt_tokens + finished.usage.completion_tokens > self._ctx_size // 2:
            self._messages.clear()
            self.restarted += 1
        return seconds

    def _timer(self, operation: Cancellation) -> threading.Timer | None:
        """Start the timer that interrupts this turn, if it is one to interrupt."""
        if self._rng.randrange(INTERRUPT_ONE_IN):
            return None
        timer = threading.Timer(self._rng.uniform(0, INTERRUPT_WITHIN_S), operation.cancel)
        timer.start()
        return timer

    def _load(self) -> None:
        """Begin an operation, as every turn of the program does."""
        for _progress in self._engine.load():
            pass


def main() -> None:
    """Run the turns, take samples, and print what changed."""
    parser = command_line(__doc__)
    parser.add_argument("model", type=Path, help="a GGUF file, preferably a tiny one")
    parser.add_argument("--turns", type=int, default=10_000, help="default: %(default)s")
    parser.add_argument("--ctx-size", type=int, default=2048, help="in tokens (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of the conversation (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()

    options = LoadOptions(
        path=os.fsencode(arguments.model),
        plan=Plan(ctx_size=arguments.ctx_size, threads=arguments.threads, batch_threads=arguments.threads),
    )
    engine = LocalEngine(options)
    try:
        talk = Talk(engine, random.Random(arguments.seed))
        for _turn in range(WARM_UP):
            talk.turn()
        seconds, samples, workers = soak(talk, arguments.turns)
    finally:
        engine.close()
    result = {
        "turns": arguments.turns,
        "interrupted": talk.interrupted,
        "conversations": talk.restarted + 1,
        "worker_restarts": workers - 1,
        "first_tenth_ms": tenth_ms(seconds, 0),
        "last_tenth_ms": tenth_ms(seconds, 9),
        "total_s": sum(seconds),
    }
    if arguments.json:
        print(json.dumps(result | {"samples": [sample._asdict() for sample in samples]}, indent=2))
    else:
        report(samples)
        print("\n" + markdown_table(["", "value"], [(name, f"{value:,.6g}") for name, value in result.items()]))


def soak(talk: Talk, turns: int) -> tuple[list[float], list[Sample], int]:
    """Return the seconds of every turn, the samples, and how many workers there were."""
    seconds = []
    samples = [sample(0)]
    workers = {worker().pid}
    for turn in range(1, turns + 1):
        seconds.append(talk.turn())
        workers.add(worker().pid)
        if turn % SAMPLE_EVERY == 0 or turn == turns:
            samples.append(sample(turn))
            report_progress(str(samples[-1]))
    return seconds, samples, len(workers)


def worker() -> psutil.Process:
    """Return the worker's process."""
    (process,) = psutil.Process().children()
    return process


def sample(turns: int) -> Sample:
    """Measure both processes."""
    figures = []
    for process in (worker(), psutil.Process()):
        figures += [process.memory_info().rss, process.num_fds(), process.num_threads()]
    return Sample(turns, *figures)


def tenth_ms(seconds: Sequence[float], index: int) -> float:
    """Return the median time of a turn in one tenth of all turns, in milliseconds."""
    size = max(1, len(seconds) // 10)
    return statistics.median(seconds[index * size : (index + 1) * size] or seconds[-size:]) * 1000


def report(samples: Sequence[Sample]) -> None:
    """Print the table, one line per sample."""
    head = ["turns", "worker MB", "its files", "its threads", "parent MB", "its files", "its threads"]
    rows = [
        [f"{value / MB:.2f}" if name.endswith("rss") else value for name, value in sample._asdict().items()]
        for sample in samples
    ]
    print(markdown_table(head, rows))


if __name__ == "__main__":
    main()
