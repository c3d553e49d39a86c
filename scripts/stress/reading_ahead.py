"""Check that reading ahead never changes an answer, and that it never keeps anybody waiting.

    python scripts/stress/reading_ahead.py MODEL [--scripts 200] [--prompts 40] [--interrupts 100] [--tokens 24]

Each script types a prompt with random pauses, deletions and changes of mind, while the engine reads ahead what stands
in the line; then the prompt is asked greedily. An engine that reads nothing ahead gives the answer to compare with.
After that, questions are asked at random moments of the reading and cancelled a moment later: how soon does `stream`
return? Exits with 1 if an answer differs, or if a return took longer than a second.
"""

import os
import random
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from qwen_tui import cancellation
from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import LoadOptions, Request, SamplingOptions
from qwen_tui.evaluation.measuring import words
from qwen_tui.hardware.plan import Plan
from qwen_tui.hardware.processor import physical_cores
from qwen_tui.messages import Message, Text
from scripts.command_line import command_line, report_progress

WORST_S = 1.0
SUBJECTS = ["HTTP", "a cat", "the moon", "Paris", "a bicycle", "bread", "the sea", "a school", "money", "music"]
TASKS = ("What is {}?", "Write two sentences about {}.", "Explain {} to a child.", "用一句话介绍 {}。")


def main() -> int:
    """Run the scripts and the interrupts, print the result, and return 1 if something was wrong."""
    parser = command_line(__doc__)
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("--scripts", type=int, default=200)
    parser.add_argument("--prompts", type=int, default=40, help="different ones among the scripts")
    parser.add_argument("--interrupts", type=int, default=100)
    parser.add_argument("--tokens", type=int, default=24, help="of each answer")
    # Of a greedy prompt, whole batches alone are read ahead. These prompts have 10 to 20 tokens.
    parser.add_argument("--batch", type=int, default=4, help="tokens that are read at a time (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=physical_cores(), help="default: %(default)s")
    parser.add_argument("--flash-attention", action="store_true")
    options = parser.parse_args()
    rng = random.Random(17)
    plan = Plan(
        threads=options.threads,
        batch_threads=options.threads,
        batch_size=options.batch,
        flash_attention=options.flash_attention,
    )
    load = LoadOptions(path=os.fsencode(options.model.absolute()), plan=plan)
    with_it, without = LocalEngine(load), LocalEngine(load)
    try:
        prompts = [task.format(subject) for subject in SUBJECTS for task in TASKS][: options.prompts]
        answers = {prompt: answer(without, prompt, options.tokens) for prompt in prompts}
        differing = 0
        for number in range(options.scripts):
            prompt = prompts[number % len(prompts)]
            for line in typed(prompt, prompts, rng):
                with_it.read_ahead(request(line, options.tokens))
                time.sleep(rng.choice((0, 0, 0.02, 0.1)))
            same = answer(with_it, prompt, options.tokens) == answers[prompt]
            differing += not same
            if not same or number % 20 == 19:
                report_progress(f"script {number + 1}: {differing} differ")
        returned = [interrupted(with_it, rng, options.tokens) for _time in range(options.interrupts)]
    finally:
        with_it.close()
        without.close()
    print(f"{options.scripts} scripts over {len(prompts)} prompts: {differing} answers differ")
    if returned:
        print(
            f"{len(returned)} interrupts: back after {statistics.median(returned):.3f} s, at most {max(returned):.3f} s"
        )
    return 1 if differing or max(returned, default=0.0) > WORST_S else 0


def request(prompt: str, tokens: int) -> Request:
    """Return the greedy question."""
    return Request(messages=(Message("user", prompt),), sampler=SamplingOptions(temperature=0), max_tokens=tokens)


def answer(engine: LocalEngine, prompt: str, tokens: int) -> str:
    """Return the answer to a prompt."""
    return "".join(event.piece for event in engine.stream(request(prompt, tokens)) if isinstance(event, Text))


def typed(prompt: str, prompts: Sequence[str], rng: random.Random) -> Iterator[str]:
    """Yield the line after each pause of a person who types `prompt` in the end."""
    line, wanted = "", rng.choice(prompts) if rng.random() < 0.3 else prompt
    while line != prompt:
        known = next(
            (n for n, (a, b) in enumerate(zip(line, wanted, strict=False)) if a != b), min(len(line), len(wanted))
        )
        if line and rng.random() < 0.2:
            line = line[: rng.randrange(len(line))]
        elif rng.random() < 0.1:
            line += rng.choice(("xyz", "，", "\n\n", "<|im_end|>", "🙂"))
        else:
            line = wanted[: known + rng.randrange(1, 12)]
        if line == wanted:
            # The person thinks better of it.
            wanted = prompt
        yield line


def interrupted(engine: LocalEngine, rng: random.Random, tokens: int) -> float:
    """Ask while the engine reads ahead, cancel a moment later, and return how long the return took after that."""
    material = words(600, rng)
    engine.read_ahead(request(material, tokens))
    time.sleep(rng.uniform(0, 0.5))
    cancelled = 0.0
    with cancellation.operation() as operation:

        def cancel() -> None:
            nonlocal cancelled
            cancelled = time.perf_counter()
            operation.cancel()

        timer = threading.Timer(rng.uniform(0, 0.3), cancel)
        timer.start()
        for _event in engine.stream(request(material + words(20, rng), tokens * 20)):
            pass
        returned = time.perf_counter()
        timer.join()
    return max(0.0, returned - cancelled)


if __name__ == "__main__":
    sys.exit(main())
