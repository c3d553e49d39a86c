"""Measure the overhead of our engine over llama.cpp itself, in milliseconds per token of the answer.

    python scripts/bench/overhead.py MODEL [--answers 100 4000] [--rounds 7] [--threads N]

MODEL should be a tiny one, as `tests/tiny_model.py` makes it: with a large model, the overhead is lost in the noise.

Two processes generate the same answer in turn. One is the whole engine, timed where the events arrive: with frames,
pipes, events, conversion to text, sampling, and the parent's side. The other is a bare loop of `llama_sampler_sample`
and `llama_decode`; it takes the model, the context and the sampler from the engine's modules, so its settings are the
same. Both start from the same KV cache, and their answers are compared: equal texts mean equal work.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from qwen_tui.columns import markdown_table
from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import LoadOptions, Request, SamplingOptions
from qwen_tui.engine.worker.binding import load_library
from qwen_tui.engine.worker.context import Context
from qwen_tui.engine.worker.model import Model
from qwen_tui.engine.worker.prompt import ChatML
from qwen_tui.engine.worker.sampling import ChainSampler
from qwen_tui.engine.worker.stop import StopFlag
from qwen_tui.evaluation.measuring import spread
from qwen_tui.hardware.plan import Plan
from qwen_tui.hardware.processor import physical_cores
from qwen_tui.messages import Finished, Message, Prefill, Text
from scripts.command_line import command_line, report_progress

MESSAGES = (Message("user", "hello world"),)
SEEDS_TRIED = 400


class Written(NamedTuple):
    """One answer: the milliseconds of each token, and the text."""

    ms: float
    text: str


class Bare:
    """The bare loop, in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def write(self, tokens: int, sampling: SamplingOptions) -> Written:
        """Let the loop generate an answer of so many tokens."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([tokens, sampling.temperature, sampling.seed]), file=self._process.stdin, flush=True)
        return Written(*json.loads(self._process.stdout.readline()))


def main() -> None:
    """Measure, or be the bare loop if the command line says so."""
    parser = command_line(__doc__)
    parser.add_argument("model", type=Path, help="a GGUF file, preferably a tiny one")
    parser.add_argument("--answers", type=int, nargs="+", default=[100, 4000], help="in tokens (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=physical_cores(), help="default: the physical cores")
    parser.add_argument("--json", action="store_true", help="print every figure of every round as JSON")
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()

    options = LoadOptions(
        path=os.fsencode(arguments.model), plan=Plan(threads=arguments.threads, batch_threads=arguments.threads)
    )
    if arguments.bare:
        serve_bare(options)
        return
    rounds = measure(options, arguments.answers, arguments.rounds)
    if arguments.json:
        print(json.dumps(rounds, indent=2))
    else:
        report(rounds)
        print(f"\n{arguments.model.name}, {options.plan.threads} threads, {arguments.rounds} rounds, ", end="")
        print(f"load average {os.getloadavg()[0]:.1f}")


def measure(options: LoadOptions, lengths: Sequence[int], count: int) -> list[dict[str, float]]:
    """Return for each round and length of answer: `tokens`, `engine` and `bare` in ms a token, and `equal`."""
    rounds = []
    engine = LocalEngine(options)
    try:
        with bare_process(options) as bare:
            sampling = endless(engine, max(lengths))
            report_progress(f"sampling: {sampling}")
            # From the second answer on, the prompt is in the KV cache of both.
            write(engine, 2, sampling)
            bare.write(2, sampling)
            for index in range(count):
                for tokens in lengths:
                    if index % 2:
                        theirs, ours = bare.write(tokens, sampling), write(engine, tokens, sampling)
                    else:
                        ours, theirs = write(engine, tokens, sampling), bare.write(tokens, sampling)
                    equal = ours.text == theirs.text
                    rounds.append({"tokens": tokens, "engine": ours.ms, "bare": theirs.ms, "equal": equal})
                    report_progress(str(rounds[-1]))
    finally:
        engine.close()
    return rounds


def endless(engine: LocalEngine, tokens: int) -> SamplingOptions:
    """Return sampling options with which the answer has at least `tokens` tokens: random weights end it at random."""
    tried = [SamplingOptions(seed=seed) for seed in range(SEEDS_TRIED)]
    # Only the first question computes the whole prompt, so its answer may differ from all others.
    write(engine, 2, tried[0])
    for sampling in (*tried, SamplingOptions(temperature=0)):
        request = Request(messages=MESSAGES, sampler=sampling, max_tokens=tokens, lookup=False)
        if [event.reason for event in engine.stream(request) if isinstance(event, Finished)] == ["length"]:
            return sampling
    raise SystemExit(f"the model ends every answer before {tokens} tokens: give --answers fewer")


def write(engine: LocalEngine, tokens: int, sampling: SamplingOptions) -> Written:
    """Let the engine generate an answer of so many tokens, and time it where it arrives."""
    pieces = []
    prefilled = 0.0
    for event in engine.stream(Request(messages=MESSAGES, sampler=sampling, max_tokens=tokens, lookup=False)):
        if isinstance(event, Text):
            pieces.append(event.piece)
        elif not prefilled and isinstance(event, Prefill) and event.done == event.total:
            prefilled = time.perf_counter()
    return Written((time.perf_counter() - prefilled) * 1000 / tokens, "".join(pieces))


@contextmanager
def bare_process(options: LoadOptions) -> Iterator[Bare]:
    """Run the bare loop in a process of its own for the duration of the block."""
    command = [sys.executable, __file__, os.fsdecode(options.path), "--bare", "--threads", str(options.plan.threads)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        yield Bare(process)
        assert process.stdin is not None
        process.stdin.close()


def serve_bare(options: LoadOptions) -> None:
    """Generate the answers that stdin asks for, in a loop that contains only what llama.cpp needs."""
    llama = load_library()
    model = Model(llama, options, lambda _fraction: None)
    context = Context(model, options, min(options.plan.ctx_size, model.trained_ctx_size), StopFlag())
    prompt = ChatML(model.vocabulary).tokens(MESSAGES)
    one = llama.llama_batch_init(1, 0, 1)
    one.n_tokens, one.n_seq_id[0], one.seq_id[0][0], one.logits[0] = 1, 1, 0, 1

    for line in sys.stdin:
        tokens, temperature, seed = json.loads(line)
        sampler = ChainSampler(llama, model.vocabulary, SamplingOptions(temperature=temperature, seed=seed))
        # Forget the last answer: only the prompt stays in the context.
        kept = context.reuse(prompt)
        context.decode(prompt[kept:])
        written = []
        begun = time.perf_counter()
        for position in range(len(prompt), len(prompt) + tokens - 1):
            token = sampler.sample(context)
            written.append(token)
            one.token[0], one.pos[0] = token, position
            if llama.llama_decode(context.handle, one):
                raise SystemExit("llama_decode failed")
        written.append(sampler.sample(context))
        seconds = time.perf_counter() - begun
        sampler.close()
        text = b"".join(map(model.vocabulary.piece, written)).decode("utf-8", "replace")
        print(json.dumps(Written(seconds * 1000 / tokens, text)), flush=True)


def report(rounds: Sequence[dict[str, float]]) -> None:
    """Print the table, one line for each length of answer."""
    rows = []
    for tokens in sorted({int(figures["tokens"]) for figures in rounds}):
        chosen = [figures for figures in rounds if figures["tokens"] == tokens]
        ours, theirs = ([figures[key] for figures in chosen] for key in ("engine", "bare"))
        over = [our - their for our, their in zip(ours, theirs, strict=True)]
        ratio = statistics.median(our / their for our, their in zip(ours, theirs, strict=True))
        equal = f"{sum(figures['equal'] for figures in chosen):.0f} of {len(chosen)}"
        rows.append([tokens, *(spread(values, ".3f") for values in (ours, theirs, over)), f"{ratio:.2f}", equal])
    print("ms per token: median (lowest to highest)\n")
    head = ["answer tokens", "our engine", "bare loop", "overhead", "median ratio", "equal answers"]
    print(markdown_table(head, rows))


if __name__ == "__main__":
    main()
