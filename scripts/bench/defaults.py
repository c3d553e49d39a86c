"""Compare the decode speed of this program, with the plan in force, with that of llama.cpp with its own defaults.

    python scripts/bench/defaults.py MODEL --llama-bench PATH [--depths 0,1024,4096] [--rounds 3] [--answer 16]

The plan is the one that `qwen tune` found on this PC, or else that of the rules. llama-bench gets the same threads, and
for the rest its own defaults: repacked weights, and flash attention as it decides. Both decode in turn, after the
tokens of each depth. Before each round, llama-bench has to fill its context with these tokens.
"""

import random
from pathlib import Path

from qwen_tui import config, files
from qwen_tui.cli import wiring
from qwen_tui.cli.environment import Environment
from qwen_tui.columns import markdown_table
from qwen_tui.config import Config
from qwen_tui.engine.protocol import ReplayOptions
from qwen_tui.evaluation.llama_bench import llama_bench
from qwen_tui.evaluation.measuring import ask, spread, words
from qwen_tui.messages import Message
from scripts.command_line import command_line, report_progress


def main() -> None:
    """Measure depth by depth and print the medians."""
    parser = command_line(__doc__)
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("--llama-bench", type=Path, required=True, help="the program, built from the same llama.cpp")
    parser.add_argument("--depths", default="0,1024,4096", help="tokens before the answer (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--answer", type=int, default=16, help="tokens of an answer (default: %(default)s)")
    arguments = parser.parse_args()

    settings: Config = config.load(files.folders().config_file).config
    subject = wiring.planner(Environment.of_process(), Config(model=str(arguments.model), ctx_size=settings.ctx_size))
    plan = subject.in_force()
    options = subject.load_options(plan.plan, plan.costs)
    rng = random.Random(0)
    replay = ReplayOptions(text=words(4 * arguments.answer, rng))
    engine = subject.open_engine(options)
    rows = []
    try:
        for depth in map(int, arguments.depths.split(",")):
            message = Message("user", words(max(1, depth), rng))
            ask(engine, message, replay, 1)
            ours: list[float] = []
            theirs: list[float] = []
            for _index in range(arguments.rounds):
                # One more token than is counted, because the last token is not decoded.
                written = ask(engine, message, replay, arguments.answer + 1)
                ours.append(written.answer_tokens / written.answer_s)
                test = ["-p", "0", "-n", str(arguments.answer), "-d", str(depth)]
                theirs.append(llama_bench(arguments.llama_bench, options, test, ours=False)[0]["avg_ts"])
                report_progress(f"depth {depth}: {ours[-1]:.2f}, llama-bench {theirs[-1]:.2f}")
            ratios = [our / their for our, their in zip(ours, theirs, strict=True)]
            rows.append([depth, spread(ours), spread(theirs), spread(ratios)])
    finally:
        engine.close()
    head = ["depth", "qwen-tui, tokens/s", "llama-bench as it comes", "ratio"]
    print(markdown_table(head, rows))
    print(f"\n{plan.describe()}")


if __name__ == "__main__":
    main()
