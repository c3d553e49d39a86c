"""Compare the speed of our engine with that of llama.cpp's own `llama-bench`, on the same file with the same settings.

    python scripts/bench/engine.py MODEL --llama-bench PATH [--rounds 5] [--prompt 512] [--answer 64] [--threads N]

Both programs measure in turn, several times, so that a busy PC disturbs both equally: trust the ratios. This is fair:

- Both get the threads, batches, KV type, flash attention and repacking of our `LoadOptions`, and a warm-up each round.
- Our times are taken where the answer arrives, so they include the frames of the pipe, the events, and the conversion
  of tokens to text. Every question is new; the few tokens that are cached nevertheless, such as those that open each
  prompt, do not count as computed.
- N + 1 answer tokens take N decodes, because the last one is not decoded: N are counted, as llama-bench does.
- Our answer comes after the prompt. llama-bench decodes at that depth too; its figure at depth 0, which people usually
  quote, is shown beside it.
- Answers are measured twice: one replays a given text without sampling, as llama-bench does; one uses the default
  sampling, as a person's does. An answer that the model ends before half of its length is left out.
"""

import json
import os
import random
import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from qwen_tui.columns import markdown_table
from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import LoadOptions, ReplayOptions, SamplingOptions
from qwen_tui.evaluation.llama_bench import llama_bench
from qwen_tui.evaluation.measuring import WORDS, ask, median, question, spread
from qwen_tui.hardware.plan import Plan
from qwen_tui.hardware.processor import physical_cores
from scripts.command_line import command_line, report_progress

# Two prompts share the tokens that open each (<|im_start|>, user, newline), and by chance one or two words.
CACHED_AT_MOST = 6

Figures = dict[str, float | None]


def main() -> None:
    """Measure all rounds, and print the medians."""
    parser = command_line(__doc__)
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("--llama-bench", type=Path, required=True, help="the program, built from the same llama.cpp")
    parser.add_argument("--ctx-size", type=int, help="our context; default: as large as the run needs")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--prompt", type=int, default=512, help="prompt tokens (default: %(default)s)")
    parser.add_argument("--answer", type=int, default=64, help="answer tokens (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=physical_cores(), help="default: the physical cores")
    parser.add_argument("--json", action="store_true", help="print every figure of every round as JSON")
    arguments = parser.parse_args()

    # The context is as small as the run allows, like that of llama-bench: a larger KV cache would cost time.
    needed = arguments.prompt + arguments.answer + 64
    options = LoadOptions(
        path=os.fsencode(arguments.model),
        plan=Plan(
            threads=arguments.threads,
            batch_threads=arguments.threads,
            ctx_size=arguments.ctx_size or -(-needed // 256) * 256,
        ),
    )
    rng = random.Random(0)
    engine = LocalEngine(options)
    ours = partial(measure_ours, engine, options, arguments.prompt, arguments.answer, rng)
    theirs = partial(measure_theirs, arguments.llama_bench, options, arguments.prompt, arguments.answer)
    rounds: list[Figures] = []
    load_before = os.getloadavg()[0]
    # If the script is stopped, for example by `timeout`, it still reports the finished rounds.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for index in range(arguments.rounds):
            # The order alternates, so that neither program is always the second one.
            rounds.append(ours() | theirs() if index % 2 == 0 else theirs() | ours())
            report_progress(f"round {index + 1} of {arguments.rounds}: {rounds[-1]}")
    except KeyboardInterrupt:
        report_progress("cut short")
    finally:
        engine.close()

    conditions = {
        "model": arguments.model.name,
        "threads": options.plan.threads,
        "batch_size": options.plan.batch_size,
        "ctx_size": options.plan.ctx_size,
        "kv_type": options.plan.kv_type,
        "rounds": len(rounds),
        "prompt_tokens": arguments.prompt,
        "answer_tokens": arguments.answer,
        "load_average": [round(load_before, 1), round(os.getloadavg()[0], 1)],
    }
    if arguments.json:
        print(json.dumps({"conditions": conditions, "rounds": rounds, "median_ratios": ratios(rounds)}, indent=2))
    else:
        report(conditions, rounds)


def measure_ours(engine: LocalEngine, options: LoadOptions, prompt: int, answer: int, rng: random.Random) -> Figures:
    """Return our tokens per second for prompt and answers, after one warm-up batch."""
    replay = ReplayOptions(text=" ".join(rng.choices(WORDS.split(), k=2 * answer)))
    ask(engine, question(engine, options.plan.batch_size, rng), replay, 2)
    replayed = ask(engine, question(engine, prompt, rng), replay, answer + 1)
    drawn = ask(engine, question(engine, prompt, rng), SamplingOptions(), answer + 1)
    for timed in (replayed, drawn):
        if timed.usage.prompt_tokens != prompt or timed.usage.cached_tokens > CACHED_AT_MOST:
            raise SystemExit(f"not the prompt that was meant: {timed.usage}")
    prompt_s = replayed.prompt_s + drawn.prompt_s
    return {
        "our_prompt": (replayed.prompt_tokens + drawn.prompt_tokens) / prompt_s,
        "our_replayed": replayed.answer_tokens / replayed.answer_s,
        "our_drawn": drawn.answer_tokens / drawn.answer_s if 2 * drawn.answer_tokens >= answer else None,
    }


def measure_theirs(program: Path, options: LoadOptions, prompt: int, answer: int) -> Figures:
    """Return the tokens per second of llama-bench, which warms up by itself before each test."""
    tests = [
        *llama_bench(program, options, ["-p", str(prompt), "-n", "0"]),
        *llama_bench(program, options, ["-p", "0", "-n", str(answer), "-d", f"0,{prompt}"]),
    ]
    speeds = {(test["n_prompt"], test["n_gen"], test["n_depth"]): float(test["avg_ts"]) for test in tests}
    return {
        "their_prompt": speeds[prompt, 0, 0],
        "their_answer": speeds[0, answer, prompt],
        "their_answer_at_0": speeds[0, answer, 0],
    }


# The comparisons: a name, our figure, and that of llama-bench.
COMPARISONS = (
    ("prompt", "our_prompt", "their_prompt"),
    ("answer, replayed", "our_replayed", "their_answer"),
    ("answer, default sampling", "our_drawn", "their_answer"),
    ("answer, replayed; llama-bench at depth 0", "our_replayed", "their_answer_at_0"),
    ("answer, default sampling; llama-bench at depth 0", "our_drawn", "their_answer_at_0"),
)


def ratios(rounds: Sequence[Figures]) -> dict[str, float | None]:
    """Return by name the median, over the rounds, of our figure divided by llama-bench's."""
    return {name: median(pairwise(rounds, ours, theirs)) for name, ours, theirs in COMPARISONS}


def pairwise(rounds: Sequence[Figures], ours: str, theirs: str) -> list[float]:
    """Return our figure divided by llama-bench's, for every round that has both."""
    pairs = ((figures[ours], figures[theirs]) for figures in rounds)
    return [our / their for our, their in pairs if our is not None and their is not None]


def report(conditions: dict[str, Any], rounds: Sequence[Figures]) -> None:
    """Print the table, and the conditions below it."""
    rows = []
    for name, ours, theirs in COMPARISONS:
        our, their = ([figures[key] for figures in rounds] for key in (ours, theirs))
        rows.append([name, spread(our), spread(their), spread(pairwise(rounds, ours, theirs), ".3f")])
    print(markdown_table(["tokens/s: median (lowest to highest)", "qwen-tui", "llama-bench", "ratio"], rows))
    print("\n" + ", ".join(f"{key} {value}" for key, value in conditions.items()))


if __name__ == "__main__":
    main()
